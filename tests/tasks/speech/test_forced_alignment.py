"""Times of letters and words: the best of all paths, and where eSpeak NG says that it spoke them."""

import itertools
import math

import pytest
import torch

from tasks.speech.alphabet import Alphabet
from tasks.speech.audio import Audio, resampled
from tasks.speech.data.made import digit_texts
from tasks.speech.decoding import collapsed
from tasks.speech.features import Features
from tasks.speech.forced_alignment import Timed, timed_labels, timed_letters, timed_words
from tasks.speech.losses import ctc_loss, frames_needed
from tasks.speech.made_voices import Synthesiser, Voice, spoken
from tasks.speech.networks import Causal
from zoo.errors import InputError


def runs(path):
    """(first, behind the last, label) of every run of a label that is no blank."""
    found, at = [], 0
    for label, group in itertools.groupby(path):
        length = len(list(group))
        found += [(at, at + length, label)] if label else []
        at += length
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_best_of_all_paths_is_found(seed):
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(6, 3, generator=generator).mul(2).log_softmax(-1)
    labels = torch.randint(1, 3, (1 + seed % 4,), generator=generator).tolist()
    if frames_needed(labels) > 6:
        labels = labels[:2]
    paths = [path for path in itertools.product(range(3), repeat=6) if collapsed(list(path)) == labels]
    best = max(paths, key=lambda path: sum(float(log_probs[t, label]) for t, label in enumerate(path)))
    found = timed_labels(log_probs, labels)
    assert [(start, end) for start, end, _ in found] == [(start, end) for start, end, _ in runs(best)]
    for (start, end, score), label in zip(found, labels, strict=True):
        assert score == pytest.approx(float(log_probs[start:end, label].mean()), abs=1e-5)


def test_times_confidence_and_words():
    alphabet = Alphabet.of(["on no"])  # space, n, o
    path = [0, 3, 3, 2, 1, 1, 2, 0, 3]
    probs = torch.full((9, 4), 0.1 / 3)
    probs[torch.arange(9), torch.tensor(path)] = 0.9
    letters = timed_letters(probs.log(), [3, 2, 1, 2, 3], alphabet, 0.02, start=1.0)
    assert "".join(letter.text for letter in letters) == "on no"
    assert (letters[0].start, letters[0].end) == pytest.approx((1.02, 1.06))
    assert letters[0].confidence == pytest.approx(0.9)
    words = timed_words([*letters[:-1], Timed("o", 1.16, 1.18, 0.4)])
    assert [word.text for word in words] == ["on", "no"]
    assert (words[1].start, words[1].end) == pytest.approx((1.12, 1.18))
    assert words[1].confidence == pytest.approx(math.sqrt(0.9 * 0.4))
    assert timed_letters(probs.log(), [], alphabet, 0.02) == [] and timed_words([]) == []


def test_too_few_frames():
    with pytest.raises(InputError, match="expected 3 frames or more for 2 labels, got 2"):
        timed_labels(torch.zeros(2, 3).log_softmax(-1), [1, 1])


FEATURES = Features(rate=8000, bands=30, stack=2, normalise=False)


@pytest.fixture(scope="module")
def trained():
    """A net that has learned digits of one voice, its alphabet, and a synthesiser."""
    pytest.importorskip("espeakng_loader")
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    synthesiser, texts = Synthesiser.anew(), digit_texts(160, 4, 0.0, seed=0)
    alphabet = Alphabet.of(texts, "words")
    frames = [FEATURES(at_8000(spoken(text, Voice("en-us"), synthesiser))) for text in texts]
    labels = [torch.tensor(alphabet.encode(text)) for text in texts]
    net = Causal(60, len(alphabet), 64, (1, 2, 4, 4), lookahead=10, dropout=0.0)
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
    padded = torch.nn.utils.rnn.pad_sequence
    for number in range(16 * 10):
        chosen = torch.arange(16 * (number % 10), 16 * (number % 10) + 16).tolist()
        frames_B, lengths_B = (torch.tensor([len(one[n]) for n in chosen]) for one in (frames, labels))
        logits, _ = net(padded([frames[n] for n in chosen], batch_first=True), frames_B)
        labels_BU = padded([labels[n] for n in chosen], batch_first=True)
        loss = ctc_loss(logits.log_softmax(-1).transpose(0, 1), labels_BU, frames_B, lengths_B).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    return net.eval(), alphabet, synthesiser


def at_8000(said):
    return resampled(Audio(said.samples_S, said.rate), 8000).samples_S


@pytest.mark.slow
def test_words_are_heard_while_espeak_speaks_them(trained):
    """Texts that training did not have: nine in ten peaks lie inside of their words, give or take 0.05 s."""
    net, alphabet, synthesiser = trained
    inside, late = [], []
    for text in digit_texts(40, 6, 0.0, seed=7):
        said = spoken(text, Voice("en-us"), synthesiser)
        features = FEATURES(at_8000(said))
        with torch.no_grad():
            logits, _ = net(features[None], torch.tensor([len(features)]))
        words = timed_letters(logits[0].log_softmax(-1), alphabet.encode(text), alphabet, FEATURES.seconds_per_frame)
        assert [word.text for word in words] == [word.name for word in said.words]
        ends = [word.start for word in said.words[1:]] + [len(said.samples_S) / said.rate]
        for word, truth, end in zip(words, said.words, ends, strict=True):
            inside.append(truth.start - 0.05 <= (word.start + word.end) / 2 <= end + 0.05)
            late.append(word.start - truth.start)
    assert sum(inside) >= 0.9 * len(inside)
    assert sum(abs(one) < 0.4 for one in late) >= 0.95 * len(late)
