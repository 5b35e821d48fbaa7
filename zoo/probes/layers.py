"""Activations and deltas of every layer, read while a forward and its backward pass.

Legend: z = output of a layer with weights (before the activation function), a = output of any layer.
||a||, ||dL/da||, ||dL/dz|| are l2 norms over the whole batch; dL/dz are the deltas of the backpropagation equations.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules import activation as torch_activations
from torch.nn.modules.batchnorm import _NormBase

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)

# Outputs that stay between two bounds: near a bound the derivative vanishes ("saturated").
BOUNDS = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
    nn.ReLU6: (0.0, 6.0),
}
NEAR = 0.025  # share of the range from a bound that counts as saturated: |tanh| > 0.95
# What is left of the largest derivative, by the output: 1 in the middle, 0 at the bounds.
DERIVATIVES = {
    nn.Sigmoid: lambda a: 4 * a * (1 - a),
    nn.Tanh: lambda a: 1 - a.square(),
    nn.Softsign: lambda a: (1 - a.abs()).square(),
    nn.Hardtanh: lambda a: (a.abs() < 1).float(),
    nn.Hardsigmoid: lambda a: ((a > 0) & (a < 1)).float(),
}
SILENT = 64  # examples in a row: a unit that is active for one in ten is silent that long once in 850 times


class Silence:
    """Examples for which each unit of a layer has given nothing but zero, in a row, over the steps that were read.

    One batch cannot tell a dead unit from a rare one: a unit that is active for a share p of the examples is silent
    for N of them with probability (1 - p)^N.
    """

    def __init__(self):
        self.examples: dict[str, Tensor] = {}

    def share(self, layer: str, output: Tensor, axis: int) -> Tensor:
        """Share of the units along `axis` that have been silent for at least `SILENT` examples, this batch included."""
        units = output.shape[axis]
        alive = (output != 0).movedim(axis, 0).reshape(units, -1).any(1)
        before = self.examples.get(layer)
        if before is None or len(before) != units:
            before = torch.zeros(units, dtype=torch.int64, device=output.device)
        self.examples[layer] = torch.where(alive, 0, before + len(output))
        return (self.examples[layer] >= SILENT).float()


class LayerReadings:
    """Sums over the micro-batches of one step, on the device; no number leaves it before `values`.

    Squares add over micro-batches and ranks, because each of them sees its own examples of the one mean loss.

    Args:
        silence: what is known of silent units from earlier steps; changed by what is read.
    """

    def __init__(self, silence: Silence | None = None):
        self.squares: dict[tuple[str, str], Tensor] = {}
        self.fractions: dict[tuple[str, str], list[Tensor]] = {}
        self.silence = silence if silence is not None else Silence()
        self.paused = False

    def add_square(self, layer: str, quantity: str, tensor: Tensor) -> None:
        """Add ||tensor||^2, in float32 at least, to the quantity of that layer."""
        precision = torch.promote_types(tensor.dtype, torch.float32)
        square = torch.linalg.vector_norm(tensor.detach(), dtype=precision).square()
        key = (layer, quantity)
        self.squares[key] = self.squares[key] + square if key in self.squares else square

    def add_fraction(self, layer: str, quantity: str, hits: Tensor) -> None:
        """Add the share of true entries to the mean over micro-batches."""
        self.add_mean(layer, quantity, hits.float())

    def add_mean(self, layer: str, quantity: str, values: Tensor) -> None:
        """Add the mean of the values to the mean over micro-batches."""
        self.fractions.setdefault((layer, quantity), []).append(values.mean())

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
    handles, axis_of = [], {"units": -1}  # the axis of a 3-D output's units: behind a convolution it is 1
    try:
        for name, layer in net.named_modules():
            if is_layer(name, layer):
                handles.append(layer.register_forward_hook(_reader(name, layer, readings, axis_of)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _reader(name: str, layer: nn.Module, readings: LayerReadings, axis_of: dict[str, int]):
    weighted = is_weighted(layer)
    activation = is_activation(layer)
    gradient = "preactivation_gradient_norm" if weighted else "activation_gradient_norm" if activation else None

    def read(_layer: nn.Module, inputs: tuple, output: Tensor | tuple) -> None:
        output = output[0] if isinstance(layer, nn.RNNBase) else output  # (outputs, last states)
        if readings.paused or not isinstance(output, Tensor) or not output.is_floating_point():
            return
        value = output.detach()
        readings.add_square(name, "activation_norm", value)
        if weighted:
            axis_of["units"] = 1 if isinstance(layer, CONVOLUTIONS) else -1
            _read_scales(name, inputs, value, readings)
        if activation:
            _read_activation(name, layer, value, readings, axis_of["units"])
        if isinstance(layer, _NormBase) and layer.training:
            readings.add_mean(name, "norm_examples", torch.tensor(float(len(value)), device=value.device))
        if gradient and output.requires_grad:
            output.register_hook(lambda g: None if readings.paused else readings.add_square(name, gradient, g))

    return read


def is_weighted(layer: nn.Module) -> bool:
    """Whether the layer has a weight matrix, kernel or table, so that its output is a z.

    >>> is_weighted(nn.Conv1d(1, 1, 1)), is_weighted(nn.LayerNorm(1))
    (True, False)
    """
    return any(parameter.dim() >= 2 for parameter in layer.parameters())


def _read_scales(name: str, inputs: tuple, output: Tensor, readings: LayerReadings) -> None:
    """Root mean squares of what goes in and what comes out, whose ratio is the layer's gain."""
    readings.add_mean(name, "output_mean_square", output.float().square())
    if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
        readings.add_mean(name, "input_mean_square", inputs[0].detach().float().square())


def _read_activation(name: str, layer: nn.Module, value: Tensor, readings: LayerReadings, axis: int) -> None:
    readings.add_fraction(name, "zero_fraction", value == 0)
    if value.dim() > 1:
        readings.add_mean(name, "silent_fraction", readings.silence.share(name, value, 1 if value.dim() > 3 else axis))
    if bounds := _bounds(layer):
        low, high = bounds
        margin = NEAR * (high - low)
        readings.add_fraction(name, "saturated_fraction", (value < low + margin) | (value > high - margin))
    if type(layer) in DERIVATIVES:
        readings.add_mean(name, "derivative_fraction", DERIVATIVES[type(layer)](value.float()))


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
