"""Opinions of MPQA (Wiebe, Wilson and Cardie 2005) -> data/mpqa/sentences.pt.

The set's home: https://mpqa.cs.pitt.edu. Kim's (2014) files, which name no licence.
"""

from tasks.text.archives import sentence_set

SCRIPT = sentence_set(
    name="mpqa",
    about="MPQA: 10,606 phrases, 2,365 of them repeated, 2 classes, 10 folds; for research; 0.2 MB to fetch.",
    files={
        "all": ("mpqa.all", "sha256:661de8a069da4b9845fc8b9ae59cc97ffe554f3018fa6bf0e640e3d626a4eaf7"),
    },
    class_names=["negative", "positive"],
    encoding="ascii",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
