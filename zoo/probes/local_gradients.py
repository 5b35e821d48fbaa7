"""Norms of what every single backward adds to `.grad`: of a micro-batch, and of this rank before ranks are averaged."""

from collections.abc import Mapping

import torch
from torch import Tensor

from zoo.probes.apart import refuse_shards
from zoo.probes.ghost import wide


class LocalGradients:
    """Squared norms of the gradients of successive backwards, by hooks on the parameters.

    A parameter's hook sees a backward's own gradient, before it is added to `.grad` and before DistributedDataParallel
    averages it over the ranks: no extra backward, one pass over the gradient.

    Args:
        parameters: name -> parameter; those that need no gradient are left out.

    Raises:
        InputError: a process holds shards of the parameters.

    >>> weight = torch.tensor([1.0], requires_grad=True)
    >>> local = LocalGradients({"w": weight})
    >>> for scale in (3.0, 4.0): (scale * weight).sum().backward()
    >>> local.remove(); local.squares["w"].item(), weight.grad.item()
    (25.0, 7.0)
    """

    def __init__(self, parameters: Mapping[str, Tensor]):
        refuse_shards(parameters.items())
        self.paused = False
        self.squares: dict[str, Tensor] = {}
        self._handles = [
            parameter.register_hook(lambda gradient, name=name: self._read(name, gradient))
            for name, parameter in parameters.items()
            if parameter.requires_grad
        ]

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _read(self, name: str, gradient: Tensor) -> None:
        if self.paused:
            return
        found = gradient.detach()
        numbers = found.coalesce().values() if found.is_sparse else found
        norm = torch._foreach_norm([wide(numbers)])[0]  # the fastest of torch's norms on a CPU
        if name in self.squares:
            self.squares[name].addcmul_(norm, norm)
        else:
            self.squares[name] = norm.square()
