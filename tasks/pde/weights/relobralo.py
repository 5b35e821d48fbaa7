"""Relative loss balancing with random lookback: terms that have fallen least get most weight."""

import torch
from torch import Tensor

from tasks.pde.weights.rule import Terms, Weighting, fraction
from zoo.optim.clipping import positive


def balanced(losses_T: Tensor, before_T: Tensor, temperature: float) -> Tensor:
    """T softmax_i(L_i / (temperature L_i before)), which sum to the number of terms.

    >>> balanced(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 1.0]), 0.1).tolist()
    [1.0, 1.0]
    """
    ratios_T = losses_T / (temperature * before_T.clamp(min=torch.finfo(before_T.dtype).tiny))
    return len(losses_T) * torch.softmax(ratios_T, 0)


def kept(step: int, seed: int, share: float) -> bool:
    """Whether the history of this step is the last step's weights: true with probability `share`."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**62)
    return bool(torch.rand((), generator=generator, dtype=torch.float64) < share)


class ReLoBRaLo(Weighting):
    """w <- decay h + (1 - decay) balanced(L, L one look ago), h the old w, or balanced(L, L at the start) at random.

    Bischof and Kraus (2021), eqs. 10-12. The draw is a function of seed and step.

    Args:
        every: steps from one look to the next, at the price of one evaluation of the residuals.
        decay: alpha of the paper.
        stay: the expected rho of the paper, probability of no lookback to the start.
        temperature: of the softmax; large ones weigh all terms alike.
        seed: of the draws.
    """

    def __init__(
        self, every: int = 1, decay: float = 0.999, stay: float = 0.999, temperature: float = 0.1, seed: int = 0
    ):
        super().__init__(every)
        self.decay, self.stay = fraction("ReLoBRaLo.decay", decay), fraction("ReLoBRaLo.stay", stay)
        positive("ReLoBRaLo.temperature", temperature)
        self.temperature, self.seed = temperature, seed

    def begin(self, names: tuple[str, ...]) -> None:
        """See `Weighting`; no loss is known yet."""
        super().begin(names)
        for name in ("first_T", "last_T"):
            self.register_buffer(name, torch.full((len(names),), torch.nan, dtype=torch.float64))

    def weights(self, step: int, terms: Terms) -> Tensor:
        """See `Weighting`."""
        losses_T = terms.losses()
        if self.first_T.isnan().all():
            self.first_T, self.last_T = losses_T, losses_T
            return self.weights_T
        history_T = (
            self.weights_T if kept(step, self.seed, self.stay) else balanced(losses_T, self.first_T, self.temperature)
        )
        recent_T = balanced(losses_T, self.last_T, self.temperature)
        self.last_T = losses_T
        return self.decay * history_T + (1 - self.decay) * recent_T
