"""Runs in which nothing is wrong, some of them awkward."""

from functools import partial

import torch
from torch import nn

from tests.benchmarks.diagnosis import architectures as made
from tests.benchmarks.diagnosis.loop import Run
from zoo.optim import ByGlobalNorm

OPTIMISERS = {
    "adam": partial(torch.optim.Adam, lr=2e-3),
    "adamw": partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.05),
    "sgd": partial(torch.optim.SGD, lr=0.1),
    "momentum": partial(torch.optim.SGD, lr=0.03, momentum=0.9, weight_decay=1e-4),
}


def plain(architecture: str, optimiser: str, seed: int) -> Run:
    """An architecture under an optimiser."""
    run = made.ARCHITECTURES[architecture](seed)
    run.optimizer, run.note = OPTIMISERS[optimiser], f"{architecture}/{optimiser}"
    if architecture == "pde" and optimiser in ("sgd", "momentum"):
        run.optimizer = partial(run.optimizer, lr=0.03 if optimiser == "sgd" else 3e-3)  # second derivatives are stiff
    return run


def noisy(seed: int) -> Run:
    """Regression whose targets are mostly noise, in batches of 8."""
    torch.manual_seed(seed)
    x = torch.randn(1024, 10)
    y = x @ torch.randn(10, 1) / 10**0.5 + 1.5 * torch.randn(1024, 1)
    net = made.mlp_net(2, 32, nn.ReLU, 10, 1)

    def loss(net, batch):
        return {"loss": (net(batch[0]) - batch[1]).square().mean()}

    return Run("mlp", seed, net, (x, y), loss, batch=8, steps=250, note="noisy targets")


def warmup(seed: int) -> Run:
    """A learning rate that rises over half of the run."""
    run = made.transformer(seed)
    run.scheduler = lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda s: min(1.0, (s + 1) / 75))
    run.note = "warmup"
    return run


def tiny(seed: int) -> Run:
    """Four hidden units."""
    run = made.mlp(seed, depth=2, width=4)
    run.optimizer, run.note = OPTIMISERS["adam"], "tiny"
    return run


def clipped(seed: int) -> Run:
    """Clipping on purpose, near the usual norm."""
    run = made.lstm(seed)
    run.clipping, run.note, run.optimizer = ByGlobalNorm(0.5), "clipped", OPTIMISERS["momentum"]
    return run


def sparse(seed: int) -> Run:
    """A table with sparse gradients."""
    run = made.lstm(seed, sparse=True)
    run.optimizer, run.note = partial(torch.optim.SGD, lr=0.3), "sparse embedding"
    return run


def deep(seed: int) -> Run:
    """Ten layers with He's scale."""
    run = made.mlp(seed, depth=10, width=32)
    run.optimizer, run.note = OPTIMISERS["adam"], "deep relu"
    return run


def default_scale(seed: int) -> Run:
    """torch's own initialisers."""
    run = made.mlp(seed, depth=4)
    for module in run.net.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    run.optimizer, run.note = OPTIMISERS["adam"], "torch's own initialisers"
    return run


def full_batch(seed: int) -> Run:
    """The same points at every step."""
    run = made.pde(seed)
    run.batch, run.note, run.optimizer = 512, "full batch", partial(torch.optim.Adam, lr=3e-3)
    return run


def small_batch(seed: int) -> Run:
    """Batches of two."""
    run = made.mlp(seed, depth=3)
    run.batch, run.steps, run.note = 2, 300, "batches of two"
    return run


def sigmoid(seed: int) -> Run:
    """Two hidden layers of sigmoids."""
    run = made.mlp(seed, depth=3, activation=nn.Sigmoid)
    run.optimizer, run.note = partial(torch.optim.Adam, lr=5e-3), "sigmoid"
    return run


def zero_head(seed: int) -> Run:
    """A head that starts at zero."""
    run = made.cnn(seed, norm=True)
    nn.init.zeros_(run.net[-1].weight)
    run.optimizer, run.note = OPTIMISERS["adam"], "zero head"
    return run


def fits_all(seed: int) -> Run:
    """A net that reaches a loss of nothing: 64 examples, 300 steps."""
    run = made.mlp(seed)
    run.examples, run.steps = tuple(t[:64] for t in run.examples), 300
    run.optimizer, run.note = partial(torch.optim.Adam, lr=5e-3), "overfits"
    return run


AWKWARD = [
    noisy, warmup, tiny, clipped, sparse, deep, default_scale, full_batch, small_batch, sigmoid, zero_head, fits_all,
]  # fmt: skip


def runs(seeds: range) -> list:
    """Makers of all healthy runs, each called when its turn comes."""
    plains = [
        partial(plain, architecture, optimiser, seed)
        for seed in seeds
        for architecture in made.ARCHITECTURES
        for optimiser in OPTIMISERS
    ]
    return plains + [partial(one, seed) for seed in seeds for one in AWKWARD]
