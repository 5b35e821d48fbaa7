"""Sentences as tensors: nothing of a split is lost, batches are of like length, and a resumed run sees the same order."""

import pytest
import torch

from tasks.text.data import Sentences, TextData
from tasks.text.tokeniser import Tokeniser
from zoo.data.length_order import LengthOrder
from zoo.errors import InputError


class Counting(TextData):
    """Sentence i has 1 + i % 17 words; its label is whether that is even."""

    def load(self):
        self.class_names = ["odd", "even"]
        lengths = [1 + i % 17 for i in range(200)]
        texts = [" ".join(f"w{i % 40}" for _ in range(n)) for i, n in enumerate(lengths)]
        labels = torch.tensor([int(n % 2 == 0) for n in lengths])
        return {"train": Sentences(texts, labels), "test": Sentences(texts[:30], labels[:30])}


def rows_of(loader):
    return [tuple(t for t in row if t) for tokens_BT, _ in loader for row in tokens_BT.tolist()]


def test_every_training_sentence_comes_once_an_epoch_with_its_label():
    data = Counting(batch_size=16, validation=0.0)
    seen = [
        (int((row != 0).sum()), int(y))
        for x, labels in data.train_dataloader()
        for row, y in zip(x, labels, strict=True)
    ]
    assert len(seen) == 200
    assert all(label == (length % 2 == 0) for length, label in seen)
    assert sorted(rows_of(data.train_dataloader())) == sorted(rows_of(data.loader("train")))


def test_batches_of_like_length_hold_little_padding():
    data = Counting(batch_size=16, validation=0.0)
    padding = {}
    for name, loader in (("bucketed", data.train_dataloader()), ("in order", data.loader("train"))):
        tokens = [x for x, _ in loader]
        padding[name] = sum(int((x == 0).sum()) for x in tokens) / sum(x.numel() for x in tokens)
    assert padding["bucketed"] < 0.1 < padding["in order"]


def test_order_depends_on_seed_and_epoch_alone():
    lengths = torch.arange(100) % 13 + 1
    one, two = (LengthOrder(lengths, 8, pool=3, seed=5) for _ in range(2))
    two.set_epoch(1)
    later = two.indices()
    two.set_epoch(0)
    assert torch.equal(one.indices(), two.indices())
    assert not torch.equal(one.indices(), later)
    assert one.indices().sort().values.tolist() == list(range(100))


def test_only_the_last_batch_is_short():
    data = Counting(batch_size=48, validation=0.0)
    assert [len(x) for x, _ in data.train_dataloader()] == [48, 48, 48, 48, 8]


def test_the_tokeniser_knows_training_words_only():
    class Strange(Counting):
        def load(self):
            loaded = super().load()
            loaded["test"].texts[0] = "w1 never"
            return loaded

    data = Strange(validation=0.2)
    data.setup()
    assert data.splits["test"].encoded.tokens_of(0).tolist()[1] == 1
    assert len(data.splits["validation"]) == 40
    trained_on = set(" ".join(data.splits["train"].sentences.texts).split())
    assert set(data.tokeniser.words[2:]) == trained_on


def test_a_checkpoint_classifies_without_the_set():
    data = Counting()
    data.setup()
    fresh = Counting()
    fresh.load_state_dict(data.state_dict())
    assert not fresh.splits
    assert fresh.class_names == ["odd", "even"]
    assert torch.equal(fresh.tokeniser.encode(["w1 w2"]).tokens_M, data.tokeniser.encode(["w1 w2"]).tokens_M)


def test_another_corpus_is_refused_on_resuming():
    data, other = Counting(), Counting(lowercase=False)
    data.setup()
    other.setup()
    with pytest.raises(InputError, match="bring the former ones back"):
        other.load_state_dict(data.state_dict())


def test_max_length_says_what_it_cut():
    encoded = Tokeniser.trained(["a b c d e"], max_length=3).encode(["a b c d e", "", "a b"])
    assert encoded.lengths_N.tolist() == [3, 1, 2]
    assert encoded.cut_N.tolist() == [2, 0, 0]
    assert encoded.offsets_of(0) == [(0, 1), (2, 3), (4, 5)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vocabulary_size": 2}, "vocabulary_size: expected 3 or more"),
        ({"min_count": 0}, "min_count: expected 1 or more"),
        ({"max_length": 0}, "max_length: expected 1 or more"),
        ({"kind": "letters"}, "expected word, bpe"),
        ({"kind": "unigram", "min_count": 2}, "expected 1 with tokeniser unigram"),
    ],
)
def test_wrong_options_say_the_mend(options, said):
    with pytest.raises(InputError, match=said):
        Tokeniser.trained(["a b"], **options)


def test_one_class_only_is_refused():
    class One(Counting):
        def load(self):
            loaded = super().load()
            loaded["train"].labels_N.zero_()
            return loaded

    with pytest.raises(InputError, match="expected two classes or more"):
        One().setup()
