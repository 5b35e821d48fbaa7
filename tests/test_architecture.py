"""The direction of the imports, and that every recipe is a good one."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PURE = ("zoo/nn", "zoo/optim", "zoo/probes", "zoo/attribution", "zoo/reports", "zoo/data")
LIGHTNING = {"pytorch_lightning", "lightning", "lightning_fabric"}


def imports_of(path: Path) -> set[str]:
    """Dotted names of everything a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def files(*folders: str) -> list[Path]:
    """Python files below the folders."""
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_the_core_knows_no_domain():
    assert not [p for p in files("zoo") if any(name.split(".")[0] == "tasks" for name in imports_of(p))]


def test_no_task_imports_another():
    for path in files("tasks"):
        own = path.relative_to(ROOT).parts[1]
        others = {n.split(".")[1] for n in imports_of(path) if n.startswith("tasks.")} - {own}
        assert not others, path


def test_pure_parts_do_without_lightning():
    networks = [
        path for path in files("tasks") if "networks" in path.parts or path.name in ("losses.py", "equations.py")
    ]
    for path in [*files(*PURE), *networks]:
        assert not {name.split(".")[0] for name in imports_of(path)} & LIGHTNING, path


def test_no_file_is_a_drawer():
    assert not [path for path in files("zoo", "tasks") if path.stem in ("utils", "helpers", "misc", "common")]


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["info", "vision/digits"]], ids=" ".join)
def test_light_verbs_do_without_torch(arguments):
    code = (
        "import sys, resource; sys.path.insert(0, sys.argv.pop(1)); from zoo.cli.main import main; "
        "code = main(sys.argv[1:]); heavy = {'torch', 'numpy', 'pytorch_lightning', 'yaml'} & set(sys.modules); "
        "print('heavy', sorted(heavy)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("heavy []")


def test_every_recipe_says_what_it_is():
    from zoo.cli.recipes import all_recipes

    recipes = all_recipes()
    assert recipes
    for recipe in recipes:
        assert recipe.title, recipe.name
        assert {"command", "time", "expected"} <= set(recipe.header), recipe.name
        assert recipe.header["command"] == f"zoo fit {recipe.name}"


def recipe_names() -> list[str]:
    """Names of all recipes, for parametrisation."""
    return [f"{path.parent.name}/{path.stem}" for path in sorted((ROOT / "configs").glob("*/*.yaml"))]


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_makes_its_objects(name):
    from zoo.cli.recipes import find_recipe
    from zoo.training.config_cli import make
    from zoo.training.configuration import read_yaml

    parts = make(read_yaml(find_recipe(name).path), [])
    again = make(read_yaml_text(parts.config), [])
    assert again.config == parts.config  # the resolved configuration is a recipe of its own
    assert type(again.task.net) is type(parts.task.net)


def read_yaml_text(text: str) -> dict:
    """A resolved configuration as a tree."""
    import yaml

    return yaml.safe_load(text)
