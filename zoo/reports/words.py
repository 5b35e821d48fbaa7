"""Sentences with their words shaded by a value each: as HTML for a page, as colours or marks for a terminal.

Orange and a line below speak for the answer, blue and a line above against it, so that no colour need be told apart;
amounts without a sign are green. Shades are relative to a sentence's largest value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

FAINTEST = 0.06  # share of the largest value below which a word stays plain
FOR, AGAINST = (230, 223, 216, 209, 202), (195, 159, 117, 75, 33)  # xterm's colours, each legible under black
STEPS = len(FOR)


@dataclass(frozen=True)
class Word:
    """A piece of a sentence; the pieces join to it exactly.

    Args:
        text: its characters.
        value: None between words.
        unknown: not in the vocabulary.
        unread: behind the length limit, so that the net never saw it.
    """

    text: str
    value: float | None = None
    unknown: bool = False
    unread: bool = False


def words_html(words: Sequence[Word], signed: bool = True) -> str:
    """A paragraph of shaded words, its direction its own, values on hover."""
    top = largest(words)
    return f'<p class="words" dir="auto">{"".join(_span(word, top, signed) for word in words)}</p>'


def _span(word: Word, top: float, signed: bool) -> str:
    text = escape(visible(word.text, keep="\n\t"))
    if word.unread:
        return f'<span class="unread" title="beyond the length limit: not read">{text}</span>'
    if word.value is None:
        return text
    share = abs(word.value) / top
    side = "amount" if not signed else "for" if word.value > 0 else "against"
    names = [*([side] if share >= FAINTEST else []), *(["unknown"] if word.unknown else [])]
    title = f"{word.value:+.4g}" if signed else f"{word.value:.4g}"
    title += ", not in the vocabulary" if word.unknown else ""
    return f'<span class="{" ".join(names)}" style="--a:{share:.2f}" title="{title}">{text}</span>'


def words_ansi(words: Sequence[Word]) -> str:
    """The sentence with 256-colour backgrounds, unknown words underlined, what was not read dim."""
    top = largest(words)
    return "".join(_painted(word, top) for word in words)


def _painted(word: Word, top: float) -> str:
    text = visible(word.text)
    codes = []
    if word.unread:
        codes.append("2")
    if word.value is not None and abs(word.value) / top >= FAINTEST:
        step = min(STEPS - 1, int(STEPS * abs(word.value) / top))
        codes.append(f"38;5;16;48;5;{(FOR if word.value > 0 else AGAINST)[step]}")
    if word.unknown:
        codes.append("4")
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def words_marked(words: Sequence[Word]) -> str:
    """The sentence in plain characters: one to three signs before a word that matters, (?) behind an unknown one.

    >>> words_marked([Word("so", 0.1), Word(" "), Word("dull", -2.0), Word(" "), Word("qzx", 0.0, unknown=True)])
    'so [---dull] qzx(?)'
    """
    top = largest(words)
    return "".join(_marked(word, top) for word in words)


def _marked(word: Word, top: float) -> str:
    text = visible(word.text) + ("(?)" if word.unknown else "")
    if word.unread:
        return text
    level = round(3 * abs(word.value or 0) / top)
    return f"[{('+' if word.value > 0 else '-') * level}{text}]" if level else text


def strongest(words: Sequence[Word], count: int = 8) -> list[list[str]]:
    """Rows (word, value) of the largest values, for a small table."""
    valued = sorted((w for w in words if w.value is not None), key=lambda w: -abs(w.value))
    return [[visible(w.text) + (" (?)" if w.unknown else ""), f"{w.value:+.4g}"] for w in valued[:count]]


def largest(words: Sequence[Word]) -> float:
    """The largest |value|, or 1."""
    return max((abs(w.value) for w in words if w.value is not None), default=0.0) or 1.0


def visible(text: str, keep: str = "") -> str:
    """Control characters as pictures: a page cannot hold them, and a terminal would obey them.

    >>> visible("a\\x1b[31m\\x00")
    'a␛[31m␀'
    """
    return "".join(
        c if c in keep or not (ord(c) < 32 or 127 <= ord(c) < 160) else chr(0x2400 + ord(c)) if ord(c) < 32 else "␡"
        for c in text
    )


def verdict(name: str, probability: float, truth: str | None = None) -> str:
    """What the net says, in words.

    >>> verdict("good", 0.931), verdict("good", 0.6, "bad")
    ('good, 93.1 %', 'bad taken for good, 60.0 %')
    """
    said = name if truth in (None, name) else f"{truth} taken for {name}"
    return f"{said}, {100 * probability:.1f} %"
