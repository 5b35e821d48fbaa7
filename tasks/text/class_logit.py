"""The logit of a class as a function of the embedded words, which is what sensitivities are derivatives of.

Legend: B = sentences, T = tokens, E = size of a token's vector.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tasks.text.networks.embedding import PAD
from zoo.attribution import Score

Batch = tuple[Tensor, Tensor]  # tokens_BT, labels_B
Target = Callable[[Batch], tuple[Tensor, Score]]


def class_logit(net: nn.Module, batch: Batch) -> tuple[Tensor, Score]:
    """(vectors_BTE, score): the embedded words, and the logit of each label as a function of them, in eval mode.

    What stands behind the end of a sentence is held at zero, so that noise there changes nothing.
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
        logits_BC = evaluating(net, lambda: net.classify(held_BTE, present))
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
