"""Pieces of any size give what the whole sound gives: resampling, features, logits, words."""

import pytest
import torch

from tasks.speech.alphabet import Alphabet
from tasks.speech.audio import Audio, resampled
from tasks.speech.decoding import collapsed
from tasks.speech.features import Features
from tasks.speech.networks import BiLSTM, Causal
from tasks.speech.resampling import Resampler
from tasks.speech.streaming import FeatureStream, LogitStream, WordStream
from zoo.errors import InputError

FEATURES = Features(rate=8000, bands=20, stack=3, normalise=False)
SIZES = (1, 79, 80, 333, 5000, 100_000)


def pieces(samples_S, size, push):
    parts = list(samples_S.split(size))
    return torch.cat([push(part, last=part is parts[-1]) for part in parts])


def noise(samples=4001, seed=0):
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 6000, 7999])
@pytest.mark.parametrize("size", [777, 100_000])
def test_resampled_pieces(rate, size):
    whole = resampled(Audio(noise(9001), rate), 8000).samples_S
    torch.testing.assert_close(pieces(noise(9001), size, Resampler(rate, 8000).push), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["log_mel", "mfcc"])
def test_features_of_pieces(kind, size):
    features = Features(kind, 8000, 20, stack=3, normalise=False)
    samples = noise()[:800] if size == 1 else noise()
    found = pieces(samples, size, FeatureStream(features).push)
    torch.testing.assert_close(found, features(samples), atol=1e-5, rtol=1e-5)


def trained_a_little(lookahead):
    """A net whose running statistics are not those that it starts with."""
    torch.manual_seed(0)
    net = Causal(60, 7, 16, (1, 2, 3), lookahead)
    for seed in range(3):
        net(FEATURES(noise(seed=seed))[None], torch.tensor([17]))
    return net.eval()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lookahead", [0, 5])
def test_logits_of_pieces(lookahead, size):
    net = trained_a_little(lookahead)
    samples = noise()[:800] if size == 1 else noise()
    features = FEATURES(samples)
    whole, _ = net(features[None], torch.tensor([len(features)]))
    found = pieces(samples, size, LogitStream(net, FEATURES).push)
    torch.testing.assert_close(found, whole[0].detach(), atol=1e-5, rtol=1e-5)


def test_a_logit_knows_its_lookahead_and_no_more():
    net = trained_a_little(5)
    features = FEATURES(noise(16001))[None].requires_grad_()
    logits, _ = net(features, torch.tensor([features.shape[1]]))
    (gradient,) = torch.autograd.grad(logits[0, 20].sum(), features)
    touched = gradient[0].abs().sum(1).nonzero()[:, 0]
    assert touched.min() == 20 + 5 - 2 * (1 + 2 + 3)
    assert touched.max() == 25


def test_words_end_where_spaces_or_the_sound_do():
    alphabet = Alphabet.of(["ab a"])
    path = [0, 2, 2, 3, 0, 1, 1, 2, 0, 2, 2]  # space, a, b
    logits = torch.full((len(path), 4), -5.0)
    logits[torch.arange(len(path)), torch.tensor(path)] = 5.0
    stream = WordStream(alphabet, 0.5)
    found = [stream.push(logits[t : t + 1], last=t == len(path) - 1) for t in range(len(path))]
    assert [len(words) for words in found] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    words = [word for part in found for word in part]
    assert [(word.text, word.start, word.end) for word in words] == [("ab", 0.5, 2.0), ("aa", 3.5, 5.0)]
    assert " ".join(word.text for word in words) == alphabet.decode(collapsed(path))
    assert all(0.999 < word.confidence <= 1 for word in words)


def test_what_cannot_stream_is_refused():
    with pytest.raises(InputError, match="expected a one-directional net such as Causal, got BiLSTM"):
        LogitStream(BiLSTM(60, 7), FEATURES)
    for wrong in (Features(rate=8000), Features(normalise=False, deltas=1), Features("kaldi", normalise=False)):
        with pytest.raises(InputError, match="expected features that do not wait for the end"):
            FeatureStream(wrong)
