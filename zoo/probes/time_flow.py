"""A probe for training: how the error signal fares through the time steps of recurrent layers."""

import torch
from torch import Tensor

from zoo.probes.through_time import gradients_through_time
from zoo.training.step import Step

PLACES = 25  # of a sequence that are recorded, its first and its last step among them


def through_time(step: Step) -> dict[str, Tensor]:
    """`hidden_gradient_norm/<layer>/<percent of the sequence>` -> ||dL/dh_t||, for `model.probes`.

    One more forward and backward of the step's batch, and of its recurrent layers written out in time. Of several ranks
    each reads its own examples.
    """
    named = dict(step.net.named_parameters())
    squares: dict[str, Tensor] = {}
    for call, norms_T in gradients_through_time(step.net, lambda: step.loss_at(named)).items():
        layer = call.partition("#")[0]  # micro-batches are calls with other examples of the same mean: squares add
        places = torch.linspace(0, len(norms_T) - 1, min(PLACES, len(norms_T))).round().long().tolist()
        for index, place in enumerate(places):
            name = f"hidden_gradient_norm/{layer}/{100 * index / max(1, len(places) - 1):05.1f} %"
            squares[name] = squares.get(name, 0) + norms_T[place].square()
    return {name: square.sqrt() for name, square in squares.items()}
