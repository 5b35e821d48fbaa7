"""Another sample rate for sound that comes in pieces.

Legend: S = samples.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from tasks.speech.audio import Audio, resampled

ZERO_CROSSINGS, ROLLOFF = 6, 0.99  # of the windowed sinc of torchaudio's resample


class Resampler:
    """`resampled` from pieces of the samples.

    Whole periods, in which both rates have whole samples, are resampled together with as many beside them as the
    filter is long.

    >>> one = Resampler(3, 2)
    >>> len(torch.cat([one.push(torch.ones(100)), one.push(torch.ones(50), last=True)]))
    100
    """

    def __init__(self, rate: int, new_rate: int):
        common = math.gcd(rate, new_rate)
        self.rate, self.new_rate = rate, new_rate
        self._old, self._new = rate // common, new_rate // common
        width = math.ceil(ZERO_CROSSINGS * self._old / (min(self._old, self._new) * ROLLOFF))
        self._beside = math.ceil(width / self._old)  # periods
        self._samples_S = torch.zeros(self._beside * self._old)

    def push(self, samples_S: Tensor, last: bool = False) -> Tensor:
        """What these samples complete; `last`: and no samples follow."""
        if self.rate == self.new_rate:
            return samples_S
        samples_S = torch.cat([self._samples_S, samples_S])
        real = len(samples_S) - self._beside * self._old  # without the ones kept from before
        periods = math.ceil(real / self._old) if last else max(0, real // self._old - self._beside)
        if last:
            samples_S = pad(samples_S, (0, (periods + 2 * self._beside) * self._old - len(samples_S)))
        self._samples_S = samples_S[periods * self._old :]
        if not periods:
            return samples_S[:0]
        used = samples_S[: (periods + 2 * self._beside) * self._old]
        whole = resampled(Audio(used, self.rate), self.new_rate).samples_S
        kept = whole[self._beside * self._new :][: periods * self._new]
        return kept[: math.ceil(real * self._new / self._old)] if last else kept
