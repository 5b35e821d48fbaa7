"""Recorded utterances of a split.

Legend: N = utterances, M = samples of all of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import InputError


@dataclass(frozen=True)
class Utterances:
    """Sound as 16-bit samples in one flat tensor, so that a whole set fits into memory, with what was said by whom.

    Args:
        samples_M: int16, utterance n has samples starts[n] .. starts[n + 1] - 1.
        starts: [N + 1].
        texts: what was said.
        speakers: who said it.
        names: of the utterances, for messages.
        rate: samples a second, of all.
    """

    samples_M: Tensor
    starts: Tensor
    texts: list[str]
    speakers: list[str]
    names: list[str]
    rate: int

    def __post_init__(self) -> None:
        lengths = {len(self.texts), len(self.speakers), len(self.names), len(self.starts) - 1}
        if len(lengths) != 1:
            raise InputError(f"utterances: expected as many texts, speakers and names as sounds, got {sorted(lengths)}")

    @classmethod
    def of(
        cls, sounds: list[Tensor], texts: list[str], speakers: list[str], names: list[str], rate: int
    ) -> "Utterances":
        """From one float tensor [S] in -1..1 an utterance."""
        lengths = torch.tensor([0, *(len(sound) for sound in sounds)])
        flat = torch.cat(sounds).mul(32767).round().clamp(-32768, 32767).to(torch.int16)
        return cls(flat, lengths.cumsum(0), texts, speakers, names, rate)

    def __len__(self) -> int:
        return len(self.texts)

    def samples(self, n: int) -> Tensor:
        """Utterance n, float32 in -1..1."""
        return self.samples_M[self.starts[n] : self.starts[n + 1]].float() / 32767

    def take(self, chosen: list[int]) -> "Utterances":
        """The utterances of these indices."""
        pick = [[part[i] for i in chosen] for part in (self.texts, self.speakers, self.names)]
        pieces = [self.samples_M[self.starts[i] : self.starts[i + 1]] for i in chosen]
        lengths = torch.tensor([0, *(len(piece) for piece in pieces)])
        return Utterances(torch.cat(pieces) if pieces else self.samples_M[:0], lengths.cumsum(0), *pick, self.rate)
