"""Convolutions below an LSTM, and batches of like length."""

import torch

from tasks.speech.data import SpeechData, Utterances
from tasks.speech.features import Features
from tasks.speech.networks import ConvBiLSTM


def test_an_answer_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    net = ConvBiLSTM(6, 4, 8, (3, 5), 7, 2, 3).double().eval()
    for norm in (module for module in net.modules() if isinstance(module, torch.nn.BatchNorm1d)):
        norm.running_mean.normal_()
        norm.bias.data.normal_()
    frames = torch.tensor([23, 9, 1, 16])
    features = torch.randn(4, 23, 6, dtype=torch.float64)
    for n, length in enumerate(frames):
        features[n, length:] = 0
    together, kept = net(features, frames)
    assert kept.tolist() == net.frames_out(frames).tolist() == [8, 3, 1, 6]
    for n, length in enumerate(frames):
        alone, _ = net(features[n : n + 1, :length], frames[n : n + 1])
        torch.testing.assert_close(alone[0], together[n, : kept[n]], atol=1e-10, rtol=0)


class Lengths(SpeechData):
    """Noises of 64 different lengths."""

    def load(self):
        """See `SpeechData.load`."""
        sounds = [torch.randn(400 + 80 * n) / 9 for n in torch.randperm(64).tolist()]
        whole = Utterances.of(sounds, ["a"] * 64, ["s"] * 64, [f"u{n}" for n in range(64)], 8000)
        return {"train": whole, "test": whole.take([0])}


def padding(data) -> float:
    """Share of the frames of an epoch that are padding; every utterance must come once."""
    data.setup()
    batches = list(data.train_dataloader())
    lengths = sorted(n for batch in batches for n in batch.frames_B.tolist())
    assert lengths == sorted(data.batch("train", torch.arange(64)).frames_B.tolist())
    return 1 - sum(int(b.frames_B.sum()) for b in batches) / sum(b.features_BTD.shape[:2].numel() for b in batches)


def test_batches_of_like_length_have_little_padding():
    plain, sorted_ = (Lengths(features=Features(rate=8000, bands=20), batch_size=8, pool=pool) for pool in (1, 8))
    assert padding(plain) > 0.2
    assert padding(sorted_) < 0.08
