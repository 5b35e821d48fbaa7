"""Asterisk's English prompts, spoken by Allison Smith -> data/asterisk/utterances.pt.

Their home is Debian: packages asterisk-core-sounds-en-wav (recordings) and asterisk-core-sounds-en (what is said).
"""

import gzip
from pathlib import Path

from tasks.speech.data.stored import utterance_script
from tasks.speech.data.utterances import Utterances
from tasks.speech.debian import package, package_files, recorded
from tasks.speech.prompts import prompts

POOL = "a/asterisk-core-sounds"
SOUNDS = "asterisk-core-sounds-en-wav_1.6.1-1_all.deb"
TEXTS = "asterisk-core-sounds-en_1.6.1-1_all.deb"
FOLDER = "sounds/en_US_f_Allison/"


def convert(folder: Path) -> Utterances:
    """Recordings with words in them; tones and silences are left out."""
    listing = next(content for name, content in package_files(folder / TEXTS) if name.endswith("sounds-en.txt.gz"))
    files = package_files(folder / SOUNDS)
    sounds = {name.partition(FOLDER)[2].removesuffix(".wav"): content for name, content in files if FOLDER in name}
    return recorded(sounds, prompts(gzip.decompress(listing).decode()), lambda name: "allison", rate=8000)


SCRIPT = utterance_script(
    name="asterisk",
    about="Asterisk's prompts: 551 recordings, 24 minutes, one voice, 8 kHz; CC BY-SA 3.0; 18 MB to fetch.",
    files=[
        package(POOL, SOUNDS, "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d"),
        package(POOL, TEXTS, "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50"),
    ],
    convert=convert,
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
