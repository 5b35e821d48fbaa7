"""Activations and deltas of every layer, read while a forward and its backward pass.

Legend: z = output of a layer with weights (before the activation function), a = output of any layer.
||a||, ||dL/da||, ||dL/dz|| are l2 norms over the whole batch; dL/dz are the deltas of the backpropagation equations.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules import activation as torch_activations

# Outputs that stay between two bounds: near a bound the derivative vanishes ("saturated").
BOUNDS = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
    nn.ReLU6: (0.0, 6.0),
}
NEAR = 0.025  # share of the range from a bound that counts as saturated: |tanh| > 0.95


class LayerReadings:
    """Sums over the micro-batches of one step, on the device; no number leaves it before `values`.

    Squares add over micro-batches and ranks, because each of them sees its own examples of the one mean loss.
    """

    def __init__(self):
        self.squares: dict[tuple[str, str], Tensor] = {}
        self.fractions: dict[tuple[str, str], list[Tensor]] = {}
        self.paused = False

    def add_square(self, layer: str, quantity: str, tensor: Tensor) -> None:
        """Add ||tensor||^2, in float32 at least, to the quantity of that layer."""
        precision = torch.promote_types(tensor.dtype, torch.float32)
        square = torch.linalg.vector_norm(tensor.detach(), dtype=precision).square()
        key = (layer, quantity)
        self.squares[key] = self.squares[key] + square if key in self.squares else square

    def add_fraction(self, layer: str, quantity: str, hits: Tensor) -> None:
        """Add the share of true entries to the mean over micro-batches."""
        self.fractions.setdefault((layer, quantity), []).append(hits.float().mean())

    def values(self) -> dict[tuple[str, str], Tensor]:
        """(layer, quantity) -> scalar tensor: norms and mean fractions."""
        norms = {key: square.sqrt() for key, square in self.squares.items()}
        return norms | {key: torch.stack(parts).mean() for key, parts in self.fractions.items()}


@contextmanager
def watch_layers(net: nn.Module, readings: LayerReadings) -> Iterator[None]:
    """Read every leaf layer of `net` during the forwards inside the block and the backwards of their graphs.

    Forward hooks are gone after the block, also after an error. The gradient readers are tensor hooks, which live
    and die with the graph: full backward hooks would break on in-place activations (pytorch #61519).

    Args:
        net: any module; only layers called as modules are seen, not `torch.nn.functional` calls inside them.
        readings: where the sums go.
    """
    handles = []
    try:
        for name, layer in net.named_modules():
            if is_layer(name, layer):
                handles.append(layer.register_forward_hook(_reader(name, layer, readings)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _reader(name: str, layer: nn.Module, readings: LayerReadings):
    weighted = is_weighted(layer)
    activation = is_activation(layer)
    bounds = _bounds(layer)
    gradient = "preactivation_gradient_norm" if weighted else "activation_gradient_norm" if activation else None

    def read(_layer: nn.Module, _inputs: tuple, output: Tensor) -> None:
        if readings.paused or not isinstance(output, Tensor) or not output.is_floating_point():
            return
        readings.add_square(name, "activation_norm", output)
        if activation:
            value = output.detach()
            readings.add_fraction(name, "zero_fraction", value == 0)
            if bounds:
                low, high = bounds
                margin = NEAR * (high - low)
                readings.add_fraction(name, "saturated_fraction", (value < low + margin) | (value > high - margin))
        if gradient and output.requires_grad:
            output.register_hook(lambda g: None if readings.paused else readings.add_square(name, gradient, g))

    return read


def is_weighted(layer: nn.Module) -> bool:
    """Whether the layer has a weight matrix, kernel or table, so that its output is a z.

    >>> is_weighted(nn.Conv1d(1, 1, 1)), is_weighted(nn.LayerNorm(1))
    (True, False)
    """
    return any(parameter.dim() >= 2 for parameter in layer.parameters())


def is_activation(layer: nn.Module) -> bool:
    """Whether the layer is an activation function: torch's, or one that says so with `is_activation = True`."""
    named_so = getattr(layer, "is_activation", False)
    return named_so or (
        type(layer).__module__ == torch_activations.__name__ and type(layer) is not nn.MultiheadAttention
    )


def is_layer(name: str, layer: nn.Module) -> bool:
    """Whether the module called `name` is a leaf; a weight-normed convolution, with its parametrisations, is one."""
    inside = "parametrizations" in name.split(".")
    return bool(name) and not inside and all(child == "parametrizations" for child, _ in layer.named_children())


def _bounds(layer: nn.Module) -> tuple[float, float] | None:
    if isinstance(layer, nn.Hardtanh):  # ReLU6 is one too
        return layer.min_val, layer.max_val
    return BOUNDS.get(type(layer))
