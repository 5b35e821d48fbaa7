"""Signal and noise of a batch's gradient: planted mean and covariance are recovered, without bias."""

import math

import pytest
import torch

from zoo.errors import InputError
from zoo.probes.batch_gradients import GradientNoise, cosine_to_others, gradient_noise, pooled

P, K = 40, 8
SCALES_P = torch.linspace(0.2, 1.5, P, dtype=torch.float64)  # standard deviations of a chunk's gradient, all different
MEAN_P = torch.linspace(-0.2, 0.3, P, dtype=torch.float64)
SIGNAL, NOISE = float(MEAN_P.square().sum()), float(SCALES_P.square().sum()) / K


def planted(batches, seed=0, mean_P=MEAN_P):
    noise = torch.randn(batches, K, P, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return mean_P + SCALES_P * noise


def estimates(draws, weights_K=None):
    found = [gradient_noise(one, weights_K) for one in draws]
    return torch.stack([f.signal for f in found]), torch.stack([f.noise for f in found])


def off_by(values, truth):
    """Distance of the mean from the truth in standard errors."""
    return abs(float(values.mean()) - truth) / (float(values.std()) / math.sqrt(len(values)))


@pytest.mark.parametrize("mean_P, signal", [(MEAN_P, SIGNAL), (torch.zeros_like(MEAN_P), 0.0)], ids=["signal", "none"])
def test_signal_and_noise_are_unbiased(mean_P, signal):
    signals, noises = estimates(planted(2000, mean_P=mean_P))
    assert off_by(signals, signal) < 3
    assert off_by(noises, NOISE) < 3
    assert float(noises.std()) / math.sqrt(2000) < 0.015 * NOISE  # sharp enough to notice K - 1 taken for K


def test_ratio_and_noise_scale_of_many_batches():
    found = pooled([gradient_noise(one) for one in planted(2000)])
    assert float(found.ratio) == pytest.approx(SIGNAL / NOISE, rel=0.05)
    assert float(found.noise_scale) == pytest.approx(NOISE / SIGNAL, rel=0.05)


def test_error_shrinks_as_one_over_root_n():
    few, many = (torch.stack([estimates(planted(n, seed))[0].mean() for seed in range(40)]).std() for n in (8, 128))
    assert 2.4 < float(few / many) < 6.5  # 4 in theory


@pytest.mark.parametrize("batches", [1, 16, math.inf])
def test_expected_cosine_is_met_by_actual_batches(batches):
    draws = planted(1500, seed=1).mean(1)
    if batches == math.inf:
        others = MEAN_P.expand_as(draws)
    else:
        others = planted(1500 * batches, seed=2).mean(1).view(1500, batches, P).mean(1)
    actual = torch.nn.functional.cosine_similarity(draws, others, dim=1).mean()
    truth = GradientNoise(torch.tensor(SIGNAL), torch.tensor(NOISE))
    assert float(truth.cosine(batches)) == pytest.approx(float(actual), abs=0.02)


def test_cosine_to_others_is_the_brute_force():
    gradients = planted(64, seed=3).mean(1)
    by_hand = [
        torch.nn.functional.cosine_similarity(
            gradients[i], torch.cat([gradients[:i], gradients[i + 1 :]]).mean(0), dim=0
        )
        for i in range(64)
    ]
    assert torch.allclose(cosine_to_others(gradients), torch.stack(by_hand))


def test_weights_make_the_batch_gradient_of_all_samples():
    """Chunks of 1, 2, .. samples: signal + noise is |g|^2 of the gradient over all samples, and the mean of many batches
    finds the signal."""
    sizes = torch.arange(1, K + 1)
    samples = torch.randn(int(sizes.sum()), P, dtype=torch.float64, generator=torch.Generator().manual_seed(4)) + MEAN_P
    chunks = torch.stack([part.mean(0) for part in samples.split(sizes.tolist())])
    found = gradient_noise(chunks, sizes)
    assert float(found.signal + found.noise) == pytest.approx(float(samples.mean(0).square().sum()), rel=1e-12)


def test_no_noise_is_certain_and_no_signal_is_nothing():
    certain = gradient_noise(torch.ones(4, 3))
    assert (float(certain.noise), float(certain.cosine())) == (0.0, 1.0)
    nothing = gradient_noise(torch.tensor([[1.0], [-1.0]]))
    assert float(nothing.signal) == -1.0
    assert (float(nothing.ratio), float(nothing.cosine())) == (0.0, 0.0)


def test_one_chunk_is_refused():
    with pytest.raises(InputError, match="two chunks or more"):
        gradient_noise(torch.ones(1, 3))
