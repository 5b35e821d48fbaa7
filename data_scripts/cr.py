"""Customer reviews (Hu and Liu 2004) -> data/cr/sentences.pt.

The set's home: https://www.cs.uic.edu/~liub/FBS/sentiment-analysis.html. Kim's (2014) files, which name no licence.
"""

from tasks.text.archives import sentence_set

SCRIPT = sentence_set(
    name="cr",
    about="CR: 3,775 sentences of customer reviews, 2 classes, 10 folds; for research; 0.4 MB to fetch.",
    files={
        "all": ("custrev.all", "sha256:a3839a79bd3285177a07158c6104b49038a7a06ab2abe897734cde5d22e5e325"),
    },
    class_names=["negative", "positive"],
    encoding="ascii",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
