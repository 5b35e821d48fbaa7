"""Rivals, criteria and sequence training, against enumeration of all paths in float64."""

import itertools
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tasks.speech.alphabet import Alphabet
from tasks.speech.data import Batch, SpeechData, Utterances
from tasks.speech.decoding import collapsed, prefix_beam
from tasks.speech.error_rates import edit_distance
from tasks.speech.features import Features
from tasks.speech.networks import Conv
from tasks.speech.sequence import ctc_graph, expectation, log_total, stacked, union
from tasks.speech.sequence.answers import Answer, shares
from tasks.speech.sequence.batched_beam import n_best
from tasks.speech.sequence.criteria import MMI, MPE, MWER, SMBR, aligned
from tasks.speech.sequence.rivals import NBest, WordLoop
from tasks.speech.sequence.task import SequenceTraining
from tasks.speech.sequence.word_loop import word_loop
from tasks.speech.starts import take_weights
from tasks.speech.task import CTCRecognition
from zoo.errors import InputError
from zoo.training.checkpoints import save_atomically

# What rivals are made of


@pytest.mark.parametrize("width", [1, 2, 7, 400])
def test_the_batched_search_is_prefix_search(width):
    generator = torch.Generator().manual_seed(width)
    log_probs = (2 * torch.randn(30, 12, 4, generator=generator, dtype=torch.float64)).log_softmax(-1)
    log_probs[..., 3] = -math.inf  # a label that never comes
    frames = torch.randint(1, 31, (12,), generator=generator)
    for b, found in enumerate(n_best(log_probs, frames, width)):
        one_by_one = prefix_beam(log_probs[: frames[b], b].numpy(), width)
        assert [labels for labels, _ in found] == [h.labels for h in one_by_one]
        np.testing.assert_allclose([s for _, s in found], [h.log_prob for h in one_by_one], atol=1e-10)


def paths_of(log_probs_TV):
    """(labels, log-weight) of every path."""
    frames, size = log_probs_TV.shape
    for path in itertools.product(range(size), repeat=frames):
        yield path, tuple(collapsed(list(path))), log_probs_TV[range(frames), path].sum()


@pytest.mark.parametrize("separator", [None, 3])
def test_a_word_loop_holds_every_sequence_of_words_once(separator):
    log_probs = torch.randn(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    words, weight = {"a": (1,), "ba": (2, 1), "bb": (2, 2)}, -0.7
    join = () if separator is None else (separator,)
    sequences = {
        tuple(
            itertools.chain(*[(*join, *words[w])[not i * len(join) and len(join) :] for i, w in enumerate(chosen)])
        ): n
        for n in range(7)
        for chosen in itertools.product(words, repeat=n)
    }
    expected = [w + weight * sequences[h] for _, h, w in paths_of(log_probs) if h in sequences]
    total = log_total(log_probs[:, None], torch.tensor([6]), word_loop(words, separator, weight))[0]
    torch.testing.assert_close(total, torch.stack(expected).logsumexp(0), atol=1e-12, rtol=0)
    assert len(expected) > 100


@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_lists_of_answers_weigh_as_their_graphs_do(scale):
    scores = torch.randn(7, 2, 4, dtype=torch.float64, requires_grad=True)  # not normalised
    answers = [[Answer([1, 2], 0.3), Answer([2, 2], -0.2), Answer([])], [Answer([3]), Answer([1, 3, 1], 0.5)]]
    errors = torch.tensor([[0.0, 1.0, 2.0], [0.0, 2.0, 0.0]])
    graphs = [
        union([ctc_graph(one.labels, one.weight, float(value)) for one, value in zip(row, values, strict=False)])
        for row, values in zip(answers, errors, strict=True)
    ]
    frames = torch.tensor([7, 5])
    by_graph = expectation(scale * scores, frames, stacked(graphs))[1]
    by_list = (shares(scores, frames, answers, scale) * errors).sum(-1)
    torch.testing.assert_close(by_list, by_graph, atol=1e-12, rtol=0)
    ours, theirs = (torch.autograd.grad((one * one).sum(), scores)[0] for one in (by_list, by_graph))
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    assert theirs.abs().max() > 1e-2


def test_the_best_alignment_is_the_likeliest_path():
    log_probs = torch.randn(6, 3, 3, generator=torch.Generator().manual_seed(5)).log_softmax(-1)
    transcripts, frames = [[1, 1], [2, 1], []], [6, 4, 5]
    found = aligned(log_probs, torch.tensor(frames), transcripts)
    for b, (labels, count) in enumerate(zip(transcripts, frames, strict=True)):
        fitting = [(w, path) for path, h, w in paths_of(log_probs[:count, b]) if list(h) == labels]
        assert tuple(found[:count, b].tolist()) == max(fitting)[1]


def test_the_transcript_is_among_its_rivals_once_with_the_models_weight():
    alphabet, texts = Alphabet(("a", "b", "c"), "words"), ["a b", "b c", "a c"]
    log_probs = (3 * torch.randn(8, 6, 4)).log_softmax(-1)
    best = [labels for labels, _ in (row[0] for row in n_best(log_probs, torch.full((6,), 8), 8))]
    spoken = [best[0], best[1], [1, 1, 1, 1], [2, 2, 3], [], [1]]
    for order in (0, 2):
        contest = NBest(3, 8, order).made(alphabet, texts)(log_probs, torch.full((6,), 8), spoken)
        for labels, answers in zip(spoken, contest.answers, strict=True):
            assert answers[0].labels == labels
            assert 3 <= len(answers) <= 4
            assert [one.labels for one in answers].count(labels) == 1
    known = prefix_beam(log_probs[:, 5].numpy(), 10_000, scorer_of(alphabet, texts))
    weight = next(h.bonus for h in known if h.labels == [1])
    assert contest.answers[5][0].weight == pytest.approx(weight, abs=1e-12)
    assert weight < -0.1


def scorer_of(alphabet, texts):
    from tasks.speech.decoding.ngram import trained
    from tasks.speech.decoding.scorers import LabelScorer

    return LabelScorer(trained([text.split() for text in texts], 2), alphabet.texts)


# The whole task

FRAMES = 5
ALPHABET = Alphabet((" ", "a"))
SPOKEN = [[2, 1, 2], [2]]  # "a a" and "a"


class Frames(nn.Module):
    """Logits that are a linear map of the features."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(4, 3, dtype=torch.float64)

    def frames_out(self, frames_B):
        return frames_B

    def forward(self, features_BTD, frames_B):
        return self.map(features_BTD), frames_B


def little_task(criterion, rivals, ctc_share=0.0):
    torch.manual_seed(1)
    task = SequenceTraining(Frames(), partial(torch.optim.SGD, lr=0.1), criterion, rivals, None, ctc_share)
    splits = {"train": SimpleNamespace(texts=["a a", "a"])}
    task._trainer = SimpleNamespace(datamodule=SimpleNamespace(alphabet=ALPHABET, splits=splits))
    features = 2 * torch.randn(2, FRAMES, 4, dtype=torch.float64)
    return task, Batch(features, torch.tensor([5, 4]), torch.tensor([[2, 1, 2], [2, 0, 0]]), torch.tensor([3, 1]))


def risks_by_enumeration(task, batch, loss_of_path, scale):
    """Mean over utterances of the expected loss over every path there is."""
    log_probs = task.net(batch.features_BTD, batch.frames_B)[0].log_softmax(-1)
    found = []
    for b, frames in enumerate(batch.frames_B.tolist()):
        paths, answers, weights = zip(*paths_of(log_probs[b, :frames]), strict=True)
        losses = [loss_of_path(b, path, answer) for path, answer in zip(paths, answers, strict=True)]
        found.append(((scale * torch.stack(weights)).softmax(0) * torch.tensor(losses, dtype=torch.float64)).sum())
    return sum(found) / len(found)


def words(labels):
    return ALPHABET.decode(list(labels)).split()


def label_errors(b, path, answer):
    return edit_distance(SPOKEN[b], answer) / len(SPOKEN[b])


def word_errors(b, path, answer):
    return edit_distance(words(SPOKEN[b]), words(answer)) / len(words(SPOKEN[b]))


ALL = NBest(1000, 1000)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize(("criterion", "loss"), [(MPE, label_errors), (MWER, word_errors)])
def test_expected_errors_of_the_task_are_those_over_all_paths(criterion, loss, scale):
    task, batch = little_task(criterion(scale), ALL)
    (found,) = task.loss(task.net, batch).values()
    the_same_in_the_net(task, found, risks_by_enumeration(task, batch, loss, scale))


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_wrong_frames_of_the_task_are_those_over_all_paths(scale):
    task, batch = little_task(SMBR(scale), ALL)
    log_probs = task.net(batch.features_BTD, batch.frames_B)[0].log_softmax(-1).transpose(0, 1)
    right = aligned(log_probs, batch.frames_B, SPOKEN).t().tolist()

    def wrong(b, path, answer):
        return sum(one != other for one, other in zip(path, right[b], strict=False)) / len(path)

    (found,) = task.loss(task.net, batch).values()
    the_same_in_the_net(task, found, risks_by_enumeration(task, batch, wrong, scale))


@pytest.mark.parametrize("rivals", [ALL, WordLoop(-0.5)])
def test_mmi_of_the_task_is_the_transcripts_share_of_all_paths(rivals):
    task, batch = little_task(MMI(), rivals)
    log_probs = task.net(batch.features_BTD, batch.frames_B)[0].log_softmax(-1)
    expected = 0
    for b, frames in enumerate(batch.frames_B.tolist()):
        weights = [(h, w) for _, h, w in paths_of(log_probs[b, :frames])]
        if isinstance(rivals, WordLoop):  # "", "a", "a a", "a a a"
            known = [ALPHABET.encode(" ".join(["a"] * n)) for n in range(4)]
            weights = [(h, w - 0.5 * len(words(h))) for h, w in weights if list(h) in known]
        spoken = torch.stack([w for h, w in weights if list(h) == SPOKEN[b]]).logsumexp(0)
        expected += (torch.stack([w for _, w in weights]).logsumexp(0) - spoken) / len(SPOKEN[b]) / 2
    (found,) = task.loss(task.net, batch).values()
    the_same_in_the_net(task, found, expected)


def the_same_in_the_net(task, found, expected):
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    parameters = list(task.net.parameters())
    ours, theirs = (torch.autograd.grad(one, parameters, retain_graph=True) for one in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
    assert theirs[0].abs().max() > 1e-3


def test_ctc_has_its_share():
    alone, batch = little_task(MWER(), ALL)
    mixed, _ = little_task(MWER(), ALL, 0.25)
    control, _ = little_task(MWER(), ALL, 1.0)
    terms, ctc = mixed.loss(mixed.net, batch), control.loss(control.net, batch)
    assert set(ctc) == {"ctc"}
    torch.testing.assert_close(terms["ctc"], 0.25 * ctc["ctc"])
    torch.testing.assert_close(terms["mwer"], 0.75 * alone.loss(alone.net, batch)["mwer"])


def test_errors_of_answers_ask_for_a_list_of_them():
    task, batch = little_task(MPE(), WordLoop())
    with pytest.raises(InputError, match="rivals: expected NBest, since this criterion counts"):
        task.loss(task.net, batch)


# Training

HERTZ = {"a": 400, "b": 560, "c": 700}


class FaintTones(SpeechData):
    """Each word is a tone of 80 ms in noise that often hides it."""

    def load(self):
        generator = torch.Generator().manual_seed(0)
        return {name: self.made(generator, count) for name, count in (("train", 60), ("test", 40))}

    def made(self, generator, count):
        texts = [" ".join("abc"[i] for i in torch.randint(0, 3, (3,), generator=generator)) for _ in range(count)]
        sounds = [self.sound(text.split(), generator) for text in texts]
        return Utterances.of(sounds, texts, ["s"] * count, [f"u{i}" for i in range(count)], 8000)

    def sound(self, tones, generator):
        t = torch.arange(640) / 8000
        whole = torch.cat([torch.cat([torch.zeros(480), 0.1 * torch.sin(2 * math.pi * HERTZ[w] * t)]) for w in tones])
        return whole + 0.2 * torch.randn(len(whole), generator=generator)


def faint():
    return FaintTones(features=Features(rate=8000, bands=20, stack=2), units="words", batch_size=20, seed=0)


def net_of(data, channels=16):
    torch.manual_seed(0)
    return Conv(data.features.size, len(data.alphabet), channels, (5,), 1, 0.0)


def after_ctc(quick, tmp_path, channels=16):
    data, path = faint(), tmp_path / "ctc.ckpt"
    task = CTCRecognition(net_of(data, channels), partial(torch.optim.AdamW, lr=5e-3))
    trainer = quick(max_epochs=12, threads=1)
    trainer.fit(task, datamodule=data)
    trainer.save_checkpoint(path)
    return str(path)


def training(data, criterion, start, **kwargs):
    adam = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.0)
    return SequenceTraining(net_of(data), adam, criterion, NBest(6, 8), start, **kwargs)


def risk_of(task, data):
    """Expected errors of the training set."""
    task.eval()
    with torch.no_grad():
        return float(sum(task.loss(task.net, data.batch("train", torch.arange(60))).values()))


@pytest.mark.parametrize("criterion", [MPE(), MWER(), SMBR(), MMI()], ids=lambda one: one.name)
def test_what_is_asked_for_gets_less(criterion, quick, tmp_path):
    start, data = after_ctc(quick, tmp_path), faint()
    task = training(data, criterion, start, ctc_share=0.0)
    trainer = quick(max_epochs=8, threads=1)
    trainer.fit(task, datamodule=data)
    after = risk_of(task, data)
    take_weights(task.net, data.alphabet, start)
    before = risk_of(task, data)
    assert after < 0.7 * before
    assert before > 0.02


def test_a_start_that_is_none_is_refused_in_one_line(quick, tmp_path):
    data = faint()
    other = str(tmp_path / "other.ckpt")
    weights = {f"net.{name}": value for name, value in net_of(data, 8).state_dict().items()}
    save_atomically({"state_dict": weights, "global_step": 1}, other)
    same = str(tmp_path / "same.ckpt")
    weights = {f"net.{name}": value for name, value in net_of(data).state_dict().items()}
    kept = {"units": ["a", "b", "d"], "kind": "words"}
    save_atomically({"state_dict": weights, "global_step": 1, "Others": kept}, same)
    for start, message in (
        (None, "expected a run or checkpoint that CTC has trained, got none; train one"),
        ("speech/none_such", "expected a run or checkpoint, got speech/none_such, which is not"),
        (other, "expected a checkpoint of the same net, got another in"),
        (same, "expected the alphabet of the data, got another in"),
    ):
        with pytest.raises(InputError, match=f"model.start_from: {message}") as refused:
            quick(max_epochs=1, threads=1).fit(training(data, MWER(), start), datamodule=data)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: NBest(9, 8), "expected 1 <= count <= width, got count 9, width 8"),
        (lambda: NBest(2, 8, bonus=0.1), "bonus: expected 0 without an n-gram, got 0.1"),
        (lambda: MWER(0.0), "scale: expected more than 0, got 0"),
        (lambda: little_task(MWER(), ALL, 1.5), "ctc_share: expected a number in 0..1, got 1.5"),
        (lambda: WordLoop(most=1).made(ALPHABET, ["a", "aa"]), "expected at most 1 words for WordLoop, got 2"),
    ],
)
def test_contradictions_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        wrong()
