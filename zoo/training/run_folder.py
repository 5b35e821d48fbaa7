"""Run folders `runs/<task>/<recipe>/<n>/`: allocated once, locked while training, written atomically."""

import fcntl
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zoo.atomic import write_atomically
from zoo.errors import InputError

SHARED = "ZOO_RUN_FOLDER"  # Lightning starts one process a rank: the first one's folder serves all
PACKAGES = ("gradient-zoo", "torch", "torchvision", "torchaudio", "pytorch-lightning", "jsonargparse", "numpy")


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def versions(self) -> Path:
        """Versions, machine, seed and data hash."""
        return self.path / "versions.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of last.ckpt and best.ckpt."""
        return self.path / "checkpoints"

    @property
    def record(self) -> Path:
        """The record of readings."""
        return self.path / "record.sqlite"

    @property
    def metrics(self) -> Path:
        """Final figures."""
        return self.path / "metrics.json"

    @property
    def name(self) -> str:
        """task/recipe/n."""
        return "/".join(self.path.parts[-3:])

    def lock(self) -> "RunLock":
        """Hold the folder for this process; released when the process ends, however it ends.

        Raises:
            InputError: another process holds it.
        """
        return RunLock(self.path / ".lock")

    def write(self, path: Path, content: str | dict[str, Any]) -> None:
        """Write a text or JSON file of this run in one move."""
        write_atomically(path, content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")


class RunLock:
    """An exclusive lock on a file, held from construction to `release` or the end of the process."""

    def __init__(self, path: Path):
        try:
            self._file = path.open("a+")
        except OSError as error:
            raise InputError(f"run: expected to write {path.parent}, got {error.strerror}; mend permissions") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise InputError(
                f"run: expected {path.parent} to be free, got a run in it already (process {holder}); "
                "wait for it, or start a new run"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Give the folder back."""
        self._file.close()


def new_run(root: str | Path, recipe: str) -> RunFolder:
    """Make `root/<task>/<recipe>/<n>/` with the first free n; two processes at once get two folders.

    Raises:
        InputError: the folder cannot be made.
    """
    shared = os.environ.get(SHARED)
    if shared and os.environ.get("LOCAL_RANK", "0") != "0":
        return RunFolder(Path(shared))
    parent = Path(root) / recipe
    try:
        parent.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(p.name) for p in parent.iterdir() if p.name.isdigit()), default=0)
        while True:
            try:
                (parent / str(number)).mkdir()
                break
            except FileExistsError:
                number += 1
    except OSError as error:
        raise InputError(
            f"run: expected to make a folder in {parent}, got {error.strerror}; choose another place with --root DIR"
        ) from error
    run = RunFolder((parent / str(number)).resolve())
    os.environ[SHARED] = str(run.path)
    return run


def open_run(where: str | Path, root: str | Path = "runs") -> RunFolder:
    """The run of a folder, of a file in it (a checkpoint), or the newest run of a recipe.

    Args:
        where: `runs/vision/digits/3`, `.../checkpoints/best.ckpt`, `runs/vision/digits` or `vision/digits`.
        root: folder of all runs.

    Raises:
        InputError: there is no such run.
    """
    for base in (Path(where), Path(root) / where):
        for folder in (base, *([base.parent, base.parent.parent] if base.is_file() else [])):
            if (folder / "config.yaml").is_file():
                return RunFolder(folder.resolve())
        numbered = [p for p in base.iterdir() if p.name.isdigit()] if base.is_dir() else []
        runs = [p for p in sorted(numbered, key=lambda p: int(p.name)) if (p / "config.yaml").is_file()]
        trained = [p for p in runs if (p / "checkpoints" / "last.ckpt").is_file()]
        if trained or runs:  # a run that ended before its first checkpoint does not hide the one before
            return RunFolder((trained or runs)[-1].resolve())
    known = sorted({str(p.parent.parent) for p in Path(root).glob("*/*/*/config.yaml")})
    hint = f"runs of this folder are in {', '.join(known[:5])}" if known else "start one with `zoo fit RECIPE`"
    raise InputError(f"run: expected a run folder, a checkpoint in one or a recipe's name, got {where}; {hint}")


def versions() -> dict[str, Any]:
    """Versions of what computed a run, and the machine it ran on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": sys.argv,
        "packages": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    # Of this source tree, not of the folder the user stands in.
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    asked = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return None
    return found.stdout.strip() or None
