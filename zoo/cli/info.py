"""`zoo info RECIPE`: what a recipe is, and its settings."""

from itertools import dropwhile

from zoo.cli.recipes import find_recipe, read_lines
from zoo.errors import InputError


def run(arguments: list[str]) -> int:
    """Print the recipe."""
    if len(arguments) != 1:
        raise InputError(f"zoo info: expected one recipe, got {len(arguments)}; write e.g. zoo info vision/digits")
    recipe = find_recipe(arguments[0])
    print(f"{recipe.name}: {recipe.title}")
    for key, value in recipe.header.items():
        print(f"  {key}: {value}")
    body = dropwhile(lambda line: line.startswith("#"), read_lines(recipe.path))
    print(f"\n{recipe.path}\n" + "\n".join(body))
    print("\nEvery value can be changed: zoo fit", recipe.name, "--trainer.max_epochs 3, or --config overlay.yaml")
    return 0
