"""Made sentences in which one word alone fixes the label, and a small net that has learnt it."""

from functools import lru_cache

import torch

from tasks.text.data import Sentences, TextData
from tasks.text.networks import SentenceCNN
from tasks.text.task import SentenceClassification

PLANTED = ["dull", "fine"]  # by label


class PlantedWords(TextData):
    """6 to 14 of 60 words drawn at random, and in some place among them the word of the label."""

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        self.class_names = ["bad", "good"]
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(800) % 2
        texts = [sentence(PLANTED[label], generator) for label in labels.tolist()]
        return {"train": Sentences(texts[:600], labels[:600]), "test": Sentences(texts[600:], labels[600:])}


class OtherSentences(PlantedWords):
    """The same labels by other words: nearly all are unknown to a tokeniser of PlantedWords."""

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        loaded = super().load()
        return {name: Sentences([text.replace("w", "v") for text in s.texts], s.labels_N) for name, s in loaded.items()}


class OtherClasses(PlantedWords):
    """The same sentences, other names of the classes."""

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        loaded = super().load()
        self.class_names = ["poor", "rich"]
        return loaded


def sentence(planted: str, generator: torch.Generator) -> str:
    """Random words and the planted one."""
    length = int(torch.randint(6, 15, (1,), generator=generator))
    words = [f"w{i}" for i in torch.randint(0, 60, (length,), generator=generator).tolist()]
    words.insert(int(torch.randint(0, length + 1, (1,), generator=generator)), planted)
    return " ".join(words)


@lru_cache
def trained() -> tuple[SentenceClassification, PlantedWords]:
    """Kim's three region sizes; weight decay lets go what the answer does not need, without it even leaving words out
    finds that the net rests on other words too."""
    torch.manual_seed(0)
    data = PlantedWords(validation=0.0, vocabulary_size=80)
    data.setup()
    net = SentenceCNN(80, 2, 16, feature_maps=20)
    task = SentenceClassification(net, torch.optim.Adam)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1.0)
    for epoch in range(20):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            optimizer.zero_grad()
            sum(task.loss(net, batch).values()).backward()
            optimizer.step()
    return task.eval(), data
