"""Any set of utterances under noise, the same for all time where it is judged.

Legend: S = samples.
"""

from typing import Any

import torch

from tasks.speech.augmentations import Noise, with_noise
from tasks.speech.data.speech_data import SpeechData
from tasks.speech.data.utterances import Utterances
from zoo.errors import InputError


class Noisy(SpeechData):
    """White noise at signal-to-noise ratios drawn evenly between `low_db` and `high_db`.

    Args:
        clean: the set; of its settings only those of where it comes from matter.
        low_db: the lowest ratio, in decibels.
        high_db: the highest.
        fresh: whether training utterances get other noise in every batch, or theirs once and for all, which costs less.
        noise_seed: of the noise that stays, apart from the run's seed.
        kwargs: further arguments of `SpeechData`.

    Raises:
        InputError: low_db above high_db.
    """

    def __init__(
        self,
        clean: SpeechData,
        low_db: float,
        high_db: float,
        fresh: bool = True,
        noise_seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if low_db > high_db:
            raise InputError(f"data.low_db: expected at most high_db, got {low_db} above {high_db}; mend the recipe")
        self.clean, self.low_db, self.high_db, self.noise_seed = clean, low_db, high_db, noise_seed
        self.fresh = fresh
        if fresh:
            self.sample_changes = [*self.sample_changes, Noise(low_db, high_db)]

    def load(self) -> dict[str, Utterances]:
        """The clean set's splits under noise, training too unless its noise is fresh."""
        generator = torch.Generator().manual_seed(self.noise_seed)
        splits = sorted(self.clean.load().items())
        clean = {"train"} if self.fresh else set()
        return {name: split if name in clean else self._under_noise(split, generator) for name, split in splits}

    def _under_noise(self, split: Utterances, generator: torch.Generator) -> Utterances:
        sounds = []
        for n in range(len(split)):
            clean_S = split.samples(n)
            ratio_db = self.low_db + (self.high_db - self.low_db) * float(torch.rand((), generator=generator))
            sounds.append(with_noise(clean_S, torch.randn(clean_S.shape, generator=generator), ratio_db))
        return Utterances.of(sounds, split.texts, split.speakers, split.names, split.rate)
