"""The Free Spoken Digit Dataset, as `data_scripts/fsdd.py` has stored it: single digits, or strings of them."""

from dataclasses import replace
from typing import Any

from tasks.speech.data.companions import Companions, joined
from tasks.speech.data.speech_data import SpeechData
from tasks.speech.data.stored import stored_utterances
from tasks.speech.data.strung import Strings
from tasks.speech.data.trimming import trimmed
from tasks.speech.data.utterances import Utterances
from zoo.errors import InputError

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
PARTS = ("train", "validation", "test")
OFFICIAL = 5  # recordings 0..4 of each digit and speaker are the test split


class FSDD(SpeechData):
    """3,000 recordings of the ten digits by six speakers, 8 kHz.

    The official split tests recordings 0 to 4 of each digit and speaker: every speaker is in training too. With
    `left_out` all recordings of one speaker are the test split and nothing of that speaker is trained on.

    Args:
        root: folder of all sets.
        left_out: speaker of the test split; None takes the official split.
        validation: a training speaker who is held out, or how many recordings of each digit and training speaker.
        companions: made voices that speak the digits in training too.
        strings: connected digits, strung from single ones in every split; None leaves them single.
        rounds: strings in which each training recording is.
        kwargs: see `SpeechData`.
    """

    def __init__(
        self,
        root: str = "data",
        left_out: str | None = None,
        validation: int | str = 0,
        companions: Companions | None = None,
        strings: Strings | None = None,
        rounds: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, speaker in (("left_out", left_out), ("validation", validation)):
            if isinstance(speaker, str) and speaker not in SPEAKERS:
                raise InputError(f"data.{name}: expected one of {', '.join(SPEAKERS)}, got {speaker!r}; mend it")
        if left_out is not None and left_out == validation:
            raise InputError(f"data.validation: expected a speaker other than left_out, got {validation}; mend it")
        if rounds < 1 or (rounds > 1 and strings is None):
            raise InputError(f"data.rounds: expected 1, or more with data.strings, got {rounds}; mend the recipe")
        self.root, self.left_out, self.validation = root, left_out, validation
        self.companions, self.strings, self.rounds = companions, strings, rounds

    def load(self) -> dict[str, Utterances]:
        """See `SpeechData.load`."""
        whole = stored_utterances(self.root, "fsdd")
        split = [split_of(name, self.left_out, self.validation) for name in whole.names]
        parts = {part: whole.take([n for n, own in enumerate(split) if own == part]) for part in PARTS if part in split}
        if self.companions is not None:
            parts["train"] = joined([parts["train"], without_silence(self.companions.spoken(parts["train"], ()))])
        if self.strings is None:
            return parts
        return {
            part: replace(self.strings, seed=3 * self.strings.seed + PARTS.index(part)).of(one, rounds)
            for part, one in parts.items()
            for rounds in [self.rounds if part == "train" else 1]
        }


def split_of(name: str, left_out: str | None, validation: int | str) -> str:
    """The split of a recording.

    >>> split_of("3_theo_4.wav", None, 0), split_of("3_theo_4.wav", "lucas", "theo"), split_of("3_theo_5.wav", None, 1)
    ('test', 'validation', 'validation')
    """
    _, speaker, number = name.removesuffix(".wav").split("_")
    first = OFFICIAL if left_out is None else 0
    if speaker == left_out or int(number) < first:
        return "test"
    held_out = speaker == validation if isinstance(validation, str) else int(number) < first + validation
    return "validation" if held_out else "train"


def without_silence(utterances: Utterances) -> Utterances:
    """The utterances, trimmed as the recordings are."""
    pieces = [trimmed(utterances.samples(n), utterances.rate) for n in range(len(utterances))]
    return Utterances.of(pieces, utterances.texts, utterances.speakers, utterances.names, utterances.rate)
