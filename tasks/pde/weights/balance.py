"""All that multiplies the terms of a loss: fixed weights, a rule's, and causal ones."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tasks.pde.weights.causal import Causal
from tasks.pde.weights.rule import Terms, Weighting
from zoo.errors import InputError
from zoo.optim.phases import Phases


class Balance(nn.Module):
    """What the squared rows of every term are multiplied by, constant within a step.

    Args:
        names: of the terms.
        fixed: name -> factor; 1 by default.
        rule: finds weights that multiply the fixed ones.
        causal: weighs the points of "equation" by time.
        bounds: letter -> (low, high) of the problem's coordinates.

    Raises:
        InputError: a factor below 0 or of no term; what a rule cannot be combined with.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        fixed: dict[str, float] | None = None,
        rule: Weighting | None = None,
        causal: Causal | None = None,
        bounds: dict[str, tuple[float, float]] | None = None,
    ):
        super().__init__()
        self.fixed, self.rule, self.causal = fixed or {}, rule, causal
        if other := set(self.fixed) - set(names):
            raise InputError(
                f"model.weights: expected terms among {', '.join(names)}, got {min(other)}; mend the recipe"
            )
        if negative := {name: factor for name, factor in self.fixed.items() if factor < 0}:
            raise InputError(f"model.weights: expected factors of 0 or more, got {negative}; mend the recipe")
        if rule is not None and rule.gradients_only and self.fixed:
            raise InputError(
                f"model.weights: expected none with {type(rule).__name__}, which finds them itself, got "
                f"{', '.join(self.fixed)}; leave them out"
            )
        if causal is not None and "t" not in (bounds or {}):
            raise InputError("model.causal: expected a problem with the coordinate t, got one without; leave it out")
        if causal is not None:
            self.times, self.time_column = bounds["t"], list(bounds).index("t")
        if rule is not None:
            rule.begin(names)
        self._of_points: dict[str, Tensor] = {}
        self._readings: dict[str, Tensor] = {}

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look at."""
        return self.rule is None and self.causal is None

    def update(self, step: int, terms: Terms, points: dict[str, Tensor]) -> None:
        """Find the weights of a step.

        Args:
            step: number of steps taken.
            terms: without any weight.
            points: name -> [N, D], at which the terms are held.
        """
        self._of_points = {}
        if self.causal is not None:
            terms = self._in_time(terms, points["equation"][:, self.time_column])
        if self.rule is not None:
            self.rule.update(step, terms, points)
            for name in points:
                self._of_points[name] = self.rule.factor(name) * self._of_points.get(name, 1.0)

    def _in_time(self, terms: Terms, times_N: Tensor) -> Terms:
        """The terms as causality leaves them."""
        equation = terms.rows["equation"]
        with torch.no_grad():
            rows_NE = equation()
        squares_N = len(rows_NE) * rows_NE.square().sum(1)  # a row carries 1 / sqrt(N)
        epsilon = self.causal.epsilon
        weights_N1 = self.causal.weights(times_N, squares_N, *self.times)
        self._of_points["equation"] = weights_N1
        self._readings = {"causal/smallest": weights_N1.min(), "causal/epsilon": torch.tensor(epsilon)}
        return Terms({**terms.rows, "equation": lambda: equation() * weights_N1.sqrt()}, terms.parameters)

    def forget_points(self) -> None:
        """After a step: its points' own weights mean nothing at other points, where a term's weight is left."""
        self._of_points = {}

    def refuse(self, optimizer: Optimizer, drawn_anew: bool) -> None:
        """Refuse a rule whose weights are no use.

        Raises:
            InputError: conflict-free gradients for an optimiser that does not follow the gradient; a weight a point
                where points never come again.
        """
        if self.rule is None:
            return
        unfit = [type(one).__name__ for one in optimizers_of(optimizer) if not follows_gradient(one)]
        if self.rule.gradients_only and unfit:
            raise InputError(
                f"model.weighting: expected a rule that balances terms, since {unfit[0]} does not step along the "
                f"gradient, got {type(self.rule).__name__}; take it with Adam, or another rule"
            )
        if self.rule.per_point and drawn_anew:
            raise InputError(
                "model.weighting: expected points that come again for a weight each, got points drawn anew every step; "
                "set data.resample_every, without model.sampling and model.marching, or weigh each term"
            )

    def factor(self, name: str, like: Tensor) -> Tensor:
        """A scalar or [N, 1], of the dtype and on the device of `like`."""
        found = self._of_points.get(name)
        if found is None:
            found = self.rule.readings()[name] if self.rule is not None else torch.ones(())
        return (self.fixed.get(name, 1.0) * found).to(like)

    def readings(self) -> dict[str, Tensor]:
        """What the monitor notes: weight/<term>, and how far causality has come."""
        weights = self.rule.readings() if self.rule is not None else {}
        return {**{f"weight/{name}": weight for name, weight in weights.items()}, **self._readings}


def optimizers_of(optimizer: Optimizer) -> list[Optimizer]:
    """The optimiser, or one of every phase's."""
    if not isinstance(optimizer, Phases):
        return [optimizer]
    return [phase.optimizer([torch.zeros(1, requires_grad=True)]) for phase in optimizer._phases]


def follows_gradient(optimizer: Optimizer) -> bool:
    """Whether a step is made of the gradient alone, not of residuals or of losses along a line."""
    searching = isinstance(optimizer, torch.optim.LBFGS) or getattr(optimizer, "exact_gradients", False)
    return not searching and not getattr(optimizer, "wants_residuals", False)
