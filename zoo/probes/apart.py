"""Examples that are not apart and parameters that are not whole have no per-example gradients: that is said."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.errors import InputError

SHARDS = ("DTensor", "FlatParameter")


def refuse_other_lengths(name: str, inputs: Tensor, examples: int) -> None:
    """Raise InputError unless the examples lie along the first dimension of what a layer gets."""
    if len(inputs) != examples:
        raise InputError(
            f"per-example gradients: expected {examples} examples along the first dimension of what {name or 'net'} "
            f"gets, got {list(inputs.shape)}; keep the batch's dimension first"
        )


def refuse_other_norms(norms: dict[str, Tensor], gradients: dict[str, Tensor]) -> None:
    """Raise InputError where an example's norm is not that of its own gradient: then the examples are not apart."""
    own = {name: torch.linalg.vector_norm(g.to_dense() if g.is_sparse else g).item() for name, g in gradients.items()}
    whole = sum(norm**2 for norm in own.values()) ** 0.5
    for name, norm in norms.items():
        precision = 1e-2 if gradients[name].dtype in (torch.float16, torch.bfloat16) else 1e-3
        if not abs(norm.item() - own[name]) <= precision * own[name] + 1e-5 * whole:
            raise InputError(
                f"per-example gradients: expected {own[name]:.4g}, the norm of one example's own gradient of {name}, "
                f"got {norm.item():.4g}; a layer mixes the examples, or they do not lie along the first dimension"
            )


def refuse_mixing(net: nn.Module) -> None:
    """Raise InputError where a norm takes its statistics from the batch: an example has no gradient of its own then."""
    for name, layer in net.named_modules():
        if isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None):
            raise InputError(
                "per-example gradients: expected layers that treat examples apart, got "
                f"{type(layer).__name__} with statistics of the batch ({name or 'net'}); take the net in eval mode, or "
                "GroupNorm in its place"
            )


def refuse_shards(parameters: Iterable[tuple[str, Tensor]]) -> None:
    """Raise InputError where a process holds parts of parameters only (FSDP): a norm of a part is no norm."""
    for name, parameter in parameters:
        if type(parameter).__name__ in SHARDS or hasattr(parameter, "_is_flat_param"):
            raise InputError(
                f"gradient probes: expected whole parameters in every process, got a shard of {name} (FSDP); train "
                "with strategy ddp, or on one device"
            )
