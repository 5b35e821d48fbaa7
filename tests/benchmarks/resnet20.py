"""ResNet-20 on 32x32 images: the recipe's fast path beside the plain eager float32 loop.

python tests/benchmarks/resnet20.py speed
python tests/benchmarks/resnet20.py accuracy DIR     (DIR holds fashion_mnist/images.pt; images are padded to 32x32)
"""

import statistics
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from tasks.vision.augmentations import Crop, Flip
from tasks.vision.data import Split, StoredImages
from tasks.vision.networks import ResNet
from tasks.vision.task import ImageClassification
from tests.benchmarks.results import report
from zoo.data import TensorLoader
from zoo.optim import WarmupDecay
from zoo.training.config_cli import quiet
from zoo.training.trainer import Trainer, fastest_precision

BATCH = 128
quiet()
torch.set_num_threads(2)


def eager_seconds(images: Tensor, labels: Tensor, steps: int) -> float:
    """A step of the plain loop: float32, contiguous, no Trainer."""
    net = ResNet()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    loader = TensorLoader((images, labels), BATCH, shuffle=True)
    times = []
    for (x, y), _ in zip(loader, range(steps), strict=False):
        started = time.perf_counter()
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


class StepClock(pl.Callback):
    """Wall time from one batch's start to the next."""

    def __init__(self):
        self.starts = []

    def on_train_batch_start(self, *_):
        self.starts.append(time.perf_counter())


def fast_seconds(images: Tensor, labels: Tensor, steps: int) -> float:
    """A step under the Trainer with precision auto and channels_last, monitor on."""
    task = ImageClassification(
        ResNet(), partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True), channels_last=True
    )
    clock = StepClock()
    trainer = Trainer(max_steps=steps, accelerator="cpu", precision="auto", callbacks=[clock])
    trainer.fit(task, TensorLoader((images, labels), BATCH, shuffle=True))
    return statistics.median(b - a for a, b in zip(clock.starts, clock.starts[1:], strict=False))


def speed(repetitions: int = 5, steps: int = 12) -> None:
    """Alternate the two."""
    images, labels = torch.randn(BATCH * steps, 3, 32, 32), torch.randint(0, 10, (BATCH * steps,))
    ratios = [eager_seconds(images, labels, steps) / fast_seconds(images, labels, steps) for _ in range(repetitions)]
    met = statistics.median(ratios) >= 2.0
    note = f"3x32x32, batch {BATCH}, 2 threads, {fastest_precision()}, Trainer and monitor included, median {statistics.median(ratios):.2f}"
    report("ResNet-20 throughput against plain eager float32", ">= 2.0x", ratios, met, "x", note)


class Padded(StoredImages):
    """Images padded to 32x32, fewer of them for testing time's sake."""

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        return tuple(Split(nn.functional.pad(part.images, [2] * 4), part.labels) for part in super().load())


def accuracy_of(seed: int, folder: str, precision: str, channels_last: bool) -> float:
    """Test accuracy in percent after three epochs on 10,000 images."""
    pl.seed_everything(seed, verbose=False)
    data = Padded("fashion_mnist", folder, limit=10_000, batch_size=64, validation=0.0, augmentations=[Flip(), Crop(2)])
    optimizer = partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    net = ResNet(in_channels=1)
    task = ImageClassification(net, optimizer, scheduler=partial(WarmupDecay), channels_last=channels_last)
    trainer = Trainer(max_epochs=3, accelerator="cpu", precision=precision)
    trainer.fit(task, datamodule=data)
    return 100 * trainer.test(task, datamodule=data, verbose=False)[0]["test/accuracy"]


def accuracy(folder: str) -> None:
    """Five seeds of each."""
    pairs = [(accuracy_of(s, folder, "32-true", False), accuracy_of(s, folder, "auto", True)) for s in range(5)]
    plain, fast = (list(column) for column in zip(*pairs, strict=True))
    gap = abs(statistics.mean(fast) - statistics.mean(plain))
    note = f"float32 mean {statistics.mean(plain):.2f} %, difference of the means {gap:.2f}; 10,000 images, 3 epochs, seeds 0-4"
    report("ResNet-20 accuracy on the fast path", "within 0.2 points of float32", fast, gap <= 0.2, "%", note)


if __name__ == "__main__":
    speed() if sys.argv[1] == "speed" else accuracy(sys.argv[2])
