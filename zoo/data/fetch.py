"""Files from the network or from a local copy: resumed, verified, moved into place only when whole."""

import gzip
import hashlib
import os
import shutil
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from tqdm import tqdm

from zoo.errors import InputError

CHUNK = 1 << 20


def fetch(url: str, to: str | Path, checksum: str, local: str | Path | None = None, content: str = "") -> Path:
    """The file at `to`, fetched when it is missing, with the checksum verified.

    Args:
        url: where it lives; its last part is the file's name in a local copy.
        to: where it shall lie.
        checksum: "md5:..." or "sha256:...".
        local: folder that holds a copy; the network is not asked then.
        content: checksum of what a .gz file holds, which a copy packed anew (by a Linux distribution) keeps.

    Raises:
        InputError: the file cannot be had, or it is not the one that was published.
    """
    to = Path(to)
    if to.is_file() and _is_right(to, checksum, content):
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(to.name + ".partial")
    if local is not None:
        source = Path(local) / url.rpartition("/")[2]
        if not source.is_file():
            raise InputError(f"--from: expected {source.name} in {local}, got no such file; give its folder")
        shutil.copyfile(source, partial)
    else:
        _download(url, partial)
    if not _is_right(partial, checksum, content):
        got = digest_of(partial, checksum)
        partial.unlink()
        raise InputError(f"{to.name}: expected {checksum}, got {got}; the copy is damaged or another version, fetch anew")
    os.replace(partial, to)
    return to


def _download(url: str, partial: Path) -> None:
    done = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            if response.status != 206:  # the server sends the whole file again
                done = 0
            size = int(response.headers.get("Content-Length") or 0) + done or None
            bar = tqdm(total=size, initial=done, unit="B", unit_scale=True, desc=partial.stem)
            with partial.open("ab" if done else "wb") as file, bar:
                while block := response.read(CHUNK):
                    file.write(block)
                    bar.update(len(block))
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing left to send: the partial file is whole, or the checksum will tell
            return
        raise InputError(f"download: expected {url}, got HTTP {error.code}; use --from DIR with a copy") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"download: expected an answer from {url}, got {reason}; start again to go on, or use --from DIR"
        ) from error


def _is_right(path: Path, checksum: str, content: str) -> bool:
    if digest_of(path, checksum) == checksum:
        return True
    if not content:
        return False
    try:
        with gzip.open(path) as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == content
    except (OSError, EOFError, zlib.error):
        return False


def digest_of(path: Path, like: str) -> str:
    """Checksum of a file in the form of `like`, "md5:..." or "sha256:..."."""
    algorithm = like.partition(":")[0]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"
