"""Made speech to train on beside recordings: more words and voices than a small set has."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from tasks.speech.data.made import TIMBRES, made_utterances, some_voices
from tasks.speech.data.utterances import Utterances
from tasks.speech.decoding.decoder import Texts
from zoo.errors import InputError

HERE = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Companions:
    """Utterances of eSpeak NG in many voices that speak training transcripts and further texts.

    Args:
        count: how many there are.
        accents: eSpeak's voices, such as en-us or cs.
        texts: file of further texts, one a line (its last cell, where tabs divide it), perhaps .gz; a relative path
            is looked for beside the package `tasks` too. None: training transcripts only.
        own: share of utterances that speak training transcripts, where there are further texts.
        longest: words of an utterance; what is beyond is not spoken.
        words_per_minute: slowest and fastest.
        seed: of texts and voices.
    """

    count: int
    accents: tuple[str, ...] = ("en-us", "en", "en-gb-x-rp")
    texts: str | None = None
    own: float = 0.3
    longest: int = 14
    words_per_minute: tuple[int, int] = (120, 180)
    seed: int = 0

    def further(self, held_out: Sequence[str], normal: Callable[[str], str]) -> list[str]:
        """Further texts as transcripts; none is a held-out transcript, or contains one of three words or more."""
        return without(further_texts(self.texts, normal), held_out) if self.texts else []

    def spoken(self, train: Utterances, further: Sequence[str]) -> Utterances:
        """The utterances: transcripts of `train`, whose rate is kept, and further texts written in its letters."""
        known, own, draw = set("".join(train.texts)), sorted(set(train.texts)), Random(self.seed)
        further = [text for text in further if set(text) <= known]
        share = self.own if further else 1.0
        said = [draw.choice(own if draw.random() < share else further) for _ in range(self.count)]
        said = [" ".join(text.split()[: self.longest]) for text in said]
        timbres = [timbre for split in TIMBRES.values() for timbre in split]
        voices = some_voices(self.accents, timbres, self.words_per_minute, (30, 80), 200, self.seed)
        return made_utterances(said, voices, train.rate, self.seed)


def trained_with(
    splits: dict[str, Utterances], companions: Companions | None, repeats: int, normal: Callable[[str], str]
) -> tuple[Utterances, Texts]:
    """The training split with its recordings repeated and companions beside them, and what language models learn from.

    Raises:
        InputError: repeats below 1.
    """
    if repeats < 1:
        raise InputError(f"data.repeats: expected 1 or more, got {repeats}; mend the recipe")
    train, further = splits["train"], []
    held_out = [text for name, split in splits.items() if name != "train" for text in split.texts]
    sets = [train] * repeats
    if companions is not None:
        further = companions.further(held_out, normal)
        sets.append(companions.spoken(train, further))
    return joined(sets), Texts(train.texts, further)


def further_texts(path: str, normal: Callable[[str], str]) -> list[str]:
    """Different texts of a file, as transcripts.

    Raises:
        InputError: no such file.
    """
    found = next((file for file in (Path(path), HERE / path) if file.is_file()), None)
    if found is None:
        raise InputError(f"texts: expected a file of texts, got {path}, which does not exist; mend the path")
    raw = found.read_bytes()
    lines = (gzip.decompress(raw) if found.suffix == ".gz" else raw).decode().splitlines()
    return sorted({normal(line.rpartition("\t")[2]) for line in lines} - {""})


def without(texts: Sequence[str], held_out: Sequence[str]) -> list[str]:
    """Texts that are no held-out transcript and contain none of three words or more.

    >>> without(["please press one now", "one", "press the key"], ["press one now", "one", "key"])
    ['press the key']
    """
    short = set(held_out)
    long = [f" {text} " for text in short if len(text.split()) > 2]
    return [text for text in texts if text not in short and not any(part in f" {text} " for part in long)]


def joined(sets: Sequence[Utterances]) -> Utterances:
    """One set after the other, all of one rate."""
    if len({one.rate for one in sets}) != 1:
        raise InputError(f"utterances: expected one sample rate, got {sorted({one.rate for one in sets})}; resample")
    lengths = torch.cat([one.starts.diff() for one in sets])
    starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    lists = ([item for one in sets for item in getattr(one, part)] for part in ("texts", "speakers", "names"))
    return Utterances(torch.cat([one.samples_M for one in sets]), starts, *lists, sets[0].rate)
