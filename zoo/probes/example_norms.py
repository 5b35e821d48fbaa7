"""Norms of every example's gradient, in one forward and one backward of the whole batch.

Linear, convolutional, embedding and norm layers by ghost norms, recurrent ones written out in time, all others by vmap
over the layer's own backward. Legend: B = examples of a batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.probes.apart import refuse_other_norms
from zoo.probes.example_shares import ExampleShares, watch_examples
from zoo.probes.unchanged import unchanged


def example_gradient_norms(
    net: nn.Module, losses: Callable[[], Tensor], check: bool = True
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameter -> ||d loss_n / d theta|| of every example [B]; and parameter -> the gradient of the mean loss.

    The norm of an example's whole gradient is the root of the sum of squares: `whole_norms`.

    Args:
        net: any module; of its parameters those that require a gradient are read.
        losses: runs the net on a batch and returns [B], the loss of every example, which depends on no other example.
        check: compare the last example's norms with those of its own backward, one more.

    Raises:
        InputError: examples that are not apart: batch norm in training mode, a layer that mixes the batch, examples
            that do not lie along the first dimension; a parameter that is used past the layer that owns it; shards.

    >>> net = nn.Linear(2, 1, bias=False)
    >>> norms, _ = example_gradient_norms(net, lambda: net(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))[:, 0])
    >>> norms["weight"].tolist()
    [5.0, 1.0]
    """
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    shares = ExampleShares(net)
    with unchanged(net), torch.enable_grad(), watch_examples(net, shares):
        losses_B = losses()
        if losses_B.dim() != 1:
            raise InputError(f"losses: expected one number an example, [B], got {list(losses_B.shape)}; do not average")
        shares.begin(len(losses_B))
        found = torch.autograd.grad(losses_B.mean(), list(trained.values()), allow_unused=True, retain_graph=check)
    used = {name for name, gradient in zip(trained, found, strict=True) if gradient is not None}
    squares = shares.close(used)
    norms = {name: len(losses_B) * square.sqrt() for name, square in squares.items()}
    if check:
        shares.paused = True
        own = torch.autograd.grad(losses_B[-1], list(trained.values()), allow_unused=True, materialize_grads=True)
        refuse_other_norms({n: norm[-1] for n, norm in norms.items()}, dict(zip(trained, own, strict=True)))
    return norms, {n: g for n, g in zip(trained, found, strict=True) if g is not None}


def whole_norms(norms: dict[str, Tensor]) -> Tensor:
    """[B], the norm of every example's gradient to all parameters together.

    >>> whole_norms({"a": torch.tensor([3.0]), "b": torch.tensor([4.0])}).tolist()
    [5.0]
    """
    return torch.linalg.vector_norm(torch.stack(list(norms.values())), dim=0)
