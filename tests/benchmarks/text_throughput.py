"""Training of Kim's CNN on MR: the usual code against Trainer, length buckets, sparse rows and winning windows.

python tests/benchmarks/text_throughput.py [time|accuracy] [DIR]     (DIR holds mr/sentences.pt; see data_scripts/mr.py)

The usual code: Conv2d(1, 100, (h, 300)) on [B, 1, T, 300], every sentence filled up to the longest of the set, Adadelta
over the whole table of vectors, a plain loop in float32. Both sides: one thread, batches of 50, region sizes 3, 4, 5
with 100 maps each, 300-dimensional vectors, dropout 0.5. `time` compares CPU seconds a sentence, in turn; `accuracy`
trains both to the end on all ten folds.
"""

import logging
import statistics
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from pytorch_lightning import Callback
from torch import Tensor, nn

from tasks.text.data import MR
from tasks.text.networks import SentenceCNN
from tasks.text.task import SentenceClassification
from tests.benchmarks.results import report
from zoo.optim import LazyAdam
from zoo.training.trainer import Trainer

WORDS, SIZE, BATCH, EPOCHS = 20_000, 300, 50, 4
ROOT = sys.argv[2] if len(sys.argv) > 2 else "data"


class UsualCNN(nn.Module):
    """What repositories of Kim's CNN in torch hold."""

    def __init__(self, static: bool):
        super().__init__()
        self.table = nn.Embedding(WORDS, SIZE, padding_idx=0)
        nn.init.uniform_(self.table.weight, -0.25, 0.25)
        self.table.weight.requires_grad_(not static)
        self.filters = nn.ModuleList(nn.Conv2d(1, 100, (h, SIZE), padding=(h - 1, 0)) for h in (3, 4, 5))
        self.dropout, self.output = nn.Dropout(0.5), nn.Linear(300, 2)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits."""
        images_B1TE = self.table(tokens_BT)[:, None]
        maps = [torch.relu(conv(images_B1TE)).squeeze(3) for conv in self.filters]
        pooled = [nn.functional.max_pool1d(one, one.shape[2]).squeeze(2) for one in maps]
        return self.output(self.dropout(torch.cat(pooled, 1)))


def data_of(fold: int) -> MR:
    """A fold, nothing kept for validation."""
    data = MR(ROOT, fold=fold, validation=0.0, vocabulary_size=WORDS, batch_size=BATCH)
    data.setup()
    return data


def usual(data: MR, static: bool, epochs: int, batches: int | None = None) -> tuple[float, float]:
    """(CPU seconds a sentence, accuracy on the test fold in percent) of the usual code."""
    net = UsualCNN(static)
    optimizer = torch.optim.Adadelta(p for p in net.parameters() if p.requires_grad)
    train = data.splits["train"]
    tokens_NT = train.encoded.padded(torch.arange(len(train)))
    started, seen = time.process_time(), 0
    for _ in range(epochs):
        for chosen in torch.randperm(len(train)).split(BATCH)[:batches]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(tokens_NT[chosen]), train.labels_N[chosen]).backward()
            optimizer.step()
            seen += len(chosen)
    seconds = (time.process_time() - started) / seen
    test = data.splits["test"]
    net.eval()
    with torch.no_grad():
        found = torch.cat([net(test.encoded.padded(c)).argmax(1) for c in torch.arange(len(test)).split(256)])
    return seconds, 100 * (found == test.labels_N).float().mean().item()


class Clock(Callback):
    """CPU time of the first and of the last batch."""

    def on_train_start(self, trainer: Trainer, pl_module: SentenceClassification) -> None:
        self.started = time.process_time()

    def on_train_end(self, trainer: Trainer, pl_module: SentenceClassification) -> None:
        self.seconds = time.process_time() - self.started


def ours(data: MR, static: bool, epochs: int, batches: int | None = None) -> tuple[float, float]:
    """The same net by the Trainer, monitor on; Adam, lazily."""
    net = SentenceCNN(WORDS, 2, SIZE, "static" if static else "tuned", sparse=not static)
    task, clock = SentenceClassification(net, partial(LazyAdam, lr=1e-3)), Clock()
    trainer = Trainer(max_epochs=epochs, threads=1, callbacks=[clock], limit_train_batches=batches or 1.0)
    trainer.fit(task, datamodule=data)
    seen = min(batches * BATCH, len(data.splits["train"])) if batches else len(data.splits["train"])
    return clock.seconds / (seen * epochs), 100 * trainer.test(task, data, verbose=False)[0]["test/accuracy"]


def throughput(repetitions: int = 5, batches: int = 40) -> None:
    """How many times as many sentences a CPU second, tuned and static."""
    torch.set_num_threads(1)
    data = data_of(0)
    for name, static, bar in (("non-static", False, 3), ("static", True, 4)):
        pairs = [(usual(data, static, 1, batches)[0], ours(data, static, 1)[0]) for _ in range(repetitions)]
        ratios, median = [a / b for a, b in pairs], statistics.median(a / b for a, b in pairs)
        speeds = " and ".join(f"{1 / statistics.median(side):,.0f}" for side in zip(*pairs, strict=True))
        note = f"median {median:.1f}, {speeds} sentences a CPU second; MR, 300-d, one thread"
        what = f"text/training throughput against the usual code, {name}"
        report(what, f">= {bar}x", ratios, median >= bar, "x", note, 1)


def both(fold: int) -> tuple[float, float]:
    """Accuracy on a fold, (usual, ours), after as many epochs."""
    quiet()
    torch.set_num_threads(1)
    torch.manual_seed(fold)
    data = data_of(fold)
    return usual(data, False, EPOCHS)[1], ours(data, False, EPOCHS)[1]


def accuracy() -> None:
    """Ours minus the usual code, non-static."""
    with ProcessPoolExecutor(2) as pool:
        pairs = list(pool.map(both, range(10)))
    mean = statistics.mean(b - a for a, b in pairs)
    means = " and ".join(f"{statistics.mean(side):.2f}" for side in zip(*pairs, strict=True))
    note = f"MR, ten folds, {EPOCHS} epochs, {means} %"
    what = "text/accuracy of that training minus the usual code's"
    report(what, "mean within 0.3 or above", [b - a for a, b in pairs], mean >= -0.3, "points", note)


def quiet() -> None:
    """No advice from Lightning between the lines."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


if __name__ == "__main__":
    quiet()
    {"time": throughput, "accuracy": accuracy}[sys.argv[1] if len(sys.argv) > 1 else "time"]()
