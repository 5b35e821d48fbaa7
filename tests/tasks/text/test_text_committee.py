"""Nets side by side: each learns as it would alone, together they answer with the mean of their logits."""

import pytest
import torch

from tasks.text.losses import classification_losses
from tasks.text.networks import Committee, NaiveBayes, SentenceCNN
from zoo.errors import InputError

TOKENS, LABELS = torch.tensor([[2, 3, 4], [5, 6, 0], [7, 0, 0]]), torch.tensor([0, 2, 1])


def members():
    torch.manual_seed(0)
    return [
        SentenceCNN(9, 3, 4, feature_maps=5, dropout=0.0),
        SentenceCNN(9, 3, 6, region_sizes=(1, 2), feature_maps=5, dropout=0.0),
        NaiveBayes(9, 3, pairs=4),
    ]


def test_every_member_gets_the_gradient_of_its_own_loss():
    nets = Committee(members())
    classification_losses(nets(TOKENS), LABELS, label_smoothing=0.1).mean().backward()
    for alone, one in zip(members(), nets.members, strict=True):
        (classification_losses(alone(TOKENS), LABELS, label_smoothing=0.1).mean() / 3).backward()
        for expected, found in zip(alone.parameters(), one.parameters(), strict=True):
            assert torch.allclose(found.grad, expected.grad, atol=1e-7)


def test_the_answer_is_the_geometric_mean_of_the_probabilities():
    nets = Committee(members()).eval()
    product = torch.stack([member(TOKENS).softmax(1) for member in nets.members]).prod(0) ** (1 / 3)
    assert torch.allclose(nets(TOKENS).softmax(1), product / product.sum(1, keepdim=True), atol=1e-6)


def test_vectors_go_to_the_members_that_have_some():
    nets = Committee(members()[1:])
    nets.embedding.load(torch.ones(9, 6))
    assert nets.members[0].embedding.tuned[2].tolist() == [1.0] * 6
    with pytest.raises(InputError, match="expected 4 dimensions"):
        Committee(members()).embedding.load(torch.ones(9, 6))
    with pytest.raises(InputError, match="expected a member with word vectors"):
        Committee([members()[2], members()[2]]).embedding.load(torch.ones(9, 6))


def test_a_committee_of_one_is_refused():
    with pytest.raises(InputError, match="expected two nets"):
        Committee(members()[:1])
