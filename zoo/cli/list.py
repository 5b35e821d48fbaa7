"""`zoo list`: the recipes."""

from zoo.cli.recipes import all_recipes
from zoo.errors import InputError


def run(arguments: list[str]) -> int:
    """Print one line a recipe."""
    if arguments:
        raise InputError(f"zoo list: expected no arguments, got {arguments[0]}; leave it out")
    recipes = all_recipes()
    width = max((len(recipe.name) for recipe in recipes), default=0)
    for recipe in recipes:
        expected = recipe.header.get("expected", "")
        print(f"{recipe.name:<{width}}  {recipe.title}" + (f"  [{expected}]" if expected else ""))
    return 0
