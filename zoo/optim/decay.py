"""Parameter groups: weight decay falls on weights, not on norms and biases."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.parametrize import ParametrizationList
from torch.optim import Optimizer

from zoo.errors import InputError

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def undecayed_names(net: nn.Module) -> set[str]:
    """Names of parameters that weight decay should leave alone: of norm layers, vectors, scalars, biases, and the
    magnitudes of weight normalisation.

    >>> sorted(undecayed_names(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))))
    ['0.bias', '1.bias', '1.weight']
    """
    of_norms = {
        id(parameter)
        for module in net.modules()
        if isinstance(module, NORMS) or getattr(module, "is_norm", False)
        for parameter in module.parameters(recurse=False)
    }
    of_norms |= {
        id(module.original0)
        for module in net.modules()
        if isinstance(module, ParametrizationList) and isinstance(module[0], _WeightNorm)
    }
    return {
        name
        for name, parameter in net.named_parameters()
        if id(parameter) in of_norms or parameter.dim() <= 1 or "bias" in name.rpartition(".")[2]
    }


def parameter_groups(net: nn.Module) -> list[dict[str, Any]]:
    """Trained parameters in two groups; the second has weight_decay 0. Shared ones are listed once."""
    exempt = undecayed_names(net)
    trained = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for name, parameter in trained if name not in exempt]},
        {"params": [parameter for name, parameter in trained if name in exempt], "weight_decay": 0.0},
    ]


def optimizer_for(
    net: nn.Module, optimizer: Callable[[Iterable], Optimizer], decay_norms_and_biases: bool = False
) -> Optimizer:
    """The optimiser over the trained parameters of `net`, without decay on norms and biases unless asked.

    Args:
        net: every parameter that requires a gradient is trained.
        optimizer: makes an optimiser of parameters or of parameter groups.
        decay_norms_and_biases: one group for all.

    Raises:
        InputError: nothing to train, or the optimiser refuses these parameters.
    """
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if not trained:
        raise InputError("net: expected a parameter that requires a gradient, got none; unfreeze a layer")
    try:
        plain = optimizer(trained)
        if decay_norms_and_biases or not plain.defaults.get("weight_decay"):
            return plain
        return optimizer([group for group in parameter_groups(net) if group["params"]])
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"optimizer: {str(error).splitlines()[0]}; choose another optimizer or net") from error
