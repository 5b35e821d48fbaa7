"""TIMIT (Garofolo et al. 1993) in its published folders."""

from pathlib import Path
from typing import Any, Literal

from tasks.speech.data.recordings import RecordedData, Recording
from zoo.errors import InputError

# Lee and Hon (1989): 61 phones of the set -> 39 that are told apart; q is left out.
FOLDED = {
    "ux": "uw", "axr": "er", "em": "m", "nx": "n", "en": "n", "eng": "ng", "hv": "hh", "ix": "ih", "ax": "ah",
    "ax-h": "ah", "ao": "aa", "el": "l", "zh": "sh", "q": "",
} | dict.fromkeys(["pcl", "tcl", "kcl", "bcl", "dcl", "gcl", "h#", "pau", "epi"], "sil")  # fmt: skip
CORE_TEST = (
    "mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 mbpm0 mklt0 fnlp0 mcmj0 mjdh0 fmgd0 mgrt0 "
    "mnjm0 fdhc0 mjln0 mpam0 fmld0"
)
# Halberstadt (1998)
VALIDATION = (
    "faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0 fedw0 mgjf0 mglb0 mrtk0 "
    "mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0 mdvc0 mers0 fmah0 fdrw0 mrcs0 mrjm4 fcal1 mmwh0 "
    "fjsj0 majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0 mteb0 mjfc0 mrjr0 fmml0 mrws1"
)


class TIMIT(RecordedData):
    """`root/TRAIN/DR1/FCJF0/SI1027.WAV` with .PHN and .TXT beside it; SA sentences, which all speakers say, are left
    out. Training: all 462 speakers of TRAIN; validation and test: Halberstadt's 50 and the core 24 of TEST.

    Args:
        root: folder with TRAIN and TEST, in small or capital letters.
        units: phones_39 (folded as Lee and Hon 1989), phones_61 (as Graves et al. 2006) or letters.
        kwargs: see `SpeechData`; its own units follow from these.
    """

    def __init__(
        self,
        root: str = "data/TIMIT",
        units: Literal["phones_39", "phones_61", "letters"] = "phones_39",
        **kwargs: Any,
    ):
        super().__init__(units="characters" if units == "letters" else "words", **kwargs)
        if units not in ("phones_39", "phones_61", "letters"):
            raise InputError(f"data.units: expected phones_39, phones_61 or letters, got {units!r}; mend the recipe")
        self.root, self.kind = Path(root), units

    def recordings(self) -> dict[str, list[Recording]]:
        """See `RecordedData.recordings`."""
        found: dict[str, list[Recording]] = {"train": [], "validation": [], "test": []}
        for path in sorted(self.root.rglob("*")):
            parts = [part.lower() for part in path.parts[-4:]]
            if len(parts) == 4 and parts[3].endswith(".wav") and not parts[3].startswith("sa"):
                split = split_of_speaker(parts[0], parts[2])
                if split:
                    found[split].append(Recording(path, self._text(path), parts[2]))
        if not found["train"]:
            raise InputError(f"data: expected TRAIN/DR1/FCJF0/SI1027.WAV and such in {self.root}, got none; mend it")
        return found

    def _text(self, path: Path) -> str:
        ending = "txt" if self.kind == "letters" else "phn"
        beside = path.with_suffix(f".{ending.upper() if path.suffix.isupper() else ending}")
        try:
            lines = [line.split(maxsplit=2)[2] for line in beside.read_text(encoding="ascii").splitlines() if line]
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise InputError(f"{beside}: expected lines `start end unit`, got {error}; fetch it again") from error
        if self.kind == "letters":
            return "".join(letter for letter in lines[0].lower() if letter.isalpha() or letter in " '").strip()
        return " ".join(lines if self.kind == "phones_61" else folded(lines))


def split_of_speaker(part: str, speaker: str) -> str | None:
    """Training, validation or core test; None for the other speakers of TEST."""
    if part == "train":
        return "train"
    return "test" if speaker in CORE_TEST.split() else "validation" if speaker in VALIDATION.split() else None


def folded(phones: list[str]) -> list[str]:
    """39 phones for 61, silences that meet as one.

    >>> folded("h# sh ix hv eh dcl d h#".split())
    ['sil', 'sh', 'ih', 'hh', 'eh', 'sil', 'd', 'sil']
    """
    units = [unit for unit in (FOLDED.get(phone, phone) for phone in phones) if unit]
    return [unit for at, unit in enumerate(units) if unit != "sil" or at == 0 or units[at - 1] != "sil"]
