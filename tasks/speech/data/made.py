"""Connected digits by made voices: speech without a recording, the same samples on every call.

Legend: S = samples.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from torchaudio.transforms import Resample

from tasks.speech.data.speech_data import SpeechData
from tasks.speech.data.utterances import Utterances
from tasks.speech.made_voices import Synthesiser, Voice, spoken
from zoo.errors import InputError

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Accents and timbres of eSpeak NG without breath, whose noise no seed repeats; those of a split are in no other.
ACCENTS = {
    "train": ("en", "en-us", "en-gb-scotland", "en-029", "en-gb-x-gbclan"),
    "validation": ("en-gb-x-gbcwmd",),
    "test": ("en-us-nyc", "en-gb-x-rp"),
}
TIMBRES = {
    "train": (
        *("m1", "m2", "m3", "m4", "m5", "m6", "f1", "f2", "f4", "Andy", "Denis", "Gene", "Jacky", "Lee", "Michael"),
        *("adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris", "david", "ed", "edward", "grandma"),
    ),
    "validation": ("m8", "Annie", "ian", "iven", "john", "linda"),
    "test": ("m7", "f3", "f5", "Alex", "Andrea", "grandpa", "max", "michel", "norbert", "paul", "steph", "zac"),
}


def some_voices(
    accents: Sequence[str],
    timbres: Sequence[str],
    words_per_minute: tuple[int, int],
    pitch: tuple[int, int],
    count: int,
    seed: int,
) -> list[Voice]:
    """Voices with accent, timbre, pace and pitch drawn evenly, and any liveliness.

    >>> some_voices(["en-us"], ["f3"], (150, 150), (60, 60), 1, seed=0)[0].name
    'en-us+f3'
    """
    draw = Random(seed)
    return [
        Voice(
            f"{draw.choice(accents)}+{draw.choice(timbres)}",
            draw.randint(*words_per_minute),
            draw.randint(*pitch),
            draw.randint(20, 80),
        )
        for _ in range(count)
    ]


def made_utterances(texts: Sequence[str], voices: Sequence[Voice], rate: int, seed: int) -> Utterances:
    """Every text spoken by one of the voices, drawn by the seed; about 2 ms of CPU time a second of speech.

    The same arguments give the same samples. Punctuation is spoken as pauses and intonation and is no part of the
    transcripts.

    Args:
        texts: words, with commas and full stops where there shall be pauses.
        voices: who may speak.
        rate: samples a second.
        seed: of who says what.

    Raises:
        InputError: no text, no voice, or one that does not exist.

    >>> made_utterances(["one, two"], [Voice("en-us+m1")], 8000, seed=0).texts
    ['one two']
    """
    if not texts or not voices:
        raise InputError(f"made speech: expected texts and voices, got {len(texts)} and {len(voices)}; give some")
    draw, synthesiser = Random(seed), Synthesiser.anew()
    resample = Resample(synthesiser.rate, rate)
    chosen = [draw.choice(voices) for _ in texts]
    sounds = [resample(spoken(text, one, synthesiser).samples_S) for text, one in zip(texts, chosen, strict=True)]
    names = [f"made/{seed}/{n}" for n in range(len(texts))]
    return Utterances.of(sounds, [words_only(text) for text in texts], [one.name for one in chosen], names, rate)


def words_only(text: str) -> str:
    """A text without the punctuation that gives it pauses."""
    return " ".join(text.replace(",", " ").replace(".", " ").split())


def digit_texts(count: int, longest: int, pauses: float, seed: int) -> list[str]:
    """Strings of 1 to `longest` digits in words, drawn evenly, a share `pauses` of the gaps a comma.

    >>> digit_texts(2, 3, 0.5, seed=1)
    ['nine', 'four']
    """
    draw = Random(seed)
    texts = []
    for _ in range(count):
        said = [draw.choice(DIGITS) for _ in range(draw.randint(1, longest))]
        gaps = [", " if draw.random() < pauses else " " for _ in said[1:]]
        texts.append("".join(part for pair in zip(said, [*gaps, ""], strict=True) for part in pair))
    return texts


class MadeSpeech(SpeechData):
    """Connected digits by eSpeak NG; voices of validation and test have accents and timbres that training has not.

    Their pace and pitch go beyond those of training on both sides too. No recorded voice is in it: what a net learns
    here shows that it works, and says nothing about people.

    Args:
        train_size, validation_size, test_size: utterances of each split.
        longest: digits of the longest utterance.
        pauses: share of the gaps between digits that are pauses.
        made_seed: of texts and voices; not the run's, so that runs of any seed have the same test split.
        kwargs: see `SpeechData`.
    """

    def __init__(
        self,
        train_size: int = 2000,
        validation_size: int = 200,
        test_size: int = 500,
        longest: int = 7,
        pauses: float = 0.25,
        made_seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sizes = {"train": train_size, "validation": validation_size, "test": test_size}
        self.longest, self.pauses, self.made_seed = longest, pauses, made_seed
        for name, size in self.sizes.items():
            if size < 1:
                raise InputError(f"data.{name}_size: expected 1 or more, got {size}; mend the recipe")

    def load(self) -> dict[str, Utterances]:
        """See `SpeechData.load`."""
        return {
            name: self._made(name, size, 3 * self.made_seed + n) for n, (name, size) in enumerate(self.sizes.items())
        }

    def _made(self, split: str, size: int, seed: int) -> Utterances:
        beyond = 0 if split == "train" else 1
        paces, pitches = (110 - 10 * beyond, 210 + 10 * beyond), (30 - 5 * beyond, 70 + 5 * beyond)
        voices = some_voices(ACCENTS[split], TIMBRES[split], paces, pitches, size, seed)
        texts = digit_texts(size, self.longest, self.pauses, seed)
        return made_utterances(texts, voices, self.features.rate, seed)
