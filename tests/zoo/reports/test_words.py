"""Shaded words: legible in light and dark at every shade, told apart without colour, and exactly the text."""

import re
from html import unescape

import numpy as np
import pytest

from zoo.reports.page import STYLE
from zoo.reports.words import AGAINST, FOR, Word, strongest, visible, words_ansi, words_html, words_marked

SENTENCE = [
    Word("so", 0.5),
    Word(" <"),
    Word("dull", -2.0),
    Word("\n"),
    Word("qzx", 1.0, unknown=True),
    Word(" "),
    Word("the", 0.01),
    Word(" tail", unread=True),
]


def variables(style: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):([^;}]+)", style))


def themes() -> dict[str, dict[str, str]]:
    light = variables(STYLE[: STYLE.index("@media (prefers-color-scheme:dark)")])
    dark = light | variables(re.search(r"@media \(prefers-color-scheme:dark\)\{:root\{(.*?)\}", STYLE, re.S)[1])
    return {"light": light, "dark": dark}


def rgb(colour: str) -> np.ndarray:
    if colour.startswith("#"):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        return np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)], float)
    return np.array(colour.split(), float)


def luminance(colour: np.ndarray) -> float:
    """Relative luminance of WCAG 2."""
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("side", ["for", "against", "amount"])
def test_ink_is_legible_on_every_shade(theme, side):
    colours = themes()[theme]
    strongest_alpha = float(re.search(rf"\.words \.{side}\{{background:rgb\(var\(--{side}\)/calc\((\.\d+)", STYLE)[1])
    for share in np.linspace(0, 1, 11):
        alpha = strongest_alpha * share
        shade = alpha * rgb(colours[side]) + (1 - alpha) * rgb(colours["paper"])
        assert contrast(rgb(colours["ink"]), shade) >= 4.5  # WCAG AA


def test_a_full_shade_differs_from_the_paper():
    for colours in themes().values():
        for side in ("for", "against", "amount"):
            shade = 0.6 * rgb(colours[side]) + 0.4 * rgb(colours["paper"])
            assert np.abs(shade - rgb(colours["paper"])).max() > 60


def test_signs_are_told_apart_without_colour():
    below, above = (re.search(rf"\.words \.{side}\{{[^}}]*inset 0 (-?\d)px", STYLE)[1] for side in ("for", "against"))
    assert int(below) < 0 < int(above)


def test_black_is_legible_on_the_terminals_colours():
    for number in (*FOR, *AGAINST):
        cube = number - 16
        levels = [0, 95, 135, 175, 215, 255]
        colour = np.array([levels[cube // 36], levels[cube // 6 % 6], levels[cube % 6]], float)
        assert contrast(np.zeros(3), colour) >= 4.5


def test_html_is_the_text_with_values_on_hover():
    page = words_html(SENTENCE)
    assert unescape(re.sub(r"<[^>]*>", "", page)) == "so <dull\nqzx the tail"
    spans = re.findall(r'<span class="([^"]*)" (?:style="--a:([\d.]+)" )?title="([^"]*)">(\w+)', page)
    assert spans == [
        ("for", "0.25", "+0.5", "so"),
        ("against", "1.00", "-2", "dull"),
        ("for unknown", "0.50", "+1, not in the vocabulary", "qzx"),
        ("", "0.01", "+0.01", "the"),
    ]
    assert '<span class="unread" title="beyond the length limit: not read"> tail</span>' in page
    assert page.startswith('<p class="words" dir="auto">')


def test_amounts_have_no_sign():
    page = words_html([Word("a", 2.0), Word("b", 1.0)], signed=False)
    assert 'class="amount" style="--a:1.00" title="2"' in page and "+" not in page


def test_marks_and_colours_say_the_same():
    assert words_marked(SENTENCE) == "[+so] <[---dull]␊[++qzx(?)] the tail"
    plain = re.sub(r"\x1b\[[\d;]*m", "", words_ansi(SENTENCE))
    assert plain == "so <dull␊qzx the tail"
    painted = re.findall(r"\x1b\[([\d;]*)m(\S+?)\x1b\[0m", words_ansi(SENTENCE))
    assert painted[:2] == [(f"38;5;16;48;5;{FOR[1]}", "so"), (f"38;5;16;48;5;{AGAINST[-1]}", "dull")]
    assert painted[2] == (f"38;5;16;48;5;{FOR[2]};4", "qzx")


def test_the_table_has_the_largest_first():
    assert strongest(SENTENCE, 2) == [["dull", "-2"], ["qzx (?)", "+1"]]
    assert strongest([Word(" ")]) == [] and words_marked([Word("a", 0.0)]) == "a"


def test_no_control_character_reaches_a_terminal():
    every = "".join(map(chr, range(0x110))) + "\u202e"
    assert not [c for c in visible(every) if ord(c) < 32 or 127 <= ord(c) < 160]
    assert len(visible(every)) == len(every)
