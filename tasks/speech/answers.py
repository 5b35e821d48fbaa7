"""`zoo predict RUN FILE...`: what was said in sound files, when, and how sure that is; from the checkpoint alone.

Legend: T = frames, V = labels with the blank.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.speech.audio_windows import Window, checked_seconds, sound_blocks, windows
from tasks.speech.data import SpeechData
from tasks.speech.decoding import greedy
from tasks.speech.forced_alignment import Timed, timed_letters, timed_words
from tasks.speech.resampling import Resampler
from tasks.speech.streaming import LogitStream, WordStream
from zoo.atomic import writing_atomically
from zoo.errors import InputError

Decode = Callable[[Tensor, Tensor], list[list[int]]]  # log_probs_TBV, frames_B -> labels of each utterance


@dataclass(frozen=True)
class Heard:
    """Words and letters of a file, with their times in seconds."""

    file: Path
    seconds: float
    words: list[Timed]
    letters: list[Timed]

    @property
    def text(self) -> str:
        """The words."""
        return " ".join(word.text for word in self.words)


def answer(net: nn.Module, data: SpeechData, options: dict[str, Any], decode: Decode = greedy) -> None:
    """Print what is said in `files`, or write it to `output`; with `stream` print the words as they come.

    All files are read through before the first is recognised: what is wrong with one is said before anything else.

    Args:
        net: the recogniser.
        data: its features and alphabet; its utterances are not needed.
        options: files; output, a file .jsonl; stream.
        decode: from log-probabilities to labels.

    Raises:
        InputError: a file without speech in it, options that do not go together, or an output that cannot be written.
    """
    files = [Path(file) for file in options["files"]]
    output = Path(options["output"]) if "output" in options else None
    if output is not None:
        _check_output(output, files, "stream" in options)
    seconds = [checked_seconds(file) for file in files]
    pairs = zip(files, seconds, strict=True)
    if "stream" in options:
        for file, length in pairs:
            _print_head(file, length)
            for word in words_as_they_come(net, data, file):
                print(_line(word), flush=True)
        return
    found = (heard(net, data, file, length, decode) for file, length in pairs)
    if output is None:
        for one in found:
            _print_head(one.file, one.seconds)
            print("\n".join([one.text or "(nothing)", *map(_line, one.words)]), flush=True)
        return
    with writing_atomically(output) as out:
        for one in found:
            out.write(json.dumps(_row(one), ensure_ascii=False) + "\n")
    print(f"{len(files):,} {'file' if len(files) == 1 else 'files'}: {output}")


def heard(net: nn.Module, data: SpeechData, file: Path, seconds: float, decode: Decode = greedy) -> Heard:
    """What is said in a file, window by window: whatever its length, only one window is in memory."""
    letters, words = [], []
    for window in windows(file, data.features.rate):
        some = letters_of(net, data, window, decode)
        letters += some
        words += some if data.alphabet.kind == "words" else timed_words(some)
    return Heard(file, seconds, words, letters)


@torch.no_grad()
def letters_of(net: nn.Module, data: SpeechData, window: Window, decode: Decode = greedy) -> list[Timed]:
    """Letters, or words where those are the units, of a window, by forced alignment with the labels decoded."""
    features_TD = data.features(window.audio.samples_S)
    logits_BTV, frames_B = net(features_TD[None], torch.tensor([len(features_TD)]))
    log_probs_BTV = logits_BTV.float().log_softmax(-1)
    (labels,) = decode(log_probs_BTV.transpose(0, 1), frames_B)
    frame = len(features_TD) / int(frames_B[0]) * data.features.seconds_per_frame
    return timed_letters(log_probs_BTV[0, : frames_B[0]], labels, data.alphabet, frame, window.start)


def words_as_they_come(net: nn.Module, data: SpeechData, file: Path) -> Iterator[Timed]:
    """Words of a file by a one-directional net, each as it ends.

    Raises:
        InputError: a net or features that need the whole utterance.
    """
    logits, words = LogitStream(net, data.features), WordStream(data.alphabet, data.features.seconds_per_frame)
    resampler = None
    for block in sound_blocks(file):
        resampler = resampler or Resampler(block.rate, data.features.rate)
        yield from words.push(logits.push(resampler.push(block.samples_S)))
    rest_S = resampler.push(torch.zeros(0), last=True) if resampler else torch.zeros(0)
    yield from words.push(logits.push(rest_S, last=True), last=True)


def _check_output(output: Path, files: Sequence[Path], stream: bool) -> None:
    if stream:
        raise InputError("--stream: expected words on the terminal, got --output too; leave one of them out")
    if output.suffix.lower() != ".jsonl":
        raise InputError(f"--output: expected a file named .jsonl, got {output.name}; rename it")
    if any(output.resolve() == file.resolve() for file in files):
        raise InputError(f"--output: expected another file than those to hear, got {output} twice; mend one of them")


def _print_head(file: Path, seconds: float) -> None:
    print(f"{file}: {seconds:.2f} s", flush=True)


def _line(word: Timed) -> str:
    return f"  {word.start:8.2f} {word.end:8.2f}  {word.confidence:4.0%}  {word.text}"


def _row(one: Heard) -> dict[str, Any]:
    return {
        "file": str(one.file),
        "seconds": round(one.seconds, 3),
        "text": one.text,
        "words": [_timed(word) for word in one.words],
        "letters": [_timed(letter) for letter in one.letters],
    }


def _timed(unit: Timed) -> dict[str, Any]:
    times = {"start": round(unit.start, 3), "end": round(unit.end, 3)}
    return {"text": unit.text, **times, "confidence": round(unit.confidence, 4)}
