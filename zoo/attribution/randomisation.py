"""A map that does not change when the weights are shuffled does not show the net. Adebayo et al. (2018)."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn


def randomisation_check(
    net: nn.Module, attribution_of: Callable[[nn.Module], Tensor], seed: int = 0
) -> dict[str, float]:
    """Layer name -> rank correlation of |map| with that of the trained net, layers shuffled from the output down.

    Layers follow one another as the net's definition lists them.

    Only positions that the trained net's map reaches count: a map that is multiplied by the input is zero on a black
    background whatever the weights are, and that likeness says nothing.

    Args:
        net: left as it is; a copy is shuffled.
        attribution_of: net -> map [N, ...].
        seed: of the shuffling.

    Returns:
        Spearman correlations, mean over the examples, from the output's layer to the input's.
        Near 0 is what an honest map shows.
    """
    trained = attribution_of(net).detach().abs().flatten(1)
    shuffled = deepcopy(net)
    generator = torch.Generator().manual_seed(seed)
    layers = [(name, layer) for name, layer in shuffled.named_modules() if _has_weights(layer)]
    correlations = {}
    for name, layer in reversed(layers):
        with torch.no_grad():
            for parameter in layer.parameters(recurse=False):
                order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
                parameter.copy_(parameter.flatten()[order].view_as(parameter))
        now = attribution_of(shuffled).detach().abs().flatten(1)
        each = [rank_correlation(a[a > 0][None], b[a > 0][None]) for a, b in zip(trained, now, strict=True) if a.any()]
        correlations[name] = float(torch.cat(each).mean()) if each else 0.0
    return correlations


def rank_correlation(a_NP: Tensor, b_NP: Tensor) -> Tensor:
    """Spearman's correlation of each row, [N]; ties share their mean rank, constant rows give 0.

    >>> rank_correlation(torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[0.0, 5.0, 6.0]])).tolist()
    [1.0]
    """
    a, b = (one - one.mean(1, keepdim=True) for one in (_ranks(a_NP), _ranks(b_NP)))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=1e-12)


def _ranks(values_NP: Tensor) -> Tensor:
    # Maps have many equal values (the zeros behind a ReLU): ranks by position would make them look alike.
    values_NP = values_NP.contiguous()
    ordered_NP = values_NP.sort(1).values
    below, up_to = (torch.searchsorted(ordered_NP, values_NP, right=right) for right in (False, True))
    return (below + up_to).double() / 2


def _has_weights(layer: nn.Module) -> bool:
    return any(parameter.dim() >= 2 for parameter in layer.parameters(recurse=False))
