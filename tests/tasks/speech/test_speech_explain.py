"""What an answer rests on: planted bands and stretches of time are found, and what is kept of a sound is that part."""

import math
import re
from functools import partial

import pytest
import torch
from torch import nn

from tasks.speech.attend import AttentionRecognition
from tasks.speech.data import SpeechData, Utterances
from tasks.speech.decoding.spelling_beam import SpellingBeam
from tasks.speech.explain import explain_sections
from tasks.speech.features import Features
from tasks.speech.important_sound import cells_of, decisive_cells, important_sound
from tasks.speech.judged import Judged, chosen_utterances
from tasks.speech.letter_maps import label_score, letter_maps, lost_in_frequency, lost_in_time
from tasks.speech.networks import Conv, ListenAttendSpell, Listener, LocationAttention, Speller
from tasks.speech.pages.errors import errors_section, steps_in_words
from tasks.speech.task import CTCRecognition
from zoo.attribution import completeness_gap, gradient, integrated_gradients
from zoo.errors import InputError
from zoo.reports.write import write_report

BAND, WINDOW = 6, (10, 16)  # where the planted answers lie
FRAMES, BANDS = 30, 12


def planted(kind: str, count: int, generator: torch.Generator):
    """Noise in which the label is the sign of one band, or of one stretch of time."""
    labels_B = torch.randint(0, 2, (count,), generator=generator)
    features_BTD = 0.5 * torch.randn(count, FRAMES, BANDS, generator=generator)
    sign_B11 = (2.0 * labels_B - 1)[:, None, None]
    if kind == "band":
        features_BTD[:, :, BAND : BAND + 1] = sign_B11 + 0.1 * features_BTD[:, :, BAND : BAND + 1]
    else:
        start, end = WINDOW
        features_BTD[:, start:end] = sign_B11 + 0.1 * features_BTD[:, start:end]
    return features_BTD, labels_B + 1


@pytest.fixture(scope="module", params=["band", "time"])
def learnt(request):
    """A net of CTC that has learnt the planted answer; weight decay lets go of what the answer does not need."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    net = Conv(BANDS, 3, 24, () if request.param == "band" else (5,), stride=2, dropout=0.0)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2, weight_decay=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
    frames_B, ones_B = torch.full((64,), FRAMES), torch.ones(64, dtype=torch.long)
    for _ in range(500):
        features_BTD, labels_B = planted(request.param, 64, generator)
        logits_BTV, out_B = net(features_BTD, frames_B)
        loss = nn.functional.ctc_loss(logits_BTV.log_softmax(-1).transpose(0, 1), labels_B[:, None], out_B, ones_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return request.param, net.eval(), planted(request.param, 20, generator)


def test_a_planted_band_or_stretch_of_time_gets_the_mass(learnt):
    kind, net, (features_BTD, labels_B) = learnt
    inside = torch.zeros(FRAMES, BANDS, dtype=torch.bool)
    if kind == "band":
        inside[:, BAND] = True
    else:
        inside[slice(*WINDOW)] = True
    found = 0.0
    for features_TD, label in zip(features_BTD, labels_B.tolist(), strict=True):
        maps_1TD, _ = letter_maps(net, features_TD, [label], integrated_gradients)
        for_it_TD = maps_1TD[0].clamp(min=0)
        found += float(for_it_TD[inside].sum() / for_it_TD.sum()) / len(labels_B)
    assert found >= 0.95


def test_silence_takes_the_answer_away_where_it_was_planted(learnt):
    kind, net, (features_BTD, labels_B) = learnt
    score = label_score(net, [int(labels_B[0])], [(0, FRAMES // 2)])
    time_T = lost_in_time(score, features_BTD[0], 4)
    bands_D = lost_in_frequency(score, features_BTD[0], 1)
    if kind == "band":
        assert int(bands_D.argmax()) == BAND
    else:
        assert WINDOW[0] - 2 <= int(time_T.argmax()) < WINDOW[1] + 2


class Linear(nn.Module):
    """Logits that are linear in the features of their own frame."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))

    def forward(self, features_BTD, frames_B):
        return features_BTD @ self.weight, frames_B

    def frames_out(self, frames_B):
        return frames_B


def test_a_letter_rests_on_its_own_frames_by_the_derivative_of_its_log_probability():
    net = Linear()
    features_TD = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    maps_UTD, spans = letter_maps(net, features_TD, [1, 2], gradient)
    probabilities_TV = (features_TD @ net.weight).softmax(-1)
    for u, (label, (first, behind)) in enumerate(zip([1, 2], spans, strict=True)):
        expected_TD = torch.zeros_like(features_TD)
        expected_TD[first:behind] = (net.weight[:, label] - probabilities_TV @ net.weight.t())[first:behind]
        torch.testing.assert_close(maps_UTD[u], (expected_TD / (behind - first)).detach(), rtol=1e-10, atol=1e-12)
    assert spans[0][1] <= spans[1][0]


def test_maps_add_up_to_the_change_of_the_score():
    net, features_TD = Linear(), torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    maps_UTD, spans = letter_maps(net, features_TD, [2, 1], integrated_gradients)
    gap_U = completeness_gap(label_score(net, [2, 1], spans), features_TD.expand(2, 6, 4), maps_UTD)
    assert float(gap_U.abs().max()) < 1e-6


def test_only_the_cells_of_the_map_sound():
    features = Features(rate=8000, bands=20)
    t = torch.arange(8000) / 8000
    low, high = 0.3 * torch.sin(2 * math.pi * 400 * t), 0.3 * torch.sin(2 * math.pi * 2000 * t)
    frames_TD = features(low + high)
    map_TD = torch.zeros_like(frames_TD)
    map_TD[:50, int(Features(rate=8000, bands=20, normalise=False)(low).mean(0).argmax())] = 1.0
    kept = important_sound(low + high, map_TD, features, share=1.0)
    early, late = slice(800, 3200), slice(4800, 8000)
    assert float(kept[late].square().mean()) < 1e-4 * float(low.square().mean())

    def share_of(tone):  # by projection
        return float((kept[early] * tone[early]).sum() / tone[early].square().sum())

    assert share_of(low) > 0.5 and abs(share_of(high)) < 0.01


def test_stacked_frames_and_derivatives_come_back_to_their_cells():
    features = Features(bands=3, deltas=1, stack=2)
    map_TD = torch.arange(24.0).view(2, 12)
    expected = [
        [0 + 3, 1 + 4, 2 + 5],
        [6 + 9, 7 + 10, 8 + 11],
        [12 + 15, 13 + 16, 14 + 17],
        [18 + 21, 19 + 22, 20 + 23],
    ]
    assert cells_of(map_TD, features).tolist() == expected
    assert decisive_cells(torch.tensor([[4.0, 3.0, 2.0, 1.0]]), 0.5).tolist() == [[True, True, False, False]]
    assert not decisive_cells(-torch.ones(2, 2), 0.5).any()
    with pytest.raises(InputError, match="expected above 0 and at most 1, got 0"):
        important_sound(torch.zeros(8000), torch.zeros(101, 40), Features(rate=8000), 0.0)


SEEN = [
    Judged(0, "a", "one two", "one two", [1]),
    Judged(1, "b", "two", "three two", [1]),
    Judged(2, "c", "one one", "", []),
    Judged(3, "d", "two", "too", [2]),
]


def test_errors_are_told_word_by_word():
    section = errors_section(SEEN)
    assert (
        section.lead.startswith("4 of 6 words") and "1 taken for others, 2 missed, 1 that nobody said" in section.lead
    )
    worst, confused = section.figures
    assert worst.table.rows[0] == ["c", "one one", "(nothing)", "− one, − one"]
    assert confused.table.rows == [["two", "too", 1]]
    assert steps_in_words(SEEN[1]) == "+ three"


def test_utterances_are_chosen_by_word_or_number():
    assert [one.name for one in chosen_utterances(SEEN, "misheard", 2)] == ["c", "b"]
    assert [one.name for one in chosen_utterances(SEEN, "3,0", 9)] == ["d", "a"]
    for choose, said in (("last", "expected first, misheard, or indices below 4"), ("4", "got '4'")):
        with pytest.raises(InputError, match=re.escape(said)):
            chosen_utterances(SEEN, choose, 3)
    with pytest.raises(InputError, match="nothing was misheard"):
        chosen_utterances(SEEN[:1], "misheard", 3)


class Silence(SpeechData):
    """A second of noise with a letter, in few utterances."""

    def load(self):
        generator = torch.Generator().manual_seed(0)
        sounds = [0.1 * torch.randn(4000, generator=generator) for _ in range(6)]
        whole = Utterances.of(sounds, ["ab", "b", "a", "ba", "b", "a"], ["s"] * 6, [f"u{i}" for i in range(6)], 8000)
        return {"train": whole.take([0, 1, 2]), "test": whole.take([3, 4, 5])}


def test_the_page_holds_maps_sounds_and_checks_and_the_net_is_as_before(tmp_path):
    torch.manual_seed(0)
    data = Silence(features=Features(rate=8000, bands=8))
    data.setup()
    task = CTCRecognition(Conv(8, 3, 8, (3,)), partial(torch.optim.Adam, lr=1e-3))
    before = {name: value.clone() for name, value in task.state_dict().items()}
    sections = explain_sections(task, data, ("integrated_gradients", "gradient"), count=2, steps=4)
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items()) and task.net.training
    assert sections[0].title == "What was misheard" and sections[-1].title == "Do the maps mean anything?"
    assert len(sections) == 2 + 2 * 3
    page = write_report(tmp_path, "t", "s", {}, sections, stem="explain").read_text()
    assert page.count("<audio") == 4 and (tmp_path / "sound_0_important.wav").read_bytes()[:4] == b"RIFF"
    with pytest.raises(InputError, match="--methods: expected some of integrated_gradients"):
        explain_sections(task, data, ("grad_cam",))


@pytest.mark.parametrize("ctc", [False, True])
def test_the_page_of_an_attention_net_shows_what_it_attended_to(ctc):
    torch.manual_seed(0)
    data = Silence(features=Features(rate=8000, bands=8))
    data.setup()
    labels = len(data.alphabet)
    net = ListenAttendSpell(
        Listener(8, 6, pyramid=1),
        Speller(labels, 12, LocationAttention(12, 8, 6), 8, 1, 4),
        nn.Linear(12, labels) if ctc else None,
    )
    beam = SpellingBeam(2, ctc_weight=0.3 if ctc else 0.0, longest=4)
    task = AttentionRecognition(net, torch.optim.Adam, ctc_weight=0.3 if ctc else 0.0, beam=beam)
    sections = explain_sections(task, data, count=1, steps=3)
    (attention,) = (f for s in sections for f in s.figures if f.caption.startswith("Attention that each letter"))
    weights_TU = torch.tensor([row[1:] for row in attention.table.rows], dtype=torch.float64)
    torch.testing.assert_close(
        weights_TU.sum(0), torch.ones(weights_TU.shape[1], dtype=torch.float64), atol=1e-5, rtol=0
    )
