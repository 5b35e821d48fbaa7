"""Dialogues of the game Fish Fillets - Next Generation: what is said in each recording, and by whom."""

import re
from collections.abc import Iterator
from pathlib import Path

from tasks.speech.data.stored import utterance_script
from tasks.speech.data.utterances import Utterances
from tasks.speech.debian import package, package_files, recorded
from zoo.data.script import DataScript

POOL = "f/fillets-ng-data"
SCRIPTS = "fillets-ng-data_1.0.1-1.1_all.deb"
SCRIPTS_SHA256 = "25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84"
LETTERS = {"cs": "aábcčdďeéěfghiíjklmnňoópqrřsštťuúůvwxyýzž", "nl": "abcdeéëfghiïjklmnopqrstuvwxyz'"}
STRING = r'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(rf"dialogId\(\s*{STRING}\s*,\s*{STRING}\s*,\s*{STRING}\s*\)\s*dialogStr\(\s*{STRING}\s*\)")
RATE = 16_000


def spoken_line(written: str, language: str) -> str:
    """A line in small letters without punctuation; empty where something is not written as it is spoken.

    >>> spoken_line("Počkej, tam NE - dobře?", "cs"), spoken_line("Het is 'n wrak.", "nl"), spoken_line("F2!", "cs")
    ('počkej tam ne dobře', "het is 'n wrak", '')
    """
    text = written.lower().replace("’", "'")
    text = re.sub(r"[.,?!:;\-–…“”\"]" if "'" in LETTERS[language] else r"[.,?!:;\-–…“”\"']", " ", text)
    return " ".join(text.split()) if set(text) <= set(LETTERS[language] + " ") else ""


def lines(script: str, language: str) -> Iterator[tuple[str, str, str]]:
    """(name of the recording, speaker, what is said) of a level's dialogs_*.lua."""
    for name, speaker, _, written in LINE.findall(script):
        yield name, speaker.removeprefix("font_") or "unknown", spoken_line(written, language)


def dialogues(scripts: Path, sounds: Path, language: str) -> Utterances:
    """Recordings that are not empty, named `level/name`, with what is said in them.

    Args:
        scripts: the package with the scripts of all levels.
        sounds: the package with the recordings of a language.
        language: cs or nl.
    """
    texts, speakers = {}, {}
    for path, content in package_files(scripts):
        if path.endswith(f"/dialogs_{language}.lua"):
            for name, speaker, text in lines(content.decode(), language):
                if text:
                    key = f"{path.split('/')[-2]}/{name}"
                    texts[key], speakers[key] = text, speaker
    files = package_files(sounds)
    recordings = {recording_name(path): content for path, content in files if path.endswith(".ogg")}
    return recorded(recordings, texts, speakers.__getitem__, RATE)


def recording_name(path: str) -> str:
    """Level and name of `usr/share/games/fillets-ng/sound/city/cs/vit-m-hlava.ogg`.

    >>> recording_name("usr/share/games/fillets-ng/sound/city/cs/vit-m-hlava.ogg")
    'city/vit-m-hlava'
    """
    *_, level, _, file = path.split("/")
    return f"{level}/{file.removesuffix('.ogg')}"


def dialogue_script(language: str, about: str, sounds: str, sha256: str) -> DataScript:
    """The script of `data_scripts/` of a language."""
    files = [package(POOL, SCRIPTS, SCRIPTS_SHA256), package(POOL, sounds, sha256)]
    name = f"fillets_{language}"
    return utterance_script(name, about, files, lambda at: dialogues(at / SCRIPTS, at / sounds, language))
