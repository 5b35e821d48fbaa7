"""Does a map mean anything? Deletion and insertion of inputs in its order, against random orders.

Legend: N = examples, P = positions (an input's dimensions behind the channels, flattened), S = stages of a curve.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.attribution.gradients import Score, checked_score, reading
from zoo.attribution.integrated_gradients import baseline_like
from zoo.errors import InputError


@dataclass(frozen=True)
class Faithfulness:
    """Areas under the deletion and insertion curves of a map, [N], and of R random orders, [R, N].

    A faithful map deletes faster (smaller area) and inserts faster (larger area) than chance.
    """

    deletion_N: Tensor
    insertion_N: Tensor
    random_deletion_RN: Tensor
    random_insertion_RN: Tensor

    def better_than_random(self) -> dict[str, float]:
        """Share of random orders that the map beats, over all examples: 0.5 is chance, a tie is half a win."""
        return {
            "deletion": _wins(self.random_deletion_RN - self.deletion_N),
            "insertion": _wins(self.insertion_N - self.random_insertion_RN),
        }


def importance(attribution: Tensor) -> Tensor:
    """[N, P]: a map summed over its channels (dimension 1), as an order of positions."""
    if attribution.dim() < 2:
        raise InputError(f"attribution: expected [N, ...], got {list(attribution.shape)}; keep the batch dimension")
    return attribution.flatten(2).sum(1) if attribution.dim() > 2 else attribution


@reading
def deletion_curve(
    score: Score, inputs: Tensor, attribution: Tensor, baseline: Tensor | float = 0.0, stages: int = 16
) -> Tensor:
    """[S + 1, N]: score as the most important positions go to the baseline, 0/S of them first, all last."""
    return _curve(score, inputs, _ranked(attribution, inputs), baseline, stages, insert=False)


@reading
def insertion_curve(
    score: Score, inputs: Tensor, attribution: Tensor, baseline: Tensor | float = 0.0, stages: int = 16
) -> Tensor:
    """[S + 1, N]: score as the most important positions appear on the baseline. Petsiuk et al. (2018)."""
    return _curve(score, inputs, _ranked(attribution, inputs), baseline, stages, insert=True)


def curve_area(curve_SN: Tensor) -> Tensor:
    """Area under a curve over the share of positions 0..1, by trapezoids, [N]."""
    return torch.trapezoid(curve_SN, dx=1 / (len(curve_SN) - 1), dim=0)


@reading
def against_random(
    score: Score,
    inputs: Tensor,
    attributions: dict[str, Tensor],
    baseline: Tensor | float = 0.0,
    stages: int = 16,
    orders: int = 20,
    seed: int = 0,
    counted: Tensor | None = None,
) -> dict[str, Faithfulness]:
    """Deletion and insertion areas of several maps beside those of the same `orders` random orders of positions.

    Args:
        score: inputs [N, ...] -> [N].
        inputs: [N, ...].
        attributions: name -> map shaped like inputs.
        baseline: what a deleted position becomes.
        stages: points of a curve beyond the first.
        orders: how many random orders.
        seed: of the random orders.
        counted: bool [N, P], which positions an example has (a short sentence in a batch of longer ones); all others
            stay as they are. None: all.

    Raises:
        InputError: no stages or orders, a map of another shape than the inputs, or positions that do not fit them.
    """
    if orders < 1:
        raise InputError(f"faithfulness.orders: expected 1 or more, got {orders}; 20 is usual")
    generator = torch.Generator().manual_seed(seed)
    shape = importance(inputs).shape
    if counted is not None and counted.shape != shape:
        raise InputError(f"faithfulness.counted: expected {list(shape)}, got {list(counted.shape)}; mend it")
    chance = [
        _areas(score, inputs, torch.rand(shape, generator=generator).to(inputs.device), baseline, stages, counted)
        for _ in range(orders)
    ]
    random_deletion_RN, random_insertion_RN = (torch.stack(areas) for areas in zip(*chance, strict=True))
    return {
        name: Faithfulness(
            *_areas(score, inputs, _ranked(found, inputs), baseline, stages, counted),
            random_deletion_RN,
            random_insertion_RN,
        )
        for name, found in attributions.items()
    }


def _ranked(attribution: Tensor, inputs: Tensor) -> Tensor:
    if attribution.shape != inputs.shape:
        raise InputError(
            f"attribution: expected the inputs' shape {list(inputs.shape)}, got {list(attribution.shape)}; pass its map"
        )
    return importance(attribution.detach())


def _wins(margins: Tensor) -> float:
    return float(((margins.sign() + 1) / 2).mean())


def _areas(
    score: Score, inputs: Tensor, ranks_NP: Tensor, baseline: Tensor | float, stages: int, counted: Tensor | None
) -> tuple[Tensor, Tensor]:
    deletion, insertion = (
        _curve(score, inputs, ranks_NP, baseline, stages, insert, counted) for insert in (False, True)
    )
    return curve_area(deletion), curve_area(insertion)


def _curve(
    score: Score,
    inputs: Tensor,
    ranks_NP: Tensor,
    baseline: Tensor | float,
    stages: int,
    insert: bool,
    counted: Tensor | None = None,
) -> Tensor:
    if stages < 1:
        raise InputError(f"faithfulness.stages: expected 1 or more, got {stages}; 16 is usual")
    counted_NP = torch.ones_like(ranks_NP, dtype=torch.bool) if counted is None else counted
    ranks_NP = ranks_NP.masked_fill(~counted_NP, -torch.inf)
    places_NP = ranks_NP.argsort(dim=1, descending=True, stable=True).argsort(1)  # 0 = most important
    counts_N1 = counted_NP.sum(1, keepdim=True).double()
    shape = (len(inputs), 1, *inputs.shape[2:]) if inputs.dim() > 2 else inputs.shape
    start = torch.where(counted_NP.view(shape), baseline_like(baseline, inputs), inputs)
    values = []
    with torch.no_grad():
        for stage in range(stages + 1):
            chosen = (places_NP < (counts_N1 * stage / stages).round()).view(shape)
            changed = torch.where(chosen, inputs, start) if insert else torch.where(chosen, start, inputs)
            values.append(checked_score(score, changed))
    return torch.stack(values)
