"""CTC against the sum over all alignments, and prefix search against the sum over all paths of every label sequence."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
import torch

from tasks.speech.decoding import collapsed, greedy, prefix_beam
from tasks.speech.losses import check_feasible, ctc_loss, frame_gradients, frames_needed, too_short
from zoo.errors import InputError


def random_log_probs(generator, frames, labels):
    return (torch.randn(frames, labels, generator=generator, dtype=torch.float64) * 2).log_softmax(-1)


def by_enumeration(log_probs_TV):
    """Label sequence -> probability: every path of T labels, collapsed."""
    found = defaultdict(float)
    frames, labels = log_probs_TV.shape
    for path in itertools.product(range(labels), repeat=frames):
        found[tuple(collapsed(list(path)))] += float(log_probs_TV[range(frames), path].sum().exp())
    return found


def test_loss_is_the_sum_over_all_alignments_on_a_thousand_cases():
    generator = torch.Generator().manual_seed(0)
    cases = 0
    while cases < 1000:
        frames, labels = (int(torch.randint(low, high, (), generator=generator)) for low, high in ((1, 6), (2, 5)))
        log_probs = random_log_probs(generator, frames, labels)
        for transcript, probability in by_enumeration(log_probs).items():
            if transcript:
                loss = ctc_loss(
                    log_probs[:, None],
                    torch.tensor([transcript]),
                    torch.tensor([frames]),
                    torch.tensor([len(transcript)]),
                )
                assert float((-loss).exp()) == pytest.approx(probability, abs=1e-12, rel=1e-10)
                cases += 1


def test_gradients_are_of_the_sum_over_all_alignments():
    generator = torch.Generator().manual_seed(1)
    for transcript in ([1], [1, 1], [2, 1], [1, 2, 1], [2, 2, 1]):
        logits = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        log_probs = logits.log_softmax(-1)
        paths = [p for p in itertools.product(range(3), repeat=6) if collapsed(list(p)) == transcript]
        expected = torch.autograd.grad(
            -torch.stack([log_probs[range(6), p].sum() for p in paths]).logsumexp(0), logits
        )[0]
        found = frame_gradients(
            log_probs[:, None], torch.tensor([transcript]), torch.tensor([6]), torch.tensor([len(transcript)])
        )
        torch.testing.assert_close(found[:, 0], expected, atol=1e-10, rtol=0)
        # Equation 16: what a frame gives to a label less what the transcript asks of it, so it sums to 0.
        torch.testing.assert_close(found.sum(-1), torch.zeros(6, 1, dtype=torch.float64), atol=1e-12, rtol=0)


def test_utterances_too_short_are_those_of_infinite_loss():
    generator = torch.Generator().manual_seed(2)
    for transcript in itertools.product((1, 2), repeat=3):
        assert frames_needed(transcript) == 3 + sum(a == b for a, b in itertools.pairwise(transcript))
        for frames in range(1, 7):
            log_probs = random_log_probs(generator, frames, 3)[:, None]
            given = torch.tensor([[*transcript, 0]]), torch.tensor([frames]), torch.tensor([3])
            assert bool(too_short(given[1], given[0], given[2])) == bool(ctc_loss(log_probs, *given).isinf())


def test_a_too_short_utterance_is_named():
    with pytest.raises(InputError, match=r"b\.wav: expected 4 frames or more for its 3 labels, got 3 \(1 such"):
        check_feasible(
            torch.tensor([3, 3]), torch.tensor([[1, 2, 3], [1, 1, 2]]), torch.tensor([3, 3]), ["a.wav", "b.wav"]
        )


@pytest.mark.parametrize("seed", range(30))
def test_a_beam_that_holds_every_prefix_is_exact(seed):
    log_probs = random_log_probs(torch.Generator().manual_seed(seed), 5, 3)
    expected = sorted(by_enumeration(log_probs).items(), key=lambda item: -item[1])
    found = prefix_beam(log_probs.numpy(), width=10_000)
    assert len(found) == len(expected)
    for (labels, probability), hypothesis in zip(expected, found, strict=True):
        assert np.exp(hypothesis.log_prob) == pytest.approx(probability, rel=1e-10)
        assert tuple(hypothesis.labels) == labels


class Letters:
    """Label 1 costs, label 2 must not follow itself, and an end after label 2 pays."""

    def start(self):
        return None

    def scores(self, state):
        return np.array([0.0, -1.0, -np.inf if state == 2 else 0.0])

    def after(self, state, label):
        return label

    def end(self, state):
        return 0.7 if state == 2 else 0.0


@pytest.mark.parametrize("seed", range(10))
def test_a_scorer_ranks_as_if_it_were_added_to_every_sequence(seed):
    log_probs = random_log_probs(torch.Generator().manual_seed(seed), 5, 3)
    expected = {}
    for labels, probability in by_enumeration(log_probs).items():
        if (2, 2) not in itertools.pairwise(labels):
            expected[labels] = np.log(probability) - labels.count(1) + 0.7 * (labels[-1:] == (2,))
    found = prefix_beam(log_probs.numpy(), 10_000, Letters())
    assert {tuple(h.labels): h.score for h in found} == pytest.approx(expected, rel=1e-9)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_a_narrow_beam_finds_what_greedy_misses():
    half = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert greedy(torch.tensor(half)[:, None], torch.tensor([2])) == [[]]
    assert prefix_beam(half, width=2)[0].labels == [1]


def test_greedy_heeds_lengths():
    log_probs = torch.tensor([[0, 9.0, 0], [0, 9, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]])[:, None].expand(-1, 2, -1)
    assert greedy(log_probs, torch.tensor([5, 3])) == [[1, 1, 2], [1]]
