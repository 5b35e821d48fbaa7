"""Every probe that runs a net: parameters, gradients, buffers, random numbers, hooks and mode are as they were."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from zoo.probes import (
    LayerReadings,
    LocalGradients,
    example_gradient_norms,
    gradient_cosines,
    gradient_flow,
    gradients_through_time,
    noise_of_examples,
    task_gradients,
    watch_layers,
)
from zoo.probes.time_flow import through_time
from zoo.training.shares_check import refuse_untrue_shares
from zoo.training.step import Step, loss_at


class Net(nn.Module):
    """Table, LSTM with dropout inside, in-place activation, dropout, norms with buffers; one part frozen."""

    def __init__(self, batch_norm: bool):
        super().__init__()
        self.table, self.rnn = nn.Embedding(9, 4), nn.LSTM(4, 6, 2, batch_first=True, dropout=0.2)
        self.norm = nn.BatchNorm1d(6) if batch_norm else nn.InstanceNorm1d(6, affine=True)
        self.head = nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(5, 3))
        self.head[0].bias.requires_grad_(False)

    def forward(self, tokens):
        return self.head(self.norm(self.rnn(self.table(tokens))[0].mT).mean(2))


TOKENS, LABELS = torch.arange(40).reshape(8, 5) % 9, torch.arange(8) % 3


def losses_of(net) -> torch.Tensor:
    return functional.cross_entropy(net(TOKENS), LABELS, reduction="none")


def terms_of(net, batch=None) -> dict[str, torch.Tensor]:
    tokens, labels = batch or (TOKENS, LABELS)
    out = net(tokens)
    return {"fit": functional.cross_entropy(out, labels), "size": out.square().mean()}


def step_of(net) -> Step:
    batches, states = [(TOKENS, LABELS)], [[torch.get_rng_state()]]
    params = {name: p.detach() for name, p in net.named_parameters()}
    return Step(0, {}, params, loss_at(net, terms_of, batches, states), net)


def with_layers_watched(net) -> None:
    with watch_layers(net, LayerReadings()):
        sum(terms_of(net).values())


def with_local_gradients(net) -> None:
    local = LocalGradients(dict(net.named_parameters()))
    torch.autograd.grad(sum(terms_of(net).values()), [p for p in net.parameters() if p.requires_grad])
    local.remove()


RUNS_IT = {
    "flow": lambda net: gradient_flow(net, lambda: losses_of(net).mean()),
    "through time": lambda net: gradients_through_time(net, lambda: losses_of(net).mean()),
    "through time, as a probe": lambda net: through_time(step_of(net)),
    "task gradients": lambda net: task_gradients(net, lambda: terms_of(net)),
    "cosines": lambda net: gradient_cosines(net, lambda: terms_of(net)),
}
BY_EXAMPLE = {  # refused with batch norm in training mode
    "example norms": lambda net: example_gradient_norms(net, lambda: losses_of(net)),
    "example noise": lambda net: noise_of_examples(*example_gradient_norms(net, lambda: losses_of(net))),
    "shares": lambda net: refuse_untrue_shares(net, terms_of, (TOKENS, LABELS), len(TOKENS)),
}
WATCH_ONLY = {"layers": with_layers_watched, "local gradients": with_local_gradients}  # the forward is the caller's own


def state_of(net) -> dict[str, object]:
    """Everything that a reading could have touched."""
    state = {f"value {n}": t.detach().clone() for n, t in net.state_dict().items()}
    state |= {f"gradient {n}": p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    state |= {f"tensor {n}": id(p) for n, p in net.named_parameters()}
    state |= {f"wants gradient {n}": p.requires_grad for n, p in net.named_parameters()}
    state |= {f"hooks of {n}": len(p._backward_hooks or ()) for n, p in net.named_parameters()}
    for name, module in net.named_modules():
        kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        state[f"module {name}"] = (module.training, *(len(getattr(module, kind)) for kind in kinds))
    state |= {"grad mode": torch.is_grad_enabled(), "threads": torch.get_num_threads()}
    return state


def random_of() -> tuple:
    return torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()


def made(batch_norm: bool, training: bool) -> nn.Module:
    net = Net(batch_norm).train(training)
    net.head[2].eval()  # modes may differ within a net
    losses_of(net).mean().backward()
    return net


def assert_same(before: dict, after: dict) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = torch.equal(value, after[name]) if isinstance(value, torch.Tensor) else value == after[name]
        assert same, name


@pytest.mark.parametrize("training", [True, False], ids=["training", "eval"])
@pytest.mark.parametrize("probe", {**RUNS_IT, **BY_EXAMPLE})
def test_state_and_random_numbers_are_as_before(probe, training):
    net = made(batch_norm=probe in RUNS_IT, training=training)
    before, drawn = state_of(net), random_of()
    ({**RUNS_IT, **BY_EXAMPLE})[probe](net)
    assert_same(before, state_of(net))
    after = random_of()
    assert torch.equal(drawn[0], after[0]) and drawn[1:] == after[1:]


@pytest.mark.parametrize("probe", WATCH_ONLY)
def test_watching_leaves_no_hook_and_no_gradient(probe):
    net = made(batch_norm=True, training=False)
    before = state_of(net)
    WATCH_ONLY[probe](net)
    assert_same(before, state_of(net))


@pytest.mark.parametrize("probe", {**RUNS_IT, **BY_EXAMPLE})
def test_an_error_leaves_nothing_behind(probe, monkeypatch):
    net = made(batch_norm=probe in RUNS_IT, training=True)
    before, drawn = state_of(net), random_of()

    def fails(*_):
        raise ArithmeticError

    with monkeypatch.context() as patched:
        patched.setattr(net.head[3], "forward", fails)
        with pytest.raises(ArithmeticError):
            ({**RUNS_IT, **BY_EXAMPLE})[probe](net)
    assert_same(before, state_of(net))
    assert torch.equal(drawn[0], torch.get_rng_state())
