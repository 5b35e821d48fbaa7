"""Stanford Sentiment Treebank, two classes (Socher et al. 2013) -> data/sst2/sentences.pt.

The set's home: https://nlp.stanford.edu/sentiment. Kim's (2014) files, which name no licence.
"""

from tasks.text.archives import sentence_set

SCRIPT = sentence_set(
    name="sst2",
    about="SST-2: 6,920 + 872 + 1,821 sentences, no phrases, 2 classes; for research; 1.0 MB to fetch.",
    files={
        "train": ("stsa.binary.train", "sha256:71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338"),
        "validation": ("stsa.binary.dev", "sha256:02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1"),
        "test": ("stsa.binary.test", "sha256:6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b"),
    },
    class_names=["negative", "positive"],
    encoding="utf-8",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
