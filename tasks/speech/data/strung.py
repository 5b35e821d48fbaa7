"""Connected speech strung together from recordings of single words, with pauses between them.

Legend: S = samples.
"""

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from tasks.speech.data.utterances import Utterances
from zoo.errors import InputError


@dataclass(frozen=True)
class Strings:
    """How recordings are strung.

    Args:
        words: recordings a string, all by one speaker.
        pauses: shortest and longest pause between two of them, seconds.
        noise_db: how far the white noise of the pauses lies below the mean power of the string.
        seed: of the choice and the pauses; strings of one seed are always the same.
    """

    words: int = 5
    pauses: tuple[float, float] = (0.1, 0.4)
    noise_db: float = 40.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.words < 1 or not 0 <= self.pauses[0] <= self.pauses[1]:
            raise InputError(
                f"data.strings: expected 1 word or more, pauses in order, got {self.words} and {self.pauses}; mend it"
            )

    def of(self, single: Utterances, rounds: int = 1) -> Utterances:
        """Strings of the recordings, each of which is in one string of a round; a speaker's last few are left out.

        Raises:
            InputError: no speaker has enough of them.
        """
        drawn = [
            group for number in range(rounds) for group in groups(single.speakers, self.words, f"{self.seed}/{number}")
        ]
        if not drawn:
            raise InputError(f"data.strings: expected {self.words} recordings of a speaker or more, got fewer; mend it")
        sounds = [self.sound(single, group, n) for n, group in enumerate(drawn)]
        texts = [" ".join(single.texts[i] for i in group) for group in drawn]
        names = ["+".join(single.names[i] for i in group) for group in drawn]
        return Utterances.of(sounds, texts, [single.speakers[group[0]] for group in drawn], names, single.rate)

    def sound(self, single: Utterances, group: list[int], number: int) -> Tensor:
        """Recordings with pauses between them, [S]; pauses are drawn by the seed and the number of the string."""
        words = [single.samples(i) for i in group]
        power = torch.cat(words).square().mean()
        draw = torch.Generator().manual_seed(1_000_003 * self.seed + number)
        low, high = (round(seconds * single.rate) for seconds in self.pauses)
        pieces = [words[0]]
        for word in words[1:]:
            pause = int(torch.randint(low, high + 1, (), generator=draw))
            noise_S = torch.randn(pause, generator=draw) * (power * 10 ** (-self.noise_db / 10)).sqrt()
            pieces += [noise_S, word]
        return torch.cat(pieces)


def groups(speakers: list[str], size: int, seed: str) -> list[list[int]]:
    """Indices in groups of one speaker, each index at most once, drawn by the seed alone.

    >>> [len(group) for group in groups(["a"] * 5 + ["b"] * 4, 2, "0")]
    [2, 2, 2, 2]
    """
    draw, found = Random(seed), []
    for speaker in sorted(set(speakers)):
        own = [i for i, one in enumerate(speakers) if one == speaker]
        draw.shuffle(own)
        found += [own[i : i + size] for i in range(0, len(own) - size + 1, size)]
    return found
