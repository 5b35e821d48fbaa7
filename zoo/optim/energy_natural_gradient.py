"""Energy natural gradient descent. Mueller and Zeinhofer (2023)."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.flat import parameter_vector, trained_parameters, write_vector
from zoo.optim.linearised import Linearised, linearised


class EnergyNaturalGradient(Optimizer):
    """w <- w - t G+ J'r, G = J'J the Gram matrix of the energy |r|^2, t the best of 1, 1/2, 1/4, ...

    J stacks the terms of the loss, so that G is the sum of theirs. In the space of functions the step is Newton's,
    projected onto what the net can do at first order. The pseudo-inverse leaves out what rounding has decided; it is
    taken on the smaller side, of J'J or JJ', which give the same step.

    Args:
        params: parameters, all of one dtype; float64 is needed.
        damping: added to the eigenvalues, as a share of the largest; 0 is the paper's method.
        cutoff: eigenvalues below this share of the largest count as zero; by default the rounding of the matrix.
        grid: number of steps t that are tried; 31 in the paper.

    Raises:
        InputError: an argument out of its range; `step` without residuals and Jacobian.

    >>> w = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    >>> a, b = torch.eye(2, dtype=torch.float64), torch.tensor([1.0, 2.0], dtype=torch.float64)
    >>> loss = EnergyNaturalGradient([w]).step(lambda: (a @ w.detach() - b, a))
    >>> w.detach().tolist()
    [1.0, 2.0]
    """

    wants_residuals = True

    def __init__(self, params: Iterable, damping: float = 0.0, cutoff: float | None = None, grid: int = 31):
        if not damping >= 0 or not (cutoff is None or 0 < cutoff < 1) or grid < 1:
            raise InputError(
                "EnergyNaturalGradient: expected damping >= 0, 0 < cutoff < 1 and grid >= 1, got "
                f"{damping}, {cutoff} and {grid}; mend the recipe"
            )
        super().__init__(params, {"lr": 1.0, "damping": damping, "cutoff": cutoff, "grid": grid})
        self.readings: dict[str, float] = {}

    @torch.no_grad()
    def step(self, closure: Linearised | None = None) -> Tensor:
        """One step; returns |r|^2 before it. `self.readings` then holds the step t (0 where none was lower) and the
        rank of G."""
        residuals_R, jacobian_RP = linearised(closure, self)
        cost, group = float(residuals_R @ residuals_R), self.param_groups[0]
        self.readings = {"step_length": 0.0, "rank": 0.0}
        if not math.isfinite(cost):
            return residuals_R.new_tensor(cost)
        direction_P, rank = natural_direction(jacobian_RP, residuals_R, group["damping"], group["cutoff"])
        step = self._best_step(closure, direction_P, cost)
        self.readings = {"step_length": step, "rank": float(rank)}
        return residuals_R.new_tensor(cost)

    def _best_step(self, closure: Linearised, direction_P: Tensor, cost: float) -> float:
        """Move the parameters by the best step of the grid; 0 and no move where none lowers the cost."""
        parameters = trained_parameters(self)
        before_P, best = parameter_vector(parameters), (cost, 0.0)
        for halvings in range(self.param_groups[0]["grid"]):
            step = 0.5**halvings
            write_vector(before_P + step * direction_P, parameters)
            trial_R, _ = closure()
            best = min(best, (float((trial_R @ trial_R).nan_to_num(math.inf)), step))
        write_vector(before_P + best[1] * direction_P if best[1] else before_P, parameters)
        return best[1]


def natural_direction(
    jacobian_RP: Tensor, residuals_R: Tensor, damping: float = 0.0, cutoff: float | None = None
) -> tuple[Tensor, int]:
    """(-(J'J)+ J'r [P], rank), by eigenvalues of J'J or of JJ', whichever is smaller.

    >>> natural_direction(torch.tensor([[2.0, 0.0]]), torch.tensor([4.0]))[0].tolist()
    [-2.0, -0.0]
    """
    wide = jacobian_RP.shape[0] < jacobian_RP.shape[1]
    gram = jacobian_RP @ jacobian_RP.t() if wide else jacobian_RP.t() @ jacobian_RP
    values, vectors = torch.linalg.eigh(gram)
    largest = float(values[-1].clamp(min=0))
    cutoff = len(values) * torch.finfo(gram.dtype).eps if cutoff is None else cutoff
    kept = values > cutoff * largest
    vectors, inverses = vectors[:, kept], 1 / (values[kept] + damping * largest)
    right = residuals_R if wide else jacobian_RP.t() @ residuals_R
    solved = vectors @ (inverses * (vectors.t() @ right))
    return -(jacobian_RP.t() @ solved if wide else solved), int(kept.sum())
