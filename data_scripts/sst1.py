"""Stanford Sentiment Treebank, five classes (Socher et al. 2013) -> data/sst1/sentences.pt.

The set's home: https://nlp.stanford.edu/sentiment. Kim's (2014) files, which name no licence.
"""

from tasks.text.archives import sentence_set

SCRIPT = sentence_set(
    name="sst1",
    about="SST-1: 8,544 + 1,101 + 2,210 sentences, no phrases, 5 classes; for research; 1.3 MB to fetch.",
    files={
        "train": ("stsa.fine.train", "sha256:9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee"),
        "validation": ("stsa.fine.dev", "sha256:b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3"),
        "test": ("stsa.fine.test", "sha256:0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73"),
    },
    class_names=["very negative", "negative", "neutral", "positive", "very positive"],
    encoding="utf-8",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
