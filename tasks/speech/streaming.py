"""Speech recognised as it comes: what a one-directional net says of a whole file, from pieces of any size.

Legend: S = samples, T = frames, D = features, V = labels with the blank.
"""

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from tasks.speech.alphabet import Alphabet
from tasks.speech.features import Features, stacked
from tasks.speech.forced_alignment import Timed
from tasks.speech.losses import BLANK
from tasks.speech.networks.causal import Past
from zoo.errors import InputError


@runtime_checkable
class OneDirectional(Protocol):
    """A net whose logits need `lookahead` frames more than their own and what came before."""

    lookahead: int
    scale: nn.Module  # features [T, D] -> the same, normalised

    def start(self, batch: int = 1) -> Past:
        """What came before the first frame."""

    def advance(self, scaled_BTD: Tensor, past: Past) -> tuple[Tensor, Past]:
        """Logits of the next frames, and what comes before those after."""


class FeatureStream:
    """`features(samples)` from pieces of the samples.

    Raises:
        InputError: features that need the whole utterance.
    """

    def __init__(self, features: Features):
        wanting = {"normalise": features.normalise, "deltas": features.deltas > 0, "kind": features.kind == "kaldi"}
        wanting["floor_db"] = features.floor_db is not None
        for name, is_so in wanting.items():
            if is_so:
                raise InputError(
                    f"data.features.{name}: expected features that do not wait for the end of the utterance, got "
                    f"{getattr(features, name)}; train with normalise false, deltas 0 and log_mel or mfcc to stream"
                )
        self.features = features
        self._samples_S, self._frames_TD = torch.zeros(features.reach), None

    def push(self, samples_S: Tensor, last: bool = False) -> Tensor:
        """The (stacked) frames [T, D] that these samples complete; `last`: and no samples follow."""
        samples_S = torch.cat([self._samples_S, samples_S])
        if last:
            samples_S = pad(samples_S, (0, self.features.reach))
        hop, fits = self.features.hop, max(0, (len(samples_S) - 2 * self.features.reach) // self.features.hop + 1)
        used = (fits - 1) * hop + 2 * self.features.reach
        frames_TD = self.features.of_windows(samples_S[:used]) if fits else torch.zeros(0, self._bands)
        self._samples_S = samples_S[fits * hop :]
        if self._frames_TD is not None:
            frames_TD = torch.cat([self._frames_TD, frames_TD])
        whole = len(frames_TD) if last else len(frames_TD) // self.features.stack * self.features.stack
        self._frames_TD = frames_TD[whole:]
        return stacked(frames_TD[:whole], self.features.stack)

    @property
    def _bands(self) -> int:
        return self.features.size // self.features.stack


class LogitStream:
    """`net(features(samples))` from pieces of the samples; the logits come `lookahead` frames late.

    Raises:
        InputError: a net that looks both ways.
    """

    def __init__(self, net: nn.Module, features: Features):
        if not isinstance(net, OneDirectional):
            raise InputError(
                f"--stream: expected a one-directional net such as Causal, got {type(net).__name__}, which needs the "
                "whole utterance; leave --stream out"
            )
        self.net, self._features = net.eval(), FeatureStream(features)
        self._past, self._early = net.start(), net.lookahead  # logits to come that are of no frame

    @torch.no_grad()
    def push(self, samples_S: Tensor, last: bool = False) -> Tensor:
        """The logits [T, V] that these samples complete; `last`: and no samples follow."""
        frames_TD = self._features.push(samples_S, last)
        scaled_TD = self.net.scale(frames_TD) if len(frames_TD) else frames_TD
        if last:
            scaled_TD = pad(scaled_TD, (0, 0, 0, self.net.lookahead))
        logits_BTV, self._past = self.net.advance(scaled_TD[None], self._past)
        skipped = min(self._early, logits_BTV.shape[1])
        self._early -= skipped
        return logits_BTV[0, skipped:]


class WordStream:
    """Words of the best path as they end.

    Args:
        alphabet: of the net.
        seconds_per_frame: of its logits.
    """

    def __init__(self, alphabet: Alphabet, seconds_per_frame: float):
        self.alphabet, self.seconds_per_frame = alphabet, seconds_per_frame
        self._frame, self._last, self._letters = 0, BLANK, []

    def push(self, logits_TV: Tensor, last: bool = False) -> list[Timed]:
        """The words that end in these frames."""
        words = []
        best = logits_TV.float().log_softmax(-1).max(-1)
        for log_prob, label in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            if label not in (BLANK, self._last):
                words += self._letter(self.alphabet.texts[label], log_prob)
            self._last, self._frame = label, self._frame + 1
        return words + (self._word() if last else [])

    def _letter(self, text: str, log_prob: float) -> list[Timed]:
        words = self._word() if text == " " or self.alphabet.kind == "words" else []
        if text != " ":
            self._letters.append((text, self._frame, log_prob))
        return words

    def _word(self) -> list[Timed]:
        letters, self._letters = self._letters, []
        if not letters:
            return []
        start, end = (letters[0][1] * self.seconds_per_frame, (letters[-1][1] + 1) * self.seconds_per_frame)
        confidence = math.exp(sum(log_prob for _, _, log_prob in letters) / len(letters))
        return [Timed("".join(text for text, _, _ in letters), start, end, confidence)]
