"""A text cut at its tokens: what a map is drawn on and what a table lists."""

from collections.abc import Sequence
from unicodedata import category

JOINER = "\u200d"


def pieces(text: str, offsets: Sequence[tuple[int, int]], values: Sequence[float]) -> list[tuple[str, float | None]]:
    """(characters, value) of every token, and (characters, None) between them; the strings join to `text` exactly.

    Tokens that share a character become one piece, whose value is their sum; so do those of one written sign: accents
    belong to their letter, and emoji that are joined or coloured stay together. A token without characters (of an
    empty sentence) has no piece.

    Args:
        text: the original sentence.
        offsets: first character and the one behind the last of every token, in order.
        values: one a token.

    >>> pieces("A  bird!", [(0, 1), (3, 7)], [0.5, 2.0])
    [('A', 0.5), ('  ', None), ('bird', 2.0), ('!', None)]
    """
    found: list[tuple[str, float | None]] = []
    at = 0
    for start, stop, value in spans(text, offsets, values):
        if start > at:
            found.append((text[at:start], None))
        found.append((text[start:stop], value))
        at = stop
    if at < len(text):
        found.append((text[at:], None))
    return found


def spans(text: str, offsets: Sequence[tuple[int, int]], values: Sequence[float]) -> list[tuple[int, int, float]]:
    """(start, stop, value) of the pieces that have a value, disjoint and in order."""
    found: list[tuple[int, int, float]] = []
    for (start, stop), value in zip(offsets, values, strict=True):
        while 0 < stop < len(text) and _continues(text, stop):
            stop += 1
        if start >= stop:
            continue
        if found and start < found[-1][1]:
            first, last, former = found.pop()
            found.append((first, max(last, stop), former + value))
        else:
            found.append((start, stop, value))
    return found


def _continues(text: str, at: int) -> bool:
    """Whether the character there is drawn with the one before it."""
    joined = text[at - 1] == JOINER and not text[at].isspace()
    return (
        joined or text[at] == JOINER or category(text[at]) in ("Mn", "Me") or "\U0001f3fb" <= text[at] <= "\U0001f3ff"
    )
