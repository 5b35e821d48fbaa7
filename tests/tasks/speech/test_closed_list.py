"""Answers from a closed list against the loss of every one of them."""

import math

import numpy as np
import pytest
import torch

from tasks.speech.alphabet import Alphabet
from tasks.speech.decoding.closed_list import ClosedList
from tasks.speech.decoding.decoder import Texts
from tasks.speech.losses import ctc_loss


@pytest.mark.parametrize(
    ("kind", "texts"), [("words", ["one", "two", "six"]), ("characters", ["one", "on", "no", "noon"])]
)
def test_the_answer_is_the_most_probable_of_the_list(kind, texts):
    torch.manual_seed(0)
    alphabet = Alphabet.of(texts, kind)
    decoded = ClosedList().bound(alphabet, Texts(texts))
    labels = {text: alphabet.encode(text) for text in texts}
    chosen = set()
    for _ in range(40):
        log_probs = (2 * torch.randn(7, 1, len(alphabet), dtype=torch.float64)).log_softmax(-1)
        losses = {
            text: float(ctc_loss(log_probs, torch.tensor([own]), torch.tensor([7]), torch.tensor([len(own)])))
            for text, own in labels.items()
        }
        best = min(losses, key=losses.get)
        assert alphabet.decode(decoded(log_probs[:, 0].numpy())) == best
        chosen.add(best)
    assert len(chosen) > 1


def test_nothing_is_answered_where_nothing_of_the_list_fits():
    decoded = ClosedList().bound(Alphabet.of(["one"], "characters"), Texts(["one"]))
    assert decoded(np.full((2, 4), math.log(1 / 4))) == []
