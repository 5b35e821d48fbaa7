"""`zoo info RECIPE`: what a recipe is, and its settings."""

from zoo.cli.recipes import find_recipe
from zoo.errors import InputError


def run(arguments: list[str]) -> int:
    """Print the recipe."""
    if len(arguments) != 1:
        raise InputError(f"zoo info: expected one recipe, got {len(arguments)}; write e.g. zoo info vision/digits")
    recipe = find_recipe(arguments[0])
    print(f"{recipe.name}: {recipe.title}")
    for key, value in recipe.header.items():
        print(f"  {key}: {value}")
    body = [line for line in recipe.path.read_text(encoding="utf8").splitlines() if not line.startswith("#")]
    print(f"\n{recipe.path}\n" + "\n".join(body))
    print("\nEvery value can be changed: zoo fit", recipe.name, "--trainer.max_epochs 3, or --config overlay.yaml")
    return 0
