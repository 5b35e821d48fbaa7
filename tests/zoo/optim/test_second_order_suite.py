"""What every second-order optimiser keeps to, whatever its method: one list, one suite."""

import copy
import io
from itertools import pairwise

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.optim import (
    BFGS,
    SSBFGS,
    EnergyNaturalGradient,
    LevenbergMarquardt,
    MatrixFreeLevenbergMarquardt,
    Phase,
    Phases,
    SSBroyden,
)
from zoo.optim.quasi_newton import QuasiNewton


class Dense:
    """A matrix with what `wants_products` asks of an operator."""

    def __init__(self, matrix_RP):
        self.matrix_RP, self.shape = matrix_RP, matrix_RP.shape

    def t(self):
        return self.matrix_RP.t()

    def __matmul__(self, vector):
        return self.matrix_RP @ vector

    def column_squares(self):
        return self.matrix_RP.square().sum(0)

    def column_blocks(self):
        yield slice(0, self.shape[1]), self.matrix_RP

    def row_sums(self, sums, generator):
        signs = 2.0 * torch.randint(2, (self.shape[0], 1), generator=generator).to(self.matrix_RP) - 1
        return torch.stack([part.sum(0) for part in (self.matrix_RP * signs).tensor_split(sums)])


def matrix_free(space, **options):
    return lambda p: MatrixFreeLevenbergMarquardt(p, space, tolerance=1e-8, **options)


OPTIMISERS = {
    "BFGS": lambda p: BFGS(p, iterations=3),
    "SSBFGS": lambda p: SSBFGS(p, iterations=3),
    "SSBroyden": lambda p: SSBroyden(p, iterations=3),
    "LevenbergMarquardt": LevenbergMarquardt,
    "MatrixFree, parameters": matrix_free("parameters"),
    "MatrixFree, sketched": matrix_free("parameters", preconditioner="sketch", rank=5),
    "MatrixFree, residuals": matrix_free("residuals"),
    "EnergyNaturalGradient": EnergyNaturalGradient,
    "Phases": lambda p: Phases(
        p, [Phase(lambda q: BFGS(q, iterations=2), 3), Phase(lambda q: SSBroyden(q, iterations=2))]
    ),
}
every = pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS)


def valley_residuals(w):
    """Rosenbrock's valley; from four dimensions on it has a second minimum."""
    return torch.cat([1 - w[:-1], 10 * (w[1:] - w[:-1] ** 2)])


class Problem:
    """Parameters in two tensors of one optimiser, and whichever closure it asks for."""

    def __init__(self, make, start=(-1.2, 1.0, -0.5), residuals=valley_residuals):
        start = torch.tensor(start, dtype=torch.float64)
        self.parts = [nn.Parameter(start[:1].clone()), nn.Parameter(start[1:].clone())]
        self.optimizer, self.residuals = make(self.parts), residuals

    @property
    def w(self):
        return torch.cat(list(self.parts))

    def closure(self):
        if getattr(self.optimizer, "wants_residuals", False):
            w = self.w.detach()
            if not torch.is_grad_enabled():
                return self.residuals(w), None
            jacobian = torch.func.jacrev(self.residuals)(w)
            return self.residuals(w), Dense(jacobian) if getattr(self.optimizer, "wants_products", False) else jacobian
        self.optimizer.zero_grad()
        loss = self.residuals(self.w).square().sum()
        loss.backward()
        return loss

    def steps(self, count):
        return [float(self.optimizer.step(self.closure)) for _ in range(count)]


@every
def test_the_valley_is_walked_to_its_end_and_never_up(make):
    problem = Problem(make)
    costs = problem.steps(60)
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(costs))
    assert (problem.w.detach() - 1).abs().max() < 1e-7


@every
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_it_goes_on_to_the_bit(make, stop):
    """State through a file, as a checkpoint takes it."""
    whole, half = Problem(make), Problem(make)
    whole.steps(8)
    half.steps(stop)
    file = io.BytesIO()
    torch.save(half.optimizer.state_dict(), file)
    resumed = Problem(make, half.w.tolist())
    resumed.optimizer.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    resumed.steps(8 - stop)
    assert whole.w.equal(resumed.w)
    if stop < 5:  # without the state it is another run: the test above tests something
        forgetful = Problem(make, half.w.tolist())
        forgetful.steps(8 - stop)
        assert not whole.w.equal(forgetful.w) or make is EnergyNaturalGradient


@every
def test_a_loss_that_is_not_finite_leaves_the_parameters(make):
    problem = Problem(make)
    problem.steps(2)
    before, state = problem.w.detach().clone(), copy.deepcopy(problem.optimizer.state_dict()["state"])
    problem.residuals = lambda w: valley_residuals(w) * torch.nan
    problem.optimizer.step(problem.closure)
    assert problem.w.equal(before)
    if isinstance(problem.optimizer, QuasiNewton):
        assert problem.optimizer.state_dict()["state"][0]["inverse_PP"].equal(state[0]["inverse_PP"])
    problem.residuals = valley_residuals
    problem.steps(70)
    assert (problem.w.detach() - 1).abs().max() < 1e-7


@every
def test_a_loss_that_is_finite_here_and_nowhere_near_is_no_trap(make):
    """The square root ends at 0: trials beyond it are not numbers, and are walked back from."""
    problem = Problem(make, (0.05, 0.02, 0.3), lambda w: torch.cat([w.sqrt() - 0.1, w - 0.01]))
    problem.steps(40)
    assert (problem.w.detach() - 0.01).abs().max() < 1e-6


@every
def test_without_a_closure_it_says_so_in_one_line(make):
    with pytest.raises(InputError, match="expected a closure") as error:
        Problem(make).optimizer.step()
    assert "\n" not in str(error.value)


@every
def test_readings_are_numbers_and_parameters_keep_their_memory(make):
    problem = Problem(make)
    places = [part.data_ptr() for part in problem.parts]
    problem.steps(2)
    assert problem.optimizer.readings and all(type(v) is float for v in problem.optimizer.readings.values())
    if make is not LevenbergMarquardt:
        assert places == [part.data_ptr() for part in problem.parts]


@pytest.mark.parametrize("jacobian", [None, torch.ones(2, 3)], ids=["none", "wrong shape"])
@pytest.mark.parametrize("name", ["LevenbergMarquardt", "MatrixFree, parameters", "EnergyNaturalGradient"])
def test_a_jacobian_of_another_shape_is_named(name, jacobian):
    with pytest.raises(InputError, match="expected a Jacobian"):
        OPTIMISERS[name]([nn.Parameter(torch.ones(2))]).step(lambda: (torch.ones(2), jacobian))
