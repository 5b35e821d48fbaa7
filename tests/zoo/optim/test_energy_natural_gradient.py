"""Energy natural gradient descent: the direction, the grid of steps, a boundary-value problem."""

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.optim import EnergyNaturalGradient
from zoo.optim.energy_natural_gradient import natural_direction


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("shape", "rank"), [((30, 8), 8), ((6, 20), 6), ((30, 8), 3), ((9, 20), 4)])
def test_the_direction_is_the_pseudo_inverse(shape, rank):
    jacobian = randn(shape[0], rank, seed=1) @ randn(rank, shape[1], seed=2)
    residuals = randn(shape[0], seed=3)
    direction, found = natural_direction(jacobian, residuals, cutoff=1e-10)
    assert found == rank
    torch.testing.assert_close(direction, -torch.linalg.pinv(jacobian, rtol=1e-6) @ residuals)


@pytest.mark.parametrize("shape", [(30, 8), (6, 20)])
def test_damping_is_tikhonovs(shape):
    jacobian, residuals = randn(*shape, seed=1), randn(shape[0], seed=3)
    gram = jacobian.t() @ jacobian
    damped = gram + 0.1 * torch.linalg.eigvalsh(gram)[-1] * torch.eye(shape[1], dtype=torch.float64)
    direction, _ = natural_direction(jacobian, residuals, damping=0.1)
    torch.testing.assert_close(direction, -torch.linalg.solve(damped, jacobian.t() @ residuals))


def test_least_squares_take_one_whole_step():
    a, b = randn(12, 4), randn(12, seed=5)
    w = nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = EnergyNaturalGradient([w])
    first = optimizer.step(lambda: (a @ w.detach() - b, a))
    assert float(first) == pytest.approx(float(b @ b))
    torch.testing.assert_close(w.detach(), torch.linalg.lstsq(a, b[:, None]).solution[:, 0])
    assert optimizer.readings == {"step_length": 1.0, "rank": 4.0}


def test_the_step_is_the_best_of_the_grid():
    """r = atan(w) at w = 3: Newton's whole step overshoots to -9.5, half of it to -3.2, a quarter to -0.1."""
    w = nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimizer = EnergyNaturalGradient([w])
    optimizer.step(lambda: (w.detach().atan(), (1 / (1 + w.detach() ** 2))[:, None]))
    assert optimizer.readings["step_length"] == 0.25
    assert float(w.detach()) == pytest.approx(3 - 0.25 * float(torch.tensor(3.0).double().atan()) * 10)


def test_no_lower_point_no_step():
    w = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    values = iter([1.0, *[2.0] * 31])
    optimizer = EnergyNaturalGradient([w])
    optimizer.step(lambda: (torch.tensor([next(values)], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)))
    assert float(w.detach()) == 1.0 and optimizer.readings["step_length"] == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [({"damping": -1.0}, "damping >= 0"), ({"cutoff": 1.0}, "0 < cutoff < 1"), ({"grid": 0}, "grid >= 1")],
)
def test_common_mistakes(options, says):
    with pytest.raises(InputError, match=says):
        EnergyNaturalGradient([nn.Parameter(torch.ones(2))], **options)
