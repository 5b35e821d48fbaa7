"""Losses against closed forms and plain loops, and where their gradient points."""

from functools import partial
from math import exp, log

import pytest
import torch

from tasks.text.losses import classification_losses
from tasks.text.networks import BagOfVectors
from tasks.text.task import SentenceClassification
from zoo.errors import InputError

SCORES = torch.tensor([[1.5, -0.25, 0.0], [-2.0, 3.0, 0.5]])
LABELS = torch.tensor([0, 2])
ONE = {
    "one_vs_rest": lambda margin: log(1 + exp(-margin)),
    "squared_hinge": lambda margin: max(0.0, 1 - margin) ** 2,
}


@pytest.mark.parametrize("criterion", ONE)
def test_one_against_the_rest_is_a_sum_over_classes(criterion):
    expected = [
        sum(ONE[criterion](s if c == label else -s) for c, s in enumerate(row))
        for row, label in zip(SCORES.tolist(), LABELS.tolist(), strict=True)
    ]
    assert classification_losses(SCORES, LABELS, criterion).tolist() == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_by_hand_smoothed_and_not():
    log_shares = [row - torch.logsumexp(row, 0) for row in SCORES]
    plain = [-log_shares[0][0].item(), -log_shares[1][2].item()]
    assert classification_losses(SCORES, LABELS).tolist() == pytest.approx(plain, rel=1e-6)
    smooth = [0.9 * one - 0.1 * row.mean().item() for one, row in zip(plain, log_shares, strict=True)]
    found = classification_losses(SCORES, LABELS, label_smoothing=0.1)
    assert found.tolist() == pytest.approx(smooth, rel=1e-6)


def test_sure_sentences_leave_the_hinge_alone():
    scores = torch.tensor([[1.5, -1.5], [0.5, -1.5]], requires_grad=True)
    classification_losses(scores, torch.tensor([0, 0]), "squared_hinge").sum().backward()
    assert scores.grad.tolist() == [[0.0, 0.0], [-1.0, 0.0]]


def task_of(**options) -> SentenceClassification:
    torch.manual_seed(0)
    return SentenceClassification(BagOfVectors(10, 3, 4), partial(torch.optim.SGD, lr=0.1), **options)


@pytest.mark.parametrize("criterion", ["cross_entropy", "one_vs_rest", "squared_hinge"])
def test_the_task_trains_and_is_judged_by_its_criterion(criterion):
    task, batch = task_of(criterion=criterion), (torch.tensor([[2, 3, 0], [4, 4, 5]]), torch.tensor([1, 2]))
    terms, judged = task.loss(task.net, batch), task.evaluate(task.net, batch)
    expected = classification_losses(task.net(batch[0]), batch[1], criterion)
    assert list(terms) == [criterion]
    torch.testing.assert_close(terms[criterion], expected.mean())
    torch.testing.assert_close(judged["loss"], expected)
    inputs, loss = task.loss_of_inputs(task.net, batch)
    torch.testing.assert_close(loss(inputs), expected.mean())


def test_smoothing_without_cross_entropy_is_refused():
    with pytest.raises(InputError, match=r"model\.label_smoothing"):
        task_of(criterion="squared_hinge", label_smoothing=0.1)
