"""Subjectivity (Pang and Lee 2004) -> data/subj/sentences.pt.

The set's home: https://www.cs.cornell.edu/people/pabo/movie-review-data. Kim's (2014) files, which name no licence.
"""

from tasks.text.archives import sentence_set

SCRIPT = sentence_set(
    name="subj",
    about="Subj: 5,000 subjective and 5,000 objective sentences, 10 folds; for research; 1.3 MB to fetch.",
    files={
        "all": ("subj.all", "sha256:f3ffbe2aa8e4f3ba3e63e46dce51613854edbca122fb3aa758b9bce047ded23c"),
    },
    class_names=["subjective", "objective"],
    encoding="cp1252",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
