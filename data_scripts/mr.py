"""Movie reviews (Pang and Lee 2005) -> data/mr/sentences.pt.

The set's home: https://www.cs.cornell.edu/people/pabo/movie-review-data. Kim's (2014) files, which name no licence.
"""

from tasks.text.archives import sentence_set

SCRIPT = sentence_set(
    name="mr",
    about="MR: 10,662 sentences of film reviews, 2 classes, 10 folds; for research; 1.3 MB to fetch.",
    files={
        "all": ("rt-polarity.all", "sha256:b8846c3bbd59241f901efdc58f7c515e4b280ab3561fd1858caa5aa48da95a8a"),
    },
    class_names=["negative", "positive"],
    encoding="cp1252",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
