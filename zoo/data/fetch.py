"""Files from the network or from a local copy: resumed, verified, moved into place only when whole."""

import gzip
import hashlib
import os
import shutil
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from typing import BinaryIO

from tqdm import tqdm

from zoo.errors import InputError

CHUNK = 1 << 20


def fetch(
    url: str | list[str], to: str | Path, checksum: str, local: str | Path | None = None, content: str = ""
) -> Path:
    """The file at `to`, fetched when it is missing, with the checksum verified.

    A download that breaks off stays beside it as `<name>.partial`; the next call asks only for the rest.

    Args:
        url: where it lives, or several such places to ask in turn; the last part is its name in a local copy.
        to: where it shall lie.
        checksum: "md5:..." or "sha256:..."; "" where the caller verifies what the file holds.
        local: folder that holds a copy; the network is not asked then.
        content: checksum of what a .gz file holds, for copies that were compressed anew.

    Raises:
        InputError: the file cannot be had, or it is not the one that was published.
    """
    urls, to = [url] if isinstance(url, str) else url, Path(to)
    if to.is_file() and _is_published(to, checksum, content):
        return to
    partial = to.with_name(to.name + ".partial")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        if local is None:
            _download_from_any(urls, partial)
        else:
            _copy(Path(local) / urls[0].rpartition("/")[2], partial)
        if not _is_published(partial, checksum, content):
            got = digest_of(partial, checksum)
            partial.unlink()
            raise InputError(f"{to.name}: expected {checksum}, got {got}; it is damaged or another version, fetch anew")
        os.replace(partial, to)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{to.name}: expected to write {to}, got {reason}; free space or mend permissions") from error
    return to


def _is_published(path: Path, checksum: str, content: str) -> bool:
    if checksum == "" or digest_of(path, checksum) == checksum:
        return True
    try:
        return content != "" and digest_of(path, content, gzip.open) == content
    except (OSError, EOFError, zlib.error):  # no gzip file, or half of one
        return False


def _copy(source: Path, partial: Path) -> None:
    if not source.is_file():
        raise InputError(f"--from: expected {source.name} in {source.parent}, got no such file; give its folder")
    shutil.copyfile(source, partial)


def _download_from_any(urls: list[str], partial: Path) -> None:
    for url in urls[:-1]:
        try:
            return _download(url, partial)
        except InputError:
            continue  # the next place may answer; the last one's complaint is told
    return _download(urls[-1], partial)


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
        error.close()  # it is an answer too, and holds a socket
        if error.code == 416:  # nothing left to send: the partial file is whole, or the checksum will tell
            return
        raise InputError(f"download: expected {url}, got HTTP {error.code}; use --from DIR with a copy") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, SSLError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"download: expected an answer from {url}, got {reason}; start again to go on, or use --from DIR"
        ) from error
    got = partial.stat().st_size
    if size is not None and got < size:  # http.client ends quietly when the other side hangs up
        raise InputError(f"download: expected {size} bytes from {url}, got {got}; start again to go on from there")


def digest_of(path: Path, like: str, opened: Callable[..., BinaryIO] = open) -> str:
    """Checksum of a file, read through `opened`, in the form of `like`, "md5:..." or "sha256:..."."""
    algorithm = like.partition(":")[0]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with opened(path, "rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"
