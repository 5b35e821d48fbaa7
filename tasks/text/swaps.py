"""Template sentences and the terms that are swapped in them, read from a file that the user may edit."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.training.configuration import read_yaml

DEFAULT = Path(__file__).parent / "templates" / "swaps.yaml"


@dataclass(frozen=True)
class Swap:
    """From whom to whom: term p of the one group becomes term p of the other, in every template."""

    name: str
    templates: list[str]
    slot: str
    pairs: list[tuple[str, str]]

    def filled(self, term: str) -> list[str]:
        """Every template with a term in its slot.

        >>> Swap("s", ["{name} sees {name}."], "name", [("Ann", "Bob")]).filled("Ann")
        ['Ann sees Ann.']
        """
        return [template.replace(f"{{{self.slot}}}", term) for template in self.templates]


def read_swaps(where: str | Path) -> list[Swap]:
    """The swaps of a file, or those shipped where it is called "default" (see tasks/text/templates/swaps.yaml).

    Raises:
        InputError: no such file, a template without its slot, groups of unequal or no size.
    """
    path = DEFAULT if str(where) == "default" else Path(where)
    if not path.is_file():
        raise InputError(f"--swap: expected default or a file of templates, got {where}, which is none; mend the path")
    tree = read_yaml(path)
    if others := set(tree) - {"templates", "swaps"}:
        raise InputError(f"{path}: expected the keys templates and swaps, got {min(others)}; see {DEFAULT}")
    templates, swaps = (_mapping(path, tree, key) for key in ("templates", "swaps"))
    for slot, lines in templates.items():
        _refuse_bad_templates(path, slot, _texts(path, f"templates.{slot}", lines))
    return [_swap(path, name, _mapping(path, swaps, name), templates) for name in swaps]


def _swap(path: Path, name: str, swap: dict[str, Any], templates: dict[str, list[str]]) -> Swap:
    if set(swap) != {"slot", "from", "to"}:
        raise InputError(f"{path}: expected slot, from and to in {name!r}, got {', '.join(swap)}; mend it")
    if swap["slot"] not in templates:
        known = ", ".join(templates)
        raise InputError(f"{path}: expected a slot with templates ({known}) in {name!r}, got {swap['slot']}; mend it")
    first, second = (_texts(path, f"{key} of {name!r}", swap[key]) for key in ("from", "to"))
    if len(first) != len(second):
        raise InputError(
            f"{path}: expected as many terms in from and to of {name!r}, got {len(first)} and {len(second)}; "
            "pair them up"
        )
    return Swap(name, templates[swap["slot"]], swap["slot"], list(zip(first, second, strict=True)))


def _refuse_bad_templates(path: Path, slot: str, lines: list[str]) -> None:
    for line in lines:
        found = set(re.findall(r"\{(.*?)\}", line))
        if found != {slot}:
            got = ", ".join(f"{{{one}}}" for one in sorted(found)) or "no slot"
            raise InputError(f"{path}: expected {{{slot}}} in the template {line!r}, got {got}; mend it")


def _mapping(path: Path, tree: dict[str, Any], key: str) -> dict[str, Any]:
    found = tree.get(key)
    if not isinstance(found, dict) or not found:
        raise InputError(f"{path}: expected a mapping under {key!r}, got {found!r}; see {DEFAULT}")
    return found


def _texts(path: Path, what: str, found: Any) -> list[str]:
    # YAML reads no as False and 1984 as a number: quotes make them words.
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one.strip() for one in found):
        raise InputError(f"{path}: expected a list of texts in {what}, got {found!r}; put odd ones in quotes")
    return found
