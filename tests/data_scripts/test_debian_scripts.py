"""Recordings out of Debian packages: the scripts on small made packages in the original format."""

import dataclasses
import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest

from data_scripts import asterisk, fillets_cs, fillets_nl
from tasks.speech.data.asterisk import Asterisk
from tasks.speech.data.companions import Companions, joined, without
from tasks.speech.data.fillets import Fillets
from tasks.speech.data.stored import stored_utterances
from tasks.speech.debian import package_files
from tasks.speech.dialogues import lines, spoken_line
from tasks.speech.features import Features
from tasks.speech.prompts import prompts, spoken_text
from zoo.errors import InputError

soundfile = pytest.importorskip("soundfile")


def member(name: str, content: bytes) -> bytes:
    """A member of an ar archive: a head of 60 bytes, the content, a byte more where its length is odd."""
    return (
        f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        + content
        + b"\n" * (len(content) % 2)
    )


def debian(files: dict[str, bytes]) -> bytes:
    """A package that would install these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(f"./{name}")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    parts = [
        member("debian-binary", b"2.0\n"),
        member("control.tar.xz", b"odd"),
        member("data.tar.xz", buffer.getvalue()),
    ]
    return b"!<arch>\n" + b"".join(parts)


def sound(pitch: float, rate: int, form: str, loud: float = 0.3) -> bytes:
    """Half a second of a tone."""
    buffer = io.BytesIO()
    soundfile.write(buffer, loud * np.sin(2 * np.pi * pitch * np.arange(rate // 2) / rate), rate, format=form)
    return buffer.getvalue()


def stored_by(script, folder, packages: dict[str, bytes]):
    """What the script stores of these packages, with their checksums in place of the published ones."""
    (folder / "from").mkdir()
    for name, content in packages.items():
        (folder / "from" / name).write_bytes(content)
    files = [
        dataclasses.replace(file, checksum="sha256:" + hashlib.sha256(packages[file.name]).hexdigest())
        for file in script.files
    ]
    script = dataclasses.replace(script, files=files)
    assert script.main(["--from", str(folder / "from"), "--to", str(folder / script.name)]) == 0
    return stored_utterances(folder, script.name)


LISTING = """; Core Asterisk Sounds in English

vm-press: Press 1 for more...
digits/a-m: A.M.
beep: [this is a simple beep tone]
missing: Not recorded.
priv-callpending: I have a caller waiting, who introduces themselves as:
"""


def asterisk_packages() -> dict[str, bytes]:
    folder = "usr/share/asterisk/sounds/en_US_f_Allison"
    names = ("vm-press", "digits/a-m", "beep", "priv-callpending", "silence/1")
    sounds = {f"{folder}/{name}.wav": sound(300 + 50 * n, 8000, "WAV") for n, name in enumerate(names)}
    listing = "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    return {asterisk.TEXTS: debian({listing: gzip.compress(LISTING.encode())}), asterisk.SOUNDS: debian(sounds)}


def test_asterisk(tmp_path):
    whole = stored_by(asterisk.SCRIPT, tmp_path, asterisk_packages())
    assert dict(zip(whole.names, whole.texts, strict=True)) == {
        "digits/a-m": "am",
        "priv-callpending": "i have a caller waiting who introduces themselves as",
        "vm-press": "press one for more",
    }
    for name, pitch in (("vm-press", 300), ("digits/a-m", 350), ("priv-callpending", 450)):
        samples = whole.samples(whole.names.index(name))
        spectrum = np.abs(np.fft.rfft(samples.numpy()))
        assert spectrum.argmax() == pitch / 2 and len(samples) == 4000


def test_prompts_are_written_as_they_are_spoken():
    said = {
        "Press * or #, then 10.": "press star or pound then one zero",
        "at [@]": "at",
        "It's www.asterisk.org!": "it's www dot asterisk dot org",
        'IAX (note: does not say "2")': "iax",
        "De-activated.": "de activated",
        "11:30 P.M.": "one one three zero pm",
        "<beep ascending>": "",
    }
    assert {written: spoken_text(written) for written in said} == said
    assert prompts("; x: y\na/b: One: two\nc: [tone]\n") == {"a/b": "one two"}


def test_what_is_no_package_is_one_line(tmp_path):
    for content in (
        b"",
        b"!<arch>\n" + member("data.tar.xz", b"no tar"),
        b"!<arch>\n" + member("control.tar.xz", b"x"),
    ):
        (tmp_path / "a.deb").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.deb: expected a Debian package, got .*; fetch it again"):
            list(package_files(tmp_path / "a.deb"))


DIALOGUE = """
dialogId("vit-m-hlava", "font_small", "Look, a \\"head\\".")
dialogStr("%s")


dialogId("vit-v-ne",
         "font_big", "Press F2!")
dialogStr("Stiskni F2!")
dialogId("vit-v-tise", "font_big", "Silence")
dialogStr("Ticho")
dialogId("alone", "font_big", "No text follows.")
"""


@pytest.mark.parametrize(
    ("script", "said", "text"),
    [
        (fillets_cs.SCRIPT, "Počkej... to je hlava!", "počkej to je hlava"),
        (fillets_nl.SCRIPT, "Kijk, da's 'n hoofd.", "kijk da's 'n hoofd"),
    ],
)
def test_fillets(script, said, text, tmp_path):
    language = script.name[-2:]
    folder = f"usr/share/games/fillets-ng/sound/city/{language}"
    names = {"vit-m-hlava": 0.3, "vit-v-ne": 0.3, "vit-v-tise": 0.0, "alone": 0.3}
    sounds = {f"{folder}/{name}.ogg": sound(400, 22_050, "OGG", loud) for name, loud in names.items()}
    scripts = {
        f"usr/share/games/fillets-ng/script/city/dialogs_{language}.lua": (DIALOGUE % said).encode(),
        "usr/share/games/fillets-ng/script/city/dialogs_de.lua": (DIALOGUE % "Nein").encode(),
    }
    packages = dict(zip((file.name for file in script.files), (debian(scripts), debian(sounds)), strict=True))
    whole = stored_by(script, tmp_path, packages)
    # One is silent, one has no text, and one is not written as it is spoken.
    assert (whole.names, whole.texts, whole.speakers) == (["city/vit-m-hlava"], [text], ["small"])
    assert whole.rate == 16_000 and abs(len(whole.samples(0)) - 8000) < 10


def test_a_line_of_letters_that_a_language_has_not_is_empty():
    assert spoken_line("Подожди. Počkej", "cs") == spoken_line("Poseidon 737", "cs") == spoken_line("I%1.", "nl") == ""
    assert list(lines('dialogId("a", "", "x")\ndialogStr("Ano \\\\ ne")', "cs")) == [("a", "unknown", "")]


def test_unseen_prompts_and_levels(tmp_path):
    listing = "".join(f"p{n}: Press {'x' * (n // 2 + 1)}\n" for n in range(60))
    folder = "usr/share/asterisk/sounds/en_US_f_Allison"
    sounds = {f"{folder}/p{n}.wav": sound(300 + n, 8000, "WAV") for n in range(60)}
    texts = {"usr/share/doc/core-sounds-en.txt.gz": gzip.compress(listing.encode())}
    stored_by(asterisk.SCRIPT, tmp_path, {asterisk.TEXTS: debian(texts), asterisk.SOUNDS: debian(sounds)})
    data = Asterisk(str(tmp_path), repeats=2, features=Features(rate=8000, bands=20))
    data.setup()
    seen = [set(split.texts) for split in data.splits.values()]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 30
    assert sum(map(len, data.splits.values())) == 60 + len(data.language_texts().transcripts)
    assert set(data.language_texts().transcripts) == seen[0]
    with pytest.raises(InputError, match=r"data\.language: expected cs or nl, got 'de'"):
        Fillets("de")


def test_companions_speak_no_held_out_text(tmp_path):
    pytest.importorskip("espeakng_loader")
    (tmp_path / "texts.tsv").write_text("1\tPress one now please.\n2\tpress two\n3\tPress one, then two now\n")
    listing = {"usr/share/doc/core-sounds-en.txt.gz": gzip.compress(b"a: Press one then two now\n")}
    folder = "usr/share/asterisk/sounds/en_US_f_Allison"
    packages = {asterisk.TEXTS: debian(listing), asterisk.SOUNDS: debian({f"{folder}/a.wav": sound(300, 8000, "WAV")})}
    whole = stored_by(asterisk.SCRIPT, tmp_path, packages)
    companions = Companions(20, texts=str(tmp_path / "texts.tsv"), own=0.5, longest=3)
    further = companions.further(["press one now"], spoken_text)
    assert further == ["press one then two now", "press two"]
    spoken = companions.spoken(whole, ["press two"])
    assert set(spoken.texts) == {"press two", "press one then"} and len(set(spoken.speakers)) > 5
    both = joined([whole, spoken])
    assert both.samples(3).equal(spoken.samples(2)) and both.texts[0] == whole.texts[0] and len(both) == 21
    assert without(["a b c d", "a b"], ["b c d", "b"]) == ["a b"]
