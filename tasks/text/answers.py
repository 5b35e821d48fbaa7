"""`zoo predict RUN --text ...` and `--file ...`: a user's own sentences, answered from the checkpoint alone."""

import sys
from pathlib import Path
from typing import Any

from torch import nn

from tasks.text.answer_files import answer_file
from tasks.text.data import TextData
from tasks.text.judged import answers_to
from tasks.text.word_values import integrated, word_values
from zoo.errors import InputError
from zoo.reports.words import strongest, verdict, words_ansi, words_marked
from zoo.terminal import takes_colours


def answer(net: nn.Module, data: TextData, options: dict[str, Any], folder: Path) -> None:
    """Print the answers to `text`, or write those to the lines of `file`.

    Args:
        net: the sentence net.
        data: its tokeniser and class names; its sentences are not needed.
        options: text (sentences) or file and, for a table, column; output.
        folder: where an output goes that has no name.

    Raises:
        InputError: options that do not go together, or a text or file that cannot be read.
    """
    if ("text" in options) == ("file" in options):
        got = "both" if "text" in options else "neither"
        raise InputError(f"zoo predict: expected --text or --file, got {got}; give one of them")
    if "text" in options:
        if others := {"column", "output"} & set(options):
            raise InputError(f"--{min(others)}: expected together with --file, got --text; leave it out")
        print("\n\n".join(in_words(net, data, options["text"], takes_colours(sys.stdout))))
        return
    output = Path(options.get("output", folder / "predictions.jsonl"))
    count = answer_file(net, data, Path(options["file"]), options.get("column"), output)
    print(f"{count:,} sentences: {output}")


def in_words(net: nn.Module, data: TextData, texts: list[str], colours: bool) -> list[str]:
    """Class, probabilities, shaded words and the largest values of each text, by integrated gradients."""
    for text in texts:
        refuse_broken(text, "--text")
    seen = answers_to(net, data.tokeniser, texts)
    values_M = word_values(integrated, net, seen.encoded, seen.predicted_N)
    found = []
    for n in range(len(seen)):
        words, chances_C = seen.words(n, values_M), seen.probabilities_NC[n]
        order = chances_C.argsort(descending=True).tolist()
        rest = ", ".join(verdict(data.class_names[c], float(chances_C[c])) for c in order[1:4])
        head = verdict(data.class_names[order[0]], float(chances_C[order[0]])) + f"   ({rest})"
        table = strongest(words)
        width = max((len(word) for word, _ in table), default=0)
        rows = [f"  {word:<{width}}  {value}" for word, value in table]
        line = (words_ansi if colours else words_marked)(words) or "(an empty sentence, read as one unknown word)"
        found.append("\n".join([head, line, *rows]))
    return found


def refuse_broken(text: str, where: str) -> None:
    """Refuse half characters, which a terminal or JSON can hand over and no file can hold.

    Raises:
        InputError: there are some.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: expected UTF-8, got {text[error.start]!r} at character {error.start + 1}; mend the text"
        ) from error
