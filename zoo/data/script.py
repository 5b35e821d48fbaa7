"""What every script of `data_scripts/` does: fetch the published files, convert them once, verify."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.data.fetch import fetch
from zoo.data.stored import read_stored, write_stored
from zoo.errors import InputError


@dataclass(frozen=True)
class Published:
    """A file as its authors publish it; see `fetch` for the fields."""

    urls: list[str]
    checksum: str
    content: str = ""

    @property
    def name(self) -> str:
        """Its own name."""
        return self.urls[0].rpartition("/")[2]


@dataclass(frozen=True)
class DataScript:
    """A data set: what is published, and how it becomes tensors.

    Args:
        name: of the set, also of its folder and of the script.
        about: one line: what it is, its licence, its size.
        files: published ones.
        convert: from the folder that holds them to tensors and names, to be stored in one file.
        stored: name of that file.
    """

    name: str
    about: str
    files: list[Published]
    convert: Callable[[Path], dict[str, Any]]
    stored: str = "images.pt"

    def main(self, argv: list[str] | None = None) -> int:
        """Run as a command; 0, or 2 after one line that says what to mend."""
        args = self._parser().parse_args(argv)
        path = Path(args.to) / self.stored
        try:
            if args.action == "fetch" and not path.is_file():
                self.make(path, args.source, args.keep)
            contents = read_stored(path, f"data_scripts/{self.name}.py")
        except InputError as error:
            print(f"{self.name}: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(f"{self.name}: stopped; start again to go on", file=sys.stderr)
            return 130
        shapes = ", ".join(f"{k} {list(v.shape)}" for k, v in contents.items() if isinstance(v, Tensor))
        print(f"{path}: verified; {shapes}")
        return 0

    def make(self, path: Path, source: str | None = None, keep: bool = False) -> None:
        """Fetch and convert; published files lie in `downloads/` until the conversion is done."""
        downloads = path.parent / "downloads"
        for file in self.files:
            fetch(file.urls, downloads / file.name, file.checksum, source, file.content)
        write_stored(path, self.convert(downloads))
        if not keep:
            for file in self.files:
                (downloads / file.name).unlink()
            if not any(downloads.iterdir()):
                downloads.rmdir()

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(prog=f"data_scripts/{self.name}.py", description=self.about)
        parser.add_argument("action", nargs="?", choices=["fetch", "verify"], default="fetch", help="default: fetch")
        parser.add_argument("--from", dest="source", metavar="DIR", help="take the published files from this folder")
        parser.add_argument("--to", metavar="DIR", default=f"data/{self.name}", help="default: %(default)s")
        parser.add_argument("--keep", action="store_true", help="keep the published files in DIR/downloads")
        return parser
