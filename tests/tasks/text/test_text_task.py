"""The task: what it starts a net from, what it refuses, and that resuming keeps trained vectors."""

from functools import partial

import pytest
import torch

from tasks.text.data import Sentences, TextData
from tasks.text.networks import SentenceCNN
from tasks.text.pages.reading_facts import reading_section
from tasks.text.task import SentenceClassification
from tasks.text.vectors import VectorSource
from zoo.errors import InputError
from zoo.training.checkpoints import AtomicCheckpointIO, Checkpointer

WORDS = ["red", "green", "blue", "stone", "tree", "river"]


class Colours(TextData):
    """Label 1 where a sentence holds `red`."""

    def load(self):
        self.class_names = ["other", "red"]
        generator = torch.Generator().manual_seed(0)
        rows = torch.randint(0, len(WORDS), (300, 5), generator=generator).tolist()
        texts = [" ".join(WORDS[i] for i in row) for row in rows]
        labels = torch.tensor([int(0 in row) for row in rows])
        return {"train": Sentences(texts[:200], labels[:200]), "test": Sentences(texts[200:], labels[200:])}


class Ones(VectorSource):
    """Every word is a vector of ones."""

    def read(self, words, texts):
        return torch.ones(len(words), 8), torch.ones(len(words), dtype=torch.bool)


class NoRed(VectorSource):
    """Vectors of ones that do not know `red`."""

    def read(self, words, texts):
        return torch.ones(len(words), 8), torch.tensor([word in WORDS and word != "red" for word in words])


def task_of(**options):
    torch.manual_seed(0)
    net = SentenceCNN(20, 2, 8, region_sizes=(1, 2), feature_maps=8, dropout=0.1, **options)
    return SentenceClassification(net, partial(torch.optim.Adam, lr=0.01))


def test_a_word_that_decides_is_learned(quick):
    task, data = task_of(), Colours(vocabulary_size=20)
    trainer = quick(max_epochs=25, threads=1)
    trainer.fit(task, datamodule=data)
    assert trainer.test(task, datamodule=data, verbose=False)[0]["test/accuracy"] >= 0.98


def test_words_without_a_vector_are_counted_and_reported(quick):
    task, data = task_of(), Colours(vocabulary_size=20, validation=0.0)
    task.vectors = NoRed()
    quick(max_epochs=1, threads=1).fit(task, datamodule=data)
    tokens = " ".join(data.splits["train"].sentences.texts).split()
    expected = [1 / len(WORDS), tokens.count("red") / len(tokens)]
    assert task.without_vector.tolist() == pytest.approx(expected)
    assert f"{100 * expected[0]:.1f} % of the training words" in reading_section(data, expected).lead
    assert "have no vector" not in reading_section(data, task_of().without_vector.tolist()).lead


def test_resuming_keeps_trained_vectors_and_comes_to_the_same_bits(quick, tmp_path):
    def fresh():
        task = task_of()
        task.vectors = Ones()
        return task

    def fit(epochs, resumed=None):
        task = fresh()
        callback = Checkpointer(tmp_path, "val/loss")
        trainer = quick(max_epochs=epochs, threads=1, callbacks=[callback], plugins=[AtomicCheckpointIO()])
        trainer.fit(task, datamodule=Colours(vocabulary_size=20), ckpt_path=resumed, weights_only=True)
        return task

    whole = fit(4)
    fit(2)
    rest = fit(4, str(tmp_path / "last.ckpt"))
    for one, other in zip(whole.net.parameters(), rest.net.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(whole.net.embedding.tuned[2], torch.ones(8))


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (partial(SentenceCNN, 5, 2, 8), "expected 20 rows of vectors"),
        (partial(SentenceCNN, 20, 3, 8), "expected 2 outputs, one a class of the data, got 3"),
    ],
)
def test_a_net_of_other_sizes_is_refused(quick, net, said):
    task = SentenceClassification(net(), partial(torch.optim.Adam, lr=0.01))
    with pytest.raises(InputError, match=said):
        quick(max_epochs=1, threads=1).fit(task, datamodule=Colours(vocabulary_size=20))


def test_the_score_is_the_logit_of_the_label_whatever_the_batch_is_repeated():
    task = task_of()
    tokens, labels = torch.tensor([[2, 3, 4], [5, 0, 0]]), torch.tensor([1, 0])
    vectors, score = task.attribution_target((tokens, labels))
    task.net.eval()
    expected = task.net(tokens).gather(1, labels[:, None])[:, 0]
    task.net.train()
    torch.testing.assert_close(score(vectors), expected)
    torch.testing.assert_close(score(vectors.repeat(3, 1, 1)), expected.repeat(3))
    assert task.net.training
