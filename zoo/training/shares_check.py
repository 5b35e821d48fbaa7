"""One look, before per-example readings are believed: is a share found by hooks the gradient of that example alone?"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from zoo.probes.apart import refuse_other_norms
from zoo.probes.example_shares import ExampleShares, watch_examples
from zoo.training.evaluation import evaluating
from zoo.training.random_state import torch_state_kept
from zoo.training.step import LossTerms

FEW = 3


def refuse_untrue_shares(net: nn.Module, loss: LossTerms, batch: Any, examples: int) -> None:
    """Raise InputError unless the last of a few examples has the same gradient in their batch as alone.

    In eval mode, so that dropout draws nothing. They differ where a layer mixes examples or these do not lie along the
    first dimension, where the loss is no mean of theirs, and with penalties on weights, which belong to no example.

    Args:
        net: the module that is trained.
        loss: (net, batch) -> terms.
        batch: tensors with the examples along the first dimension, in tuples, lists or dicts.
        examples: how many it holds; with one there is nothing to compare.
    """
    few = min(FEW, examples)
    if few < 2:
        return
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}

    def gradient(part: Any) -> dict[str, Tensor | None]:
        value = sum(loss(net, part).values())
        found = torch.autograd.grad(value, list(trained.values()), allow_unused=True)
        return {n: g for n, g in zip(trained, found, strict=True) if g is not None}

    with torch_state_kept(), evaluating(net), torch.enable_grad():
        shares = ExampleShares(net)
        shares.begin(few)
        with watch_examples(net, shares):
            used = set(gradient(_part(batch, examples, 0, few)))
        alone = gradient(_part(batch, examples, few - 1, few))
    norms = {name: few * square[-1].sqrt() for name, square in shares.close(used).items() if name in alone}
    refuse_other_norms(norms, alone)


def _part(batch: Any, examples: int, start: int, stop: int) -> Any:
    def cut(one: Any) -> Any:
        return one[start:stop] if isinstance(one, Tensor) and one.dim() and len(one) == examples else one

    return tree_map(cut, batch)
