"""One training step of Burgers' equation against DeepXDE's: its example's net, points, loss and Adam, float32.

python tests/benchmarks/pde_step.py       (pip install deepxde)
"""

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["DDE_BACKEND"] = "pytorch"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import deepxde
import torch
from torch import nn

from tasks.pde.networks import MLP
from tests.benchmarks.results import report
from tests.benchmarks.timing import in_turn
from zoo.derivatives import JetSpace, jet_of

NU = 0.01 / math.pi
SPACE = JetSpace(("x", "t"), frozenset({"t", "xx"}))
STEPS = 20  # a measurement


def deepxdes() -> deepxde.Model:
    """examples/pinn_forward/Burgers.py of DeepXDE 1.15, compiled for Adam."""

    def pde(x, y):
        dy_x = deepxde.grad.jacobian(y, x, i=0, j=0)
        dy_t = deepxde.grad.jacobian(y, x, i=0, j=1)
        return dy_t + y * dy_x - NU * deepxde.grad.hessian(y, x, i=0, j=0)

    domain = deepxde.geometry.GeometryXTime(deepxde.geometry.Interval(-1, 1), deepxde.geometry.TimeDomain(0, 0.99))
    boundary = deepxde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on_boundary: on_boundary)
    initial = deepxde.icbc.IC(domain, lambda x: -torch.sin(torch.pi * torch.as_tensor(x[:, 0:1])), lambda _, on: on)
    data = deepxde.data.TimePDE(domain, pde, [boundary, initial], num_domain=2540, num_boundary=80, num_initial=160)
    model = deepxde.Model(data, deepxde.nn.FNN([2, 20, 20, 20, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    model.train(iterations=2, verbose=0)
    return model


def our_loss(model: deepxde.Model) -> tuple[nn.Module, Callable[[], torch.Tensor]]:
    """A net with the same weights, and the same loss at the same points: mean squares of the three terms, summed."""
    net = MLP(2, 1, [20, 20, 20])
    net.load_state_dict(dict(zip(net.state_dict(), model.net.state_dict().values(), strict=True)))
    points = torch.as_tensor(model.data.train_x)
    edge, start = model.data.num_bcs
    conditions, inside = points[: edge + start], points[edge + start :]
    expected = torch.cat([torch.zeros(edge, 1), -torch.sin(torch.pi * points[edge : edge + start, 0:1])])

    def loss() -> torch.Tensor:
        u = net(jet_of(inside, SPACE))
        residual = u["t"] + u[""] * u["x"] - NU * u["xx"]
        wrong = (net(conditions) - expected).square()
        return residual.square().mean() + wrong[:edge].mean() + wrong[edge:].mean()

    return net, loss


def steps_of(net: nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """Some steps of Adam."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def act() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

    return act


def main(repetitions: int = 9) -> None:
    """Run and report."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    deepxde.config.set_random_seed(0)
    model = deepxdes()
    state = model.train_state
    net, loss = our_loss(model)
    theirs = float(model.outputs_losses_train(state.X_train, state.y_train, state.train_aux_vars)[1].detach().sum())
    if abs(float(loss().detach()) / theirs - 1) > 1e-4:
        raise SystemExit(f"not the same loss: ours {float(loss().detach())}, DeepXDE's {theirs}")

    def deepxde_steps() -> None:
        for _ in range(STEPS):
            model.train_step(state.X_train, state.y_train, state.train_aux_vars)

    start = time.perf_counter()
    compiled = torch.compile(loss, fullgraph=True)
    compiled().backward()
    before = time.perf_counter() - start
    rivals = {"eager": steps_of(net, loss), "compiled": steps_of(net, compiled), "DeepXDE": deepxde_steps}
    ratios = {"eager": [], "compiled": []}
    for _ in range(3):
        seconds = in_turn(rivals, repetitions)
        for name, found in ratios.items():
            found.append(seconds[name] / seconds["DeepXDE"])
    note = ", ".join(f"{name} {1e3 * one / STEPS:.2f} ms" for name, one in seconds.items()) + ", float32, one thread"
    for name, found in ratios.items():
        extra = f"; compilation {before:.0f} s" if name == "compiled" else ""
        report(f"pde, one Adam step, {name}", "<= 0.6 of DeepXDE's", found, max(found) <= 0.6, "", note + extra)


if __name__ == "__main__":
    main()
