"""Sums and means over all paths of graphs, and the losses on them, against enumeration of the paths in float64."""

import itertools

import pytest
import torch

from tasks.speech.decoding import collapsed
from tasks.speech.error_rates import edit_distance
from tasks.speech.losses import ctc_loss
from tasks.speech.sequence import ctc_graph, expectation, expected_errors, log_total, mmi, smbr, stacked, union

FRAMES, LABELS = 5, 3
SPOKEN = [1, 2]
RIVALS = {(1, 2): 0.3, (1,): -0.2, (2, 2): 0.1, (): 0.0}  # with log-weights of a language model


def frame_scores(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(FRAMES, LABELS, generator=generator, dtype=torch.float64, requires_grad=True)


def paths(log_probs_TV, scale):
    """(path, hypothesis, log-weight) of everything in RIVALS."""
    for path in itertools.product(range(LABELS), repeat=FRAMES):
        hypothesis = tuple(collapsed(list(path)))
        if hypothesis in RIVALS:
            yield path, hypothesis, scale * log_probs_TV[range(FRAMES), path].sum() + RIVALS[hypothesis]


def rival_graph(value=lambda hypothesis: 0.0):
    return union([ctc_graph(h, weight, value(h)) for h, weight in RIVALS.items()])


def the_same(found, expected, scores):
    """Value and gradient."""
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    ours, theirs = (torch.autograd.grad(one, scores, retain_graph=True)[0] for one in (found, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    assert theirs.abs().max() > 1e-3


def test_the_sum_over_a_transcripts_paths_is_ctc():
    scores = frame_scores(0)
    log_probs = scores.log_softmax(-1)[:, None]
    for labels in ([1], [1, 1], [1, 2], [2, 1, 2], [2, 2, 1]):
        given = torch.tensor([labels]), torch.tensor([FRAMES]), torch.tensor([len(labels)])
        the_same(-log_total(log_probs, given[1], ctc_graph(labels))[0], ctc_loss(log_probs, *given)[0], scores)


@pytest.mark.parametrize("scale", [1.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_mmi(seed, scale):
    scores = frame_scores(seed)
    log_probs = scores.log_softmax(-1)
    weights = {(path, h): w for path, h, w in paths(log_probs, scale)}
    of_spoken = torch.stack([w for (_, h), w in weights.items() if h == (1, 2)]).logsumexp(0)
    expected = torch.stack(list(weights.values())).logsumexp(0) - of_spoken
    found = mmi(log_probs[:, None], torch.tensor([FRAMES]), ctc_graph(SPOKEN, RIVALS[1, 2]), rival_graph(), scale)[0]
    the_same(found, expected, scores)
    assert found > 0


@pytest.mark.parametrize("scale", [1.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_smbr(seed, scale):
    scores = frame_scores(seed)
    log_probs = scores.log_softmax(-1)
    aligned = (0, 1, 1, 0, 2)
    all_paths = list(paths(log_probs, scale))
    shares = torch.stack([w for _, _, w in all_paths]).softmax(0)
    right = [sum(a == b for a, b in zip(path, aligned, strict=True)) for path, _, _ in all_paths]
    expected = 1 - (shares * torch.tensor(right)).sum() / FRAMES
    found = smbr(log_probs[:, None], torch.tensor([FRAMES]), torch.tensor(aligned)[:, None], rival_graph(), scale)[0]
    the_same(found, expected, scores)


@pytest.mark.parametrize("scale", [1.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_minimum_phone_and_word_errors(seed, scale):
    scores = frame_scores(seed)
    log_probs = scores.log_softmax(-1)
    all_paths = list(paths(log_probs, scale))
    shares = torch.stack([w for _, _, w in all_paths]).softmax(0)
    errors = torch.tensor([float(edit_distance(SPOKEN, h)) for _, h, _ in all_paths])
    graph = rival_graph(lambda h: float(edit_distance(SPOKEN, h)))
    the_same(
        expected_errors(log_probs[:, None], torch.tensor([FRAMES]), graph, scale)[0], (shares * errors).sum(), scores
    )


def test_a_batch_gives_what_its_utterances_give_alone():
    scores = torch.randn(FRAMES, 3, LABELS, dtype=torch.float64).log_softmax(-1)
    frames = torch.tensor([5, 3, 4])
    graphs = [ctc_graph([1]), union([ctc_graph([2], 0.5, 1.0), ctc_graph([1, 2], 0.1, 2.0)]), ctc_graph([], 0.0, 3.0)]
    totals, means = expectation(scores, frames, stacked(graphs))
    for b, graph in enumerate(graphs):
        total, mean = expectation(scores[: frames[b], b : b + 1], frames[b : b + 1], graph)
        torch.testing.assert_close((totals[b], means[b]), (total[0], mean[0]), atol=1e-12, rtol=0)


def test_an_impossible_transcript_leaves_no_nan():
    scores = frame_scores(0)
    loss = -log_total(scores.log_softmax(-1)[:2, None], torch.tensor([2]), ctc_graph([1, 1]))[0]
    assert loss > 1e29
    assert torch.autograd.grad(loss, scores)[0].isfinite().all()
