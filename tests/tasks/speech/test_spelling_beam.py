"""Beam search against all transcripts ranked, and what CTC says of beginnings against the sum over all paths."""

import itertools
import math

import pytest
import torch
from torch import nn

from tasks.speech.decoding import collapsed
from tasks.speech.decoding.ctc_prefix import continuations, empty_prefix, grown
from tasks.speech.decoding.spelling_beam import SpellingBeam, greedy_spelling
from tasks.speech.losses import ctc_loss
from tasks.speech.networks import LocationAttention, Speller
from tasks.speech.networks.speller import Memory, State
from zoo.errors import InputError

LABELS, LONGEST, FRAMES = 3, 4, 5
TRANSCRIPTS = [list(t) for n in range(LONGEST + 1) for t in itertools.product((1, 2), repeat=n)]


def speller_of(seed):
    """A speller of random weights, a memory, and CTC's log-probabilities of its frames."""
    torch.manual_seed(seed)
    speller = Speller(LABELS, 4, LocationAttention(4, 5, 3, 2, 3), 5, 2, 3).double().eval()
    with torch.no_grad():
        for parameter in speller.parameters():
            parameter.copy_(1.5 * torch.randn_like(parameter))
        speller.output.bias[0] -= 1.5  # answers of some length
    return speller, torch.randn(FRAMES, 4).double(), (2 * torch.randn(FRAMES, LABELS)).double().log_softmax(-1)


def ranked(speller, memory, log_probs, beam):
    """(score, transcript) of all transcripts, the best first, straight from the definition."""
    found = []
    for labels in TRANSCRIPTS:
        logits, attention = speller(memory[None], torch.tensor([FRAMES]), torch.tensor([labels], dtype=torch.long))
        log_p = logits[0].log_softmax(-1)[range(len(labels) + 1), [*labels, 0]].sum().item()
        if beam.ctc_weight:
            one = torch.tensor([labels or [1]]), torch.tensor([FRAMES]), torch.tensor([len(labels)])
            log_p = (1 - beam.ctc_weight) * log_p - beam.ctc_weight * ctc_loss(log_probs[:, None], *one).item()
        attended = (attention[0].sum(0) > beam.coverage_threshold).sum().item()
        by_length = log_p / ((5 + len(labels) + 1) / 6) ** beam.length_penalty
        found.append((by_length + beam.coverage_weight * attended, labels))
    return sorted(found, key=lambda pair: -pair[0])


SETTINGS = [
    {},
    {"length_penalty": 0.8},
    {"coverage_weight": 0.7, "coverage_threshold": 0.6},
    {"ctc_weight": 0.4},
    {"ctc_weight": 1.0},
    {"ctc_weight": 0.3, "length_penalty": 0.6, "coverage_weight": 0.5, "coverage_threshold": 0.3},
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_beam_that_holds_every_prefix_is_exact(setting):
    different = set()
    for seed in range(8):
        speller, memory, log_probs = speller_of(seed)
        beam = SpellingBeam(width=2**LONGEST, longest=LONGEST, **setting)
        found = beam(speller, memory, log_probs if beam.ctc_weight else None)
        score, labels = ranked(speller, memory, log_probs, beam)[0]
        assert found[0].labels == labels
        assert found[0].score == pytest.approx(score, rel=1e-9)
        different.add(tuple(labels))
    assert len(different) > 2


def test_every_hypothesis_carries_its_own_probability_and_attention():
    speller, memory, _ = speller_of(3)
    found = SpellingBeam(width=3, longest=LONGEST, coverage_weight=9.0)(
        speller, memory
    )  # so that it goes on to the end
    assert len(found) > 5
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        logits, attention = speller(memory[None], torch.tensor([FRAMES]), torch.tensor([one.labels], dtype=torch.long))
        log_p = logits[0].log_softmax(-1)[range(len(one.labels) + 1), [*one.labels, 0]].sum().item()
        assert one.log_prob == pytest.approx(log_p, rel=1e-9)
        torch.testing.assert_close(one.attention_UT, attention[0].detach(), atol=1e-12, rtol=0)


def test_penalties_move_the_choice_as_they_should():
    speller, memory, _ = speller_of(1)
    lengths = [
        len(SpellingBeam(64, length_penalty=alpha, longest=LONGEST)(speller, memory)[0].labels)
        for alpha in (0.0, 1.0, 8.0)
    ]
    assert lengths == sorted(lengths)
    assert lengths[-1] == LONGEST > lengths[0]


class Table(nn.Module):
    """A speller of given probabilities: greedy starts with 1 (0.6), but the best whole answer with 2."""

    ROWS = {0: [0.0, 0.6, 0.4], 1: [0.5, 0.25, 0.25], 2: [1.0, 0.0, 0.0]}

    def memory(self, values, frames):
        return Memory(values, values, torch.zeros(values.shape[:2], dtype=torch.bool))

    def start(self, memory):
        return State(*(torch.zeros(len(memory.values_BTH), 1) for _ in range(4)))

    def step(self, labels, state, memory):
        return torch.tensor([self.ROWS[label] for label in labels.tolist()]).clamp(min=1e-30).log(), state


def test_a_beam_finds_what_greedy_misses():
    assert greedy_spelling(Table(), torch.zeros(2, 1, 1), torch.tensor([1, 1]), 9) == [[1], [1]]
    best = SpellingBeam(width=2, longest=9)(Table(), torch.zeros(1, 1))[0]
    assert best.labels == [2]
    assert math.exp(best.log_prob) == pytest.approx(0.4)


def test_greedy_takes_the_likeliest_label_each_time_whatever_stands_beside():
    for seed in range(6):
        speller, memory, _ = speller_of(seed)
        batch = torch.stack([memory, torch.randn(FRAMES, 4).double()])
        for n, labels in enumerate(greedy_spelling(speller, batch, torch.tensor([FRAMES, 3]), 6)):
            frames = torch.tensor([FRAMES, 3])[n : n + 1]
            said = torch.tensor([labels], dtype=torch.long)
            logits = speller(batch[n : n + 1, : frames[0]], frames, said)[0][0]
            assert logits.argmax(-1).tolist()[: len(labels)] == labels
            assert len(labels) == 6 or logits[len(labels)].argmax() == 0


def spelt_by_paths(log_probs):
    """Transcript -> probability: all paths, collapsed."""
    found = {}
    for path in itertools.product(range(LABELS), repeat=FRAMES):
        spelt = tuple(collapsed(list(path)))
        found[spelt] = found.get(spelt, 0.0) + log_probs[range(FRAMES), path].sum().exp().item()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_ctc_of_beginnings_is_the_sum_over_all_paths(seed):
    log_probs = (
        (2 * torch.randn(FRAMES, LABELS, generator=torch.Generator().manual_seed(seed))).double().log_softmax(-1)
    )
    every = spelt_by_paths(log_probs)
    for prefix in TRANSCRIPTS:
        state = empty_prefix(log_probs)
        for label in prefix:
            state = grown(log_probs, state, torch.tensor([0]), torch.tensor([label]))
        found = continuations(log_probs, state)[0].exp()
        assert found[0].item() == pytest.approx(every.get(tuple(prefix), 0.0), rel=1e-9, abs=1e-15)
        for label in (1, 2):
            begun = (*prefix, label)
            expected = sum(p for spelt, p in every.items() if spelt[: len(begun)] == begun)
            assert found[label].item() == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_ctc_of_beginnings_keeps_its_digits_over_many_frames():
    log_probs = (9 * torch.randn(400, 4, generator=torch.Generator().manual_seed(0))).double().log_softmax(-1)
    labels, state = [1, 1, 3, 2, 2, 1], empty_prefix(log_probs)
    for label in labels:
        state = grown(log_probs, state, torch.tensor([0]), torch.tensor([label]))
    loss = ctc_loss(log_probs[:, None], torch.tensor([labels]), torch.tensor([400]), torch.tensor([6]))
    assert continuations(log_probs, state)[0, 0].item() == pytest.approx(-loss.item(), rel=1e-11)


@pytest.mark.parametrize(
    "given", [{"width": 0}, {"longest": 0}, {"length_penalty": -1.0}, {"coverage_weight": -0.1}, {"ctc_weight": 1.5}]
)
def test_numbers_out_of_their_range_are_refused(given):
    with pytest.raises(InputError, match=next(iter(given))):
        SpellingBeam(**given)


def test_ctc_goes_with_its_weight():
    speller, memory, log_probs = speller_of(0)
    for beam, given in ((SpellingBeam(), log_probs), (SpellingBeam(ctc_weight=0.3), None)):
        with pytest.raises(InputError, match=r"ctc_weight: expected above 0 exactly where CTC answers"):
            beam(speller, memory, given)
