"""`zoo gradcheck RECIPE`: autograd against finite differences, for every parameter tensor and input."""

from pathlib import Path

from zoo.cli.recipes import find_recipe
from zoo.errors import InputError

OURS = ("config", "tolerance", "seconds")


def run(arguments: list[str]) -> int:
    """Check a recipe; 0 where every gradient agrees, 1 where one does not."""
    if not arguments or arguments[0].startswith("-"):
        raise InputError("zoo gradcheck: expected a recipe, got none; `zoo list` shows them")
    recipe, *words = arguments
    from zoo.training.configuration import merged, pairs, read_yaml

    found, keys = find_recipe(recipe), pairs(words)
    tree = read_yaml(found.path)
    for overlay in [value for key, value in keys if key == "config"]:
        tree = merged(tree, read_yaml(Path(overlay)))
    options = {key: _positive(key, value) for key, value in keys if key in OURS[1:]}
    from zoo.training.gradcheck import gradcheck

    return gradcheck(found.name, tree, [kv for kv in keys if kv[0] not in OURS], **options)


def _positive(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise InputError(f"--{key}: expected a number above 0, got {text!r}; mend the command")
    return value
