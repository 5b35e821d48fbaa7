"""Short made sentences whose label one word gives away, for tests that train."""

import torch

from tasks.text.data import Sentences, TextData

RECIPE = """# Made sentences
model:
  class_path: tasks.text.task.SentenceClassification
  init_args:
    net:
      class_path: tasks.text.networks.SentenceCNN
      init_args: {vocabulary_size: 60, num_classes: 2, embedding_size: 8}
    optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}
data:
  class_path: tests.tasks.text.made_sentences.MadeSentences
  init_args: {validation: 0.0, vocabulary_size: 60}
trainer: {max_epochs: 2}
"""


class MadeSentences(TextData):
    """Six drawn words and "good" or "bad"; a share of the labels is turned around."""

    def __init__(self, count: int = 200, noise: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.count, self.noise = count, noise

    def load(self) -> dict[str, Sentences]:
        """Four of five for training."""
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(self.count) % 2
        words = torch.randint(0, 30, (self.count, 6), generator=generator).tolist()
        texts = [
            " ".join(f"w{i}" for i in row) + (" good" if c else " bad")
            for row, c in zip(words, labels.tolist(), strict=True)
        ]
        turned = torch.rand(self.count, generator=generator) < self.noise
        self.class_names = ["negative", "positive"]
        whole = Sentences(texts, labels ^ turned.long())
        cut = self.count * 4 // 5
        return {"train": whole.take(torch.arange(cut)), "test": whole.take(torch.arange(cut, self.count))}
