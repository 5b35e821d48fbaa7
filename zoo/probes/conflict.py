"""Do loss terms, or tasks, pull the parameters the same way? Norms of their gradients and cosines between them.

Legend: P = parameters, T = terms or tasks.
A cosine below 0 is a conflict: to first order a step down one loss goes up the other (Yu et al. 2020, PCGrad).
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from zoo.probes.unchanged import unchanged

UNUSED = {"allow_unused": True, "materialize_grads": True}  # a term need not depend on every parameter


def cosines(gradients: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[tuple[str, str], Tensor]]:
    """(name -> norm, pair of names -> cosine); NaN for a pair with a gradient that is zero.

    Args:
        gradients: name -> the gradient in one row, [P].

    >>> norms, between = cosines({"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([-1.0, 0.0])})
    >>> norms["a"].item(), between["a", "b"].item()
    (3.0, -1.0)
    """
    norms = {name: torch.linalg.vector_norm(one) for name, one in gradients.items()}
    pairs = combinations(gradients, 2)
    return norms, {(a, b): torch.dot(gradients[a], gradients[b]) / (norms[a] * norms[b]) for a, b in pairs}


def task_gradients(
    net: nn.Module, losses: Callable[[], Mapping[str, Tensor]], parameters: Iterable[Tensor] | None = None
) -> dict[str, Tensor]:
    """Name -> dL_name / d theta in one row, [P]: one forward, one backward a loss; `.grad` is left alone.

    Args:
        net: what the losses run.
        losses: computes named losses, such as the terms of one objective or the tasks of a shared net.
        parameters: that all are differentiated to, the net's by default; of several tasks take the shared ones.

    >>> net = nn.Linear(2, 1, bias=False)
    >>> task_gradients(net, lambda: {"sum": net.weight.sum(), "first": net.weight[0, 0]})
    {'sum': tensor([1., 1.]), 'first': tensor([1., 0.])}
    """
    trained = [p for p in (net.parameters() if parameters is None else parameters) if p.requires_grad]
    with unchanged(net), torch.enable_grad():
        named = {name: loss for name, loss in losses().items() if loss.requires_grad}
        found = {name: torch.autograd.grad(one, trained, retain_graph=True, **UNUSED) for name, one in named.items()}
    return {
        name: torch.cat([g.to_dense().flatten() if g.is_sparse else g.flatten() for g in gradients])
        for name, gradients in found.items()
    }


def gradient_cosines(
    net: nn.Module, losses: Callable[[], Mapping[str, Tensor]], parameters: Iterable[Tensor] | None = None
) -> dict[tuple[str, str], Tensor]:
    """Pair of losses -> cosine between their gradients; see `task_gradients`.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> gradient_cosines(net, lambda: {"up": net.weight.sum(), "down": -net.weight.sum()})["up", "down"].item()
    -1.0
    """
    return cosines(task_gradients(net, losses, parameters))[1]
