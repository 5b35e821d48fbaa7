"""TREC questions (Li and Roth 2002) -> data/trec/sentences.pt.

The set's home: https://cogcomp.seas.upenn.edu/Data/QA/QC. Kim's (2014) files, which name no licence.
"""

from tasks.text.archives import sentence_set

SCRIPT = sentence_set(
    name="trec",
    about="TREC: 5,452 + 500 questions, 11 of them in both, 6 classes; for research; 0.3 MB to fetch.",
    files={
        "train": ("TREC.train.all", "sha256:c8183fd8c2a5cc4a9a1c56548d7c6410a8b71ed7843df9ef1f0a05cd7cf2fb3e"),
        "test": ("TREC.test.all", "sha256:92a6a3cede5678b447ef5f1d7ec474134fcda211e6590e6fa627b4a2c68e4566"),
    },
    class_names=["description", "entity", "abbreviation", "human", "location", "number"],
    encoding="cp1252",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
