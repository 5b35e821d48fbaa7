"""dL/dz, dL/da, dL/dW and dL/db of every layer, from one forward and one backward.

Legend: z = output of a layer with weights, a = output of an activation function (docs/backpropagation.md).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from zoo.probes.layers import is_activation, is_layer, is_weighted
from zoo.probes.unchanged import unchanged


@dataclass(frozen=True)
class LayerFlow:
    """Gradients of one layer. `z` and `a` hold one tensor a call of the layer, in the order of the forward."""

    z: list[Tensor] = field(default_factory=list)
    a: list[Tensor] = field(default_factory=list)
    parameters: dict[str, Tensor] = field(default_factory=dict)  # weight, bias, ...


def gradient_flow(net: nn.Module, loss: Callable[[], Tensor]) -> dict[str, LayerFlow]:
    """Layer -> its gradients, layers in the order of the forward; nothing is written into `.grad`.

    Args:
        net: any module; of layers that are called as modules everything is seen, of parameters used elsewhere dL/dW.
        loss: runs the net and returns a number.

    >>> net = nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    >>> _ = [nn.init.zeros_(p) for p in net.parameters()]
    >>> found = gradient_flow(net, lambda: net(torch.tensor([[3.0]])).sum())
    >>> found["0"].z, found["0"].parameters["weight"], found["1"].a
    ([tensor([[1.]])], tensor([[3.]]), [tensor([[1.]])])
    """
    calls: list[tuple[str, bool, list[Tensor]]] = []
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    with unchanged(net), torch.enable_grad(), _outputs_kept(net, calls):
        gradients = torch.autograd.grad(loss(), list(trained.values()), allow_unused=True)
    found = {name: LayerFlow() for name, _, _ in calls}
    for name, weighted, deltas in calls:
        (found[name].z if weighted else found[name].a).extend(deltas)
    for name, gradient in zip(trained, gradients, strict=True):
        if gradient is not None:
            layer, _, own = name.rpartition(".")
            found.setdefault(layer, LayerFlow()).parameters[own] = gradient
    return found


def flow_norms(flow: dict[str, LayerFlow]) -> dict[str, dict[str, Tensor]]:
    """Quantity (z, a, weight, bias, ...) -> layer -> l2 norm over all calls: what a picture of the flow shows.

    >>> flow_norms({"0": LayerFlow(z=[torch.tensor([3.0]), torch.tensor([4.0])])})
    {'z': {'0': tensor(5.)}}
    """
    found: dict[str, dict[str, Tensor]] = {}
    for layer, one in flow.items():
        parts = {"z": one.z, "a": one.a} | {name: [gradient] for name, gradient in one.parameters.items()}
        for quantity, tensors in parts.items():
            if tensors:
                flat = torch.cat([t.to_dense().flatten() if t.is_sparse else t.flatten() for t in tensors])
                found.setdefault(quantity, {})[layer] = torch.linalg.vector_norm(flat)
    return found


@contextmanager
def _outputs_kept(net: nn.Module, calls: list[tuple[str, bool, list[Tensor]]]) -> Iterator[None]:
    # Tensor hooks, since an in-place activation overwrites z, and full backward hooks break on it (pytorch #61519).
    def reader(name: str, weighted: bool) -> Callable:
        def read(_layer: nn.Module, _inputs: tuple, output: Tensor) -> None:
            if isinstance(output, Tensor) and output.requires_grad:
                deltas: list[Tensor] = []  # filled in the backward, whose order is the reverse of the calls'
                calls.append((name, weighted, deltas))
                output.register_hook(lambda gradient: deltas.append(gradient.detach()))

        return read

    handles = []
    try:
        for name, layer in net.named_modules():
            if is_layer(name, layer) and (is_weighted(layer) or is_activation(layer)):
                handles.append(layer.register_forward_hook(reader(name, is_weighted(layer))))
        yield
    finally:
        for handle in handles:
            handle.remove()
