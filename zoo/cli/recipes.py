"""Recipes: YAML files whose header comment says what they are.

    # One line that says what it is
    # command: zoo fit vision/digits
    # time: 10 CPU s on two cores
    # expected: test accuracy 99 %

They lie in `configs/<task>/<recipe>.yaml` of a clone, in `zoo/recipes` of an installed package, and in folders that
other packages name by the entry-point group `zoo.recipes` (a module whose folder holds `<task>/<recipe>.yaml`).
"""

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from zoo.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """A recipe's name, file and the lines of its header."""

    name: str
    path: Path
    title: str
    header: dict[str, str]


def recipe_folders() -> list[Path]:
    """Folders that hold recipes, this project's first."""
    package = Path(__file__).resolve().parents[1]
    own = [folder for folder in (package / "recipes", package.parent / "configs") if folder.is_dir()]
    from importlib.metadata import entry_points

    return own[:1] + [folder for point in entry_points(group="zoo.recipes") if (folder := _folder_of(point.value))]


def _folder_of(module: str) -> Path | None:
    from importlib.util import find_spec

    try:
        spec = find_spec(module)
    except ImportError:  # left behind by a package that is gone
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


def all_recipes() -> list[Recipe]:
    """Every recipe that can be found, sorted by name."""
    files = {f"{p.parent.name}/{p.stem}": p for folder in reversed(recipe_folders()) for p in folder.glob("*/*.yaml")}
    return [read_recipe(name, path) for name, path in sorted(files.items())]


def read_recipe(name: str, path: Path) -> Recipe:
    """Read the header comment of a recipe; the YAML below it is not parsed."""
    title, header = "", {}
    for line in takewhile(lambda line: line.startswith("#"), read_lines(path)):
        key, colon, value = line[1:].strip().partition(": ")
        if colon and key in ("command", "time", "expected", "data", "note"):
            header[key] = value
        elif not title:
            title = line[1:].strip()
    return Recipe(name, path, title, header)


def read_lines(path: Path) -> list[str]:
    """The lines of a recipe.

    Raises:
        InputError: the file cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf8").splitlines()
    except OSError as error:
        raise InputError(f"recipe: expected a YAML file, got {path} ({error.strerror}); mend the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"recipe: expected a YAML file in UTF-8, got other bytes in {path}; mend the file") from error


def find_recipe(name: str) -> Recipe:
    """The recipe of a name such as vision/digits, or of a path to a YAML file.

    Raises:
        InputError: there is none; the nearest names are said.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.exists():
            raise InputError(f"recipe: expected a YAML file, got {name}, which does not exist; mend the path")
        parent = path.resolve().parent.name
        return read_recipe(f"{parent}/{path.stem}", path)
    known = {recipe.name: recipe for recipe in all_recipes()}
    if name in known:
        return known[name]
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]}?" if close else "`zoo list` shows all"
    raise InputError(f"recipe: expected a known name or a YAML file, got {name!r}; {hint}")
