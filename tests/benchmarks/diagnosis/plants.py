"""Pathologies, planted in healthy runs.

A plant changes one thing of a run and says what is to be found. Right layers are all those that name the same place:
an activation and the layer that feeds it.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from tests.benchmarks.diagnosis import architectures as made
from tests.benchmarks.diagnosis.loop import Run
from zoo.optim import ByGlobalNorm

Plant = Callable[[str, int], Run]

# architecture -> (a layer with weights in its middle, the activation behind it)
MIDDLE = {
    "mlp": ("2", "3"), "cnn": ("2", "3"), "resnet": ("3.conv1", "3.relu1"), "lstm": ("hidden", "act"),
    "transformer": ("blocks.0.up", "blocks.0.act"), "actor_critic": ("trunk.2", "trunk.3"), "pde": ("2", "3"),
}  # fmt: skip
ADAM, SGD = partial(torch.optim.Adam, lr=2e-3), partial(torch.optim.SGD, lr=0.05)


def healthy(architecture: str, seed: int, **options) -> Run:
    """The run before anything is planted; optimisers alternate."""
    run = made.ARCHITECTURES[architecture](seed, **options)
    run.optimizer = ADAM if seed % 2 or architecture == "pde" else SGD
    return run


def planted(run: Run, kind: str, layers: tuple[str, ...] = (), onset: int = 0) -> Run:
    """The run with what is to be found."""
    run.kind, run.layers, run.onset, run.note = kind, layers, onset, f"{kind} in {run.architecture}"
    return run


def weights_of(net: nn.Module) -> list[nn.Module]:
    """Linear and convolution layers."""
    return [m for m in net.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]


def deep(architecture: str, seed: int) -> Run:
    """A chain of eight layers in the architecture's place: what depth does needs depth."""
    if architecture == "pde":
        return made.pde(seed, depth=8)
    if architecture == "cnn":
        run = made.cnn(seed)
        convolutions = [one for _ in range(6) for one in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())]
        run.net = made.he(
            nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), *convolutions, nn.Flatten(), nn.Linear(512, 5))
        )
        return run
    return made.mlp(seed, depth=8, activation=nn.Tanh if seed % 2 else nn.ReLU)


def vanishing(architecture: str, seed: int) -> Run:
    """A deep chain of sigmoids, or weights a quarter of their size."""
    if architecture == "mlp" and seed % 3 == 0:
        run = made.mlp(seed, depth=8, activation=nn.Sigmoid)
    else:
        run = deep(architecture, seed)
        scale_all(run.net, 0.25)
    run.optimizer = ADAM if seed % 2 else SGD
    first = "0"
    return planted(run, "vanishing", (first,))


def exploding(architecture: str, seed: int) -> Run:
    """ReLU nets with weights four times their size."""
    run = deep(architecture if architecture == "cnn" else "mlp", seed - seed % 2)
    scale_all(run.net, 4.0)
    run.optimizer = partial(torch.optim.Adam, lr=1e-3) if seed % 2 else partial(torch.optim.SGD, lr=1e-12)
    return planted(run, "exploding", ("0",))


@torch.no_grad()
def scale_all(net: nn.Module, factor: float) -> None:
    """Multiply the weights of all layers but the last."""
    for module in weights_of(net)[:-1]:
        module.weight.mul_(factor)


def dead(architecture: str, seed: int) -> Run:
    """Biases of a layer so low that its activation gives zero; from the start or at step 60."""
    run = healthy(architecture, seed)
    layer, activation = MIDDLE[architecture]
    onset = 60 * (seed % 2)

    @torch.no_grad()
    def kill(step, run, *_):
        if step == onset:
            module = dict(run.net.named_modules())[layer]
            bias = dict(run.net.named_modules())["3.norm1"].bias if architecture == "resnet" else module.bias
            bias[: max(1, int(0.8 * len(bias)))] = -100.0

    run.each_step = kill
    extra = ("3.norm1",) if architecture == "resnet" else ()
    return planted(run, "dead", (layer, activation, *extra), onset)


def saturated(architecture: str, seed: int) -> Run:
    """Weights of a tanh's or sigmoid's layer multiplied by 40, from the start or at step 60."""
    run = healthy(architecture, seed)
    layer, activation = MIDDLE[architecture]
    modules = dict(run.net.named_modules())
    if architecture in ("lstm", "transformer", "mlp", "cnn"):
        parent, _, name = activation.rpartition(".")
        setattr(modules[parent] if parent else run.net, name, nn.Tanh() if seed % 3 else nn.Sigmoid())
    onset = 60 * (seed % 2)

    @torch.no_grad()
    def scale(step, run, *_):
        if step == onset:
            modules[layer].weight.mul_(400.0 if architecture == "lstm" else 40.0)

    run.each_step = scale
    return planted(run, "saturated", (layer, activation), onset)


def rate_high(architecture: str, seed: int) -> Run:
    """A learning rate a thousand times too high, from the start or from step 60."""
    run = healthy(architecture, seed)
    adam = bool(seed % 2)
    high = 1.0 if adam else 50.0
    onset = 60 * ((seed // 2) % 2)
    base = 2e-3 if adam else 0.02
    run.optimizer = partial(torch.optim.Adam if adam else torch.optim.SGD, lr=base if onset else high)

    def raise_rate(step, run, optimizer, *_):
        if step == onset:
            optimizer.param_groups[0]["lr"] = high

    run.each_step = raise_rate
    return planted(run, "learning_rate_high", (), onset)


def rate_low(architecture: str, seed: int) -> Run:
    """A learning rate far too low."""
    run = healthy(architecture, seed)
    run.optimizer = partial(torch.optim.Adam, lr=1e-7) if seed % 2 else partial(torch.optim.SGD, lr=1e-6)
    return planted(run, "learning_rate_low")


def spike(architecture: str, seed: int) -> Run:
    """One step at which the head's weights are twenty times as large."""
    run = healthy(architecture, seed)
    run.optimizer = partial(torch.optim.Adam, lr=1e-3) if seed % 2 else partial(torch.optim.SGD, lr=2e-3)
    onset = 80 + seed % 5

    def disturb(step, run, optimizer, batch):
        if step == onset:
            with torch.no_grad():
                for parameter in weights_of(run.net)[-1].parameters():
                    parameter.add_(torch.randn_like(parameter) * 20 * parameter.std(correction=0).clamp(min=0.1))
        if step == onset + 1:
            with torch.no_grad():
                for parameter, before in zip(weights_of(run.net)[-1].parameters(), run.before, strict=True):
                    parameter.copy_(before)
        if step == onset - 1:
            run.before = [parameter.detach().clone() for parameter in weights_of(run.net)[-1].parameters()]

    run.each_step = disturb
    return planted(run, "loss_spike", (), onset)


def clipped_always(architecture: str, seed: int) -> Run:
    """A limit far below every gradient."""
    run = healthy(architecture, seed)
    run.clipping = ByGlobalNorm(1e-3)
    return planted(run, "clipping_always")


def clipped_never(architecture: str, seed: int) -> Run:
    """A limit far above every gradient."""
    run = healthy(architecture, seed)
    run.clipping = ByGlobalNorm(1e5)
    return planted(run, "clipping_never")


def batch_small(architecture: str, seed: int) -> Run:
    """One example a step of targets that are mostly noise."""
    torch.manual_seed(seed)
    x = torch.randn(1024, 20)
    y = x @ torch.randn(20, 1) / 20**0.5 + 2.0 * torch.randn(1024, 1)
    net = made.mlp_net(3, 32, nn.ReLU if seed % 2 else nn.Tanh, 20, 1)

    def loss(net, batch):
        return {"loss": (net(batch[0]) - batch[1]).square().mean()}

    rate = partial(torch.optim.SGD, lr=0.01) if seed % 2 else partial(torch.optim.Adam, lr=0.02)
    return planted(Run(architecture, seed, net, (x, y), loss, rate, batch=1, steps=300), "batch_small")


def batch_large(architecture: str, seed: int) -> Run:
    """Two thousand examples a step where thirty would do."""
    torch.manual_seed(seed)
    x = torch.randn(8192, 6)
    y = torch.tanh(x @ torch.randn(6, 1))
    net = made.mlp_net(3, 24, nn.Tanh, 6, 1)

    def loss(net, batch):
        return {"loss": (net(batch[0]) - batch[1]).square().mean()}

    rate = partial(torch.optim.SGD, lr=0.01) if seed % 2 else partial(torch.optim.Adam, lr=1e-3)
    return planted(Run(architecture, seed, net, (x, y), loss, rate, batch=2048, steps=100), "batch_large")


def initial_scale(architecture: str, seed: int) -> Run:
    """One layer's weights thirty times too large or too small."""
    run = healthy(architecture, seed)
    layer = {"mlp": "2", "cnn": "5", "lstm": "hidden", "actor_critic": "trunk.2", "pde": "2"}[architecture]
    with torch.no_grad():
        dict(run.net.named_modules())[layer].weight.mul_(30.0 if (seed // 2) % 2 else 1 / 30)
    run.optimizer = partial(run.optimizer, lr=1e-3)
    return planted(run, "initial_scale", (layer,))


def frozen(architecture: str, seed: int) -> Run:
    """A layer that does not require a gradient."""
    run = healthy(architecture, seed)
    layer = MIDDLE[architecture][0]
    dict(run.net.named_modules())[layer].requires_grad_(False)
    return planted(run, "frozen", (layer,))


class Detached(nn.Module):
    """A layer whose input has been cut from the graph: nothing in front of it learns."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.detach())


def unused(architecture: str, seed: int) -> Run:
    """A layer that the forward does not use."""
    run = healthy(architecture, seed)
    run.net.add_module("spare", nn.Linear(4, 4))
    forward = run.net.forward
    run.net.forward = partial(_without_spare, run.net, forward)
    return planted(run, "unused", ("spare",))


def _without_spare(net: nn.Module, forward, x):
    if isinstance(net, nn.Sequential):
        for name, module in net.named_children():
            x = x if name == "spare" else module(x)
        return x
    return forward(x)


def norm_statistics(architecture: str, seed: int) -> Run:
    """Batch norm with batches of one or two."""
    run = made.resnet(seed) if architecture == "resnet" else made.cnn(seed, norm=True)
    run.optimizer, run.batch = ADAM if seed % 2 else partial(torch.optim.SGD, lr=0.01), 1 + seed % 2
    return planted(run, "norm_statistics", ("1",))


def epsilon(architecture: str, seed: int) -> Run:
    """An epsilon that no gradient comes near."""
    run = healthy(architecture, seed)
    run.optimizer = partial(torch.optim.AdamW if seed % 2 else torch.optim.Adam, lr=1e-3, eps=(3.0, 10.0)[seed % 2])
    return planted(run, "epsilon")


def weight_decay(architecture: str, seed: int) -> Run:
    """Decay that takes the weights away in a few dozen steps."""
    run = healthy(architecture, seed)
    kinds = (
        partial(torch.optim.SGD, lr=0.05, weight_decay=2.0), partial(torch.optim.AdamW, lr=1e-3, weight_decay=100.0),
        partial(torch.optim.Adam, lr=2e-3, weight_decay=10.0),
    )  # fmt: skip
    run.optimizer = kinds[seed % 3] if architecture != "pde" or seed % 3 else kinds[1]
    return planted(run, "weight_decay")


def memorising(architecture: str, seed: int) -> Run:
    """Labels drawn at random."""
    run = made.ARCHITECTURES[architecture](seed)
    keep = 448
    x = run.examples[0]
    labels = torch.randint(made.CLASSES, (len(x),), generator=torch.Generator().manual_seed(seed))
    run.examples = (x[:keep], labels[:keep])
    run.validation = (x[keep:], labels[keep:]) if seed % 3 else None
    if architecture in ("mlp", "cnn"):
        run.net = made.mlp_net(3, 192) if architecture == "mlp" else run.net
    run.steps, run.optimizer = 600, partial(torch.optim.Adam, lr=3e-3)
    return planted(run, "memorising")


def conflict(architecture: str, seed: int) -> Run:
    """A second term that asks for the opposite."""
    run = healthy(architecture, seed)
    wanted = run.loss

    def both(net, batch):
        if architecture == "pde":
            terms = wanted(net, batch)
            other = (net(batch[0]) + 3.0 * torch.sin(torch.pi * batch[0])).square().mean()
            return {"equation": sum(terms.values()), "other": other}
        if architecture == "actor_critic":
            value = net(batch[0])[1]
            return {"up": (value - 2.0).square().mean(), "down": (value + 2.0).square().mean()}
        x, y = batch
        out = net(x).float()
        return {
            "labels": nn.functional.cross_entropy(out, y),
            "others": nn.functional.cross_entropy(-out, y),
        }

    run.loss = both
    return planted(run, "conflict", ())


class Breaks(nn.Module):
    """An activation whose derivative or value is not finite for chosen inputs from some step on."""

    def __init__(self, inner: nn.Module, backward: bool):
        super().__init__()
        self.inner, self.backward, self.row, self.is_activation = inner, backward, None, True

    def forward(self, x):
        y = self.inner(x)
        if self.row is None or self.row >= len(x):
            return y
        hit = torch.zeros_like(y)
        hit[self.row] = 1.0
        if self.backward:
            return y + torch.sqrt((y * 0).abs() * hit)
        return y + torch.where(hit > 0, torch.log(y.abs() * 0), 0.0)


def nonfinite(architecture: str, seed: int) -> Run:
    """At step 40 to 90 an input, a weight, a layer's output or its backward pass is not finite, for one example."""
    run = healthy(architecture, seed)
    layer, activation = MIDDLE[architecture]
    modules = dict(run.net.named_modules())
    parent, _, name = activation.rpartition(".")
    onset, how = 40 + 7 * (seed % 8), ("output", "gradient", "parameter", "input")[seed % 4]
    if how == "input" and run.examples[0].dtype == torch.int64:
        how = "output"
    breaks = Breaks(modules[activation], how == "gradient")
    setattr(modules[parent] if parent else run.net, name, breaks)
    run.row = seed % 5 if how != "parameter" else -1

    @torch.no_grad()
    def poison(step, run, _optimizer, batch):
        breaks.row = run.row if step == onset and how in ("output", "gradient") else None
        if step == onset and how == "parameter":
            modules[layer].weight[0] = float("nan")
        if step == onset and how == "input":
            batch = (batch[0].clone(), *batch[1:])
            batch[0][run.row] = float("inf") if seed % 8 > 3 else float("nan")
            return batch
        return None

    run.each_step = poison
    where = {"input": ("", "0", "trunk.0"), "parameter": (layer, f"{layer}.weight")}
    return planted(run, "nonfinite", where.get(how, (activation,)), onset)


ALL = tuple(made.ARCHITECTURES)
PLANTS: dict[Callable, tuple[str, ...]] = {
    vanishing: ("mlp", "cnn", "pde"),
    exploding: ("mlp", "cnn"),
    dead: ("mlp", "cnn", "resnet", "lstm", "transformer"),
    saturated: ("mlp", "cnn", "lstm", "transformer", "actor_critic", "pde"),
    rate_high: ALL,
    rate_low: ALL,
    spike: ("mlp", "cnn", "resnet", "lstm", "transformer", "pde"),
    clipped_always: ALL,
    clipped_never: ALL,
    batch_small: ("mlp",),
    batch_large: ("mlp",),
    initial_scale: ("mlp", "cnn", "lstm", "actor_critic", "pde"),
    frozen: ALL,
    unused: ALL,
    norm_statistics: ("cnn", "resnet"),
    epsilon: ALL,
    weight_decay: ALL,
    memorising: ("mlp", "lstm", "transformer"),
    conflict: ALL,
    nonfinite: ALL,
}


def runs(seeds: range) -> list:
    """Makers of all planted runs."""
    return [partial(plant, one, seed) for seed in seeds for plant, fit in PLANTS.items() for one in fit]
