"""The logit of a class as a function of the embedded words, which is what sensitivities are derivatives of.

Legend: B = sentences, T = tokens, E = size of a token's vector.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from tasks.text.networks.embedding import PAD
from tasks.text.networks.filters import transformed
from tasks.text.winning_logits import has_winners, winning_logits
from zoo.attribution import Score

Batch = tuple[Tensor, Tensor]  # tokens_BT, labels_B
Target = Callable[[Batch], tuple[Tensor, Score]]


def class_logit(net: nn.Module, batch: Batch) -> tuple[Tensor, Score]:
    """(vectors_BTE, score): the embedded words, and the logit of each label as a function of them, in eval mode.

    What stands behind the end of a sentence is held at zero, so that noise there changes nothing. The score is for
    derivatives by the words: that of a sentence CNN has none by the weights, and no second one.
    """
    tokens_BT, labels_B = batch
    present_BT = tokens_BT != PAD
    padded = not bool(present_BT.all())
    with torch.no_grad():
        vectors_BTE = evaluating(net, lambda: net.embed(tokens_BT))

    def logit_of_label(vectors_BTE: Tensor) -> Tensor:
        # Attribution methods repeat a batch (steps, samples), block by block: its labels and ends repeat with it.
        times = len(vectors_BTE) // len(labels_B)
        present, labels = (
            (present_BT, labels_B) if times == 1 else (present_BT.repeat(times, 1), labels_B.repeat(times))
        )
        held_BTE = vectors_BTE * present[..., None] if padded else vectors_BTE
        # vmap, jvp and their like do not see through a Function.
        logits_of = partial(winning_logits, net) if has_winners(net) and not transformed() else net.classify
        logits_BC = evaluating(net, lambda: logits_of(held_BTE, present))
        return logits_BC.gather(1, labels[:, None]).squeeze(1)

    return vectors_BTE, logit_of_label


def evaluating(net: nn.Module, compute: Callable[[], Tensor]) -> Tensor:
    """compute() with `net` in eval mode; every module's mode as before afterwards."""
    training = [module for module in net.modules() if module.training]
    if not training:
        return compute()
    net.eval()
    try:
        return compute()
    finally:
        for module in training:
            module.training = True
