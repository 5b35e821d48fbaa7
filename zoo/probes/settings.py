"""Settings of parameters and their optimiser, as (layer, quantity, number) readings.

Beside a reading they say what it is to be compared with: a gradient with the optimiser's epsilon, a weight's norm with
its fans.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from zoo.optim.decay import NORMS

WEIGHTED = (nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.RNNBase, nn.MultiheadAttention)
Fact = tuple[str, str, float | Tensor]


def parameter_facts(net: nn.Module) -> Iterator[Fact]:
    """Which modules are norms, whether each parameter is trained (tables aside, which often rest), fans of weights.

    >>> [fact for fact in parameter_facts(nn.Linear(3, 2)) if fact[0] == "weight"]
    [('weight', 'trained', 1.0), ('weight', 'units', 2.0), ('weight', 'fan_in', 3.0), ('weight', 'fan_out', 2.0)]
    """
    resting, matrices = set(), set()
    for name, module in net.named_modules():
        own = {id(parameter) for parameter in module.parameters()}
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
            resting |= own
        elif isinstance(module, WEIGHTED):
            matrices |= own
        elif isinstance(module, NORMS) or getattr(module, "is_norm", False):
            yield name, "is_norm", 1.0
    for name, parameter in net.named_parameters():
        if id(parameter) not in resting:
            yield name, "trained", float(parameter.requires_grad)
        if id(parameter) in matrices and parameter.dim() >= 2:
            units, kernel = parameter.shape[0], parameter[0, 0].numel()
            yield name, "units", float(units)
            yield name, "fan_in", float(parameter[0].numel())
            yield name, "fan_out", float(units * kernel)


def optimizer_facts(optimizer: Optimizer, parameters: Sequence[Tensor], names: Sequence[str]) -> Iterator[Fact]:
    """Epsilon against the root mean square gradient, and weight decay, of each parameter, where the optimiser has them.

    epsilon_ratio = eps / rms(sqrt(v)): above 1 the step is eta g / eps, and the optimiser is SGD with that rate.
    """
    groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    for parameter, name in zip(parameters, names, strict=True):
        group = groups[id(parameter)]
        if decay := group.get("weight_decay"):
            kind = "decoupled_decay" if is_decoupled(optimizer, group) else "coupled_decay"
            yield name, kind, float(decay)
        second = second_moment(optimizer, parameter, group)
        if second is not None:
            yield name, "epsilon_ratio", float(group["eps"]) / second.sqrt()


def is_decoupled(optimizer: Optimizer, group: dict) -> bool:
    """Whether weight decay bypasses the gradient and its averages, as in AdamW."""
    return bool(group.get("decoupled_weight_decay")) or "AdamW" in type(optimizer).__name__


def second_moment(optimizer: Optimizer, parameter: Tensor, group: dict) -> Tensor | None:
    """Mean of the corrected running average of g^2 over the elements that have had a gradient; None without one."""
    state = optimizer.state.get(parameter, {})
    if "acc_delta" in state or isinstance(optimizer, SGD) or "eps" not in group:
        return None  # Adadelta's epsilon is what it starts from
    average = state.get("exp_avg_sq", state.get("square_avg"))
    if average is None:
        return None
    steps = torch.as_tensor(state.get("step", state.get("steps", 0)), dtype=torch.float32, device=average.device)
    decay = group["betas"][1] if "betas" in group else group.get("alpha", 0.0)
    touched = torch.count_nonzero(average).clamp(min=1)
    return average.sum() / touched / (1 - decay**steps)
