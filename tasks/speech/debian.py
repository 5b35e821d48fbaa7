"""Files inside Debian packages: an `ar` archive that holds a compressed tar."""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from lzma import LZMAError
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.speech.audio import read_audio
from tasks.speech.data.utterances import Utterances
from zoo.data.script import Published
from zoo.errors import InputError

MAGIC = b"!<arch>\n"
POOL = "http://deb.debian.org/debian/pool/main"


def package(pool: str, name: str, sha256: str) -> Published:
    """A package of Debian's main section.

    >>> package("f/fillets-ng-data", "fillets-ng-data-cs_1.0.1-1.1_all.deb", "0").name
    'fillets-ng-data-cs_1.0.1-1.1_all.deb'
    """
    return Published([f"{POOL}/{pool}/{name}"], f"sha256:{sha256}")


def recorded(
    sounds: dict[str, bytes], texts: dict[str, str], speaker_of: Callable[[str], str], rate: int
) -> Utterances:
    """Utterances of sound files (content by name) and what is said in them.

    Names of a sound or a text alone are passed over, and sounds that nothing can be heard in, which packages have too.

    Raises:
        InputError: not one is left.
    """
    names, samples = [], []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        for name in sorted(sounds.keys() & texts.keys()):
            path.write_bytes(sounds[name])
            with suppress(InputError):
                samples.append(read_audio(path, rate).samples_S)
                names.append(name)
    if not names:
        raise InputError("recordings: expected some with a text, got none; the package is another version, fetch anew")
    return Utterances.of(samples, [texts[name] for name in names], [speaker_of(name) for name in names], names, rate)


def package_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name without the leading ./, content) of every file that the package would install, in its order.

    Raises:
        InputError: no such package, or a damaged one.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_data_archive(path.read_bytes(), path))) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name.removeprefix("./"), archive.extractfile(member).read()
    except (OSError, tarfile.TarError, EOFError, LZMAError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: expected a Debian package, got {reason}; fetch it again") from error


def _data_archive(package: bytes, path: Path) -> bytes:
    """Content of the member data.tar.*: each member has a head of 60 bytes and an even length."""
    at = len(MAGIC)
    while package.startswith(MAGIC) and at + 60 <= len(package):
        name, size = package[at : at + 16].decode("latin-1").strip(), package[at + 48 : at + 58].strip()
        if not size.isdigit():
            break
        if name.startswith("data.tar"):
            return package[at + 60 : at + 60 + int(size)]
        at += 60 + int(size) + int(size) % 2
    raise InputError(f"{path}: expected a Debian package, got no data.tar in it; fetch it again")
