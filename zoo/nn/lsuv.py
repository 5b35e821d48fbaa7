"""Layer-sequential unit-variance initialisation, from data. Mishkin and Matas (2016)."""

import torch
from torch import Tensor, nn

from zoo.errors import InputError

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@torch.no_grad()
def lsuv_(net: nn.Module, inputs: Tensor, tolerance: float = 0.02, rounds: int = 10) -> nn.Module:
    """Orthonormal weights, then layer by layer w <- w / std(output on `inputs`) until the variance is 1.

    Args:
        net: changed in place; layers are taken in the order in which a forward reaches them.
        inputs: one batch.
        tolerance: of the variance.
        rounds: rescalings a layer at most; a linear layer needs one, one behind a batch norm none.

    Raises:
        InputError: a layer gives the same output everywhere, so that it has no variance to scale.
    """
    order = _forward_order(net, inputs)
    for layer in order:
        nn.init.orthogonal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for layer in order:
        for _ in range(rounds):
            deviation = _output_deviation(net, layer, inputs)
            if not deviation > 0:
                raise InputError(f"lsuv_: expected outputs that vary at {layer}, got a constant; use a larger batch")
            if abs(deviation**2 - 1) <= tolerance:
                break
            layer.weight.div_(deviation)
    return net


def _forward_order(net: nn.Module, inputs: Tensor) -> list[nn.Module]:
    order: list[nn.Module] = []
    layers = [layer for layer in net.modules() if isinstance(layer, WEIGHTED)]
    handles = [
        layer.register_forward_hook(lambda m, *_: order.append(m) if m not in order else None) for layer in layers
    ]
    _forward(net, inputs, handles)
    return order


def _output_deviation(net: nn.Module, layer: nn.Module, inputs: Tensor) -> float:
    deviations: list[float] = []
    handle = layer.register_forward_hook(lambda _m, _i, output: deviations.append(float(output.std())))
    _forward(net, inputs, [handle])
    return deviations[0]


def _forward(net: nn.Module, inputs: Tensor, handles: list) -> None:
    # Train mode, so that norms use the batch; the running statistics are put back.
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
    training = net.training
    try:
        net.train()
        net(inputs)
    finally:
        net.train(training)
        for handle in handles:
            handle.remove()
        for name, buffer in net.named_buffers():
            buffer.copy_(buffers[name])
