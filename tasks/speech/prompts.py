"""Prompts of telephone exchanges as they are spoken: digits and signs in words, notes and punctuation gone."""

import re

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIGNS = {"*": " star ", "#": " pound ", "&": " and ", "@": " at "}
NOTE = re.compile(r"\[.*?\]|\(.*?\)|<.*?>")  # [@], (simple tone sound plays), <beep ascending>
DOTTED = re.compile(r"\b(?:[a-z]\.)+[a-z]\b\.?")  # a.m.
DOT_WITHIN = re.compile(r"(?<=\w\w)\.(?=\w\w)")  # asterisk.org


def spoken_text(written: str) -> str:
    """Lower-case words of letters and apostrophes.

    >>> spoken_text("Press * or 12, then A.M. (simple tone); it's www.asterisk.org!")
    "press star or one two then am it's www dot asterisk dot org"
    """
    text = NOTE.sub(" ", written.lower()).replace("’", "'")
    text = DOTTED.sub(lambda found: found[0].replace(".", ""), text)
    text = DOT_WITHIN.sub(" dot ", text)
    for sign, words in SIGNS.items():
        text = text.replace(sign, words)
    text = re.sub(r"\d", lambda found: f" {DIGITS[int(found[0])]} ", text)
    return " ".join(re.sub(r"[^a-z']", " ", text).split())


def prompts(listing: str) -> dict[str, str]:
    """Name of a recording -> what is spoken in it, from lines `name: text`; comments and sounds without words are out.

    >>> prompts("; comment\\ndigits/1: one\\nbeep: [a beep]\\n")
    {'digits/1': 'one'}
    """
    lines = (line.partition(":") for line in listing.splitlines() if not line.startswith(";"))
    found = {name.strip(): spoken_text(text) for name, colon, text in lines if colon}
    return {name: text for name, text in found.items() if text}
