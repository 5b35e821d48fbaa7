"""`zoo fit`: train a recipe, or go on with a run."""

from pathlib import Path

from zoo.cli.recipes import find_recipe
from zoo.errors import InputError

HELP = """zoo fit RECIPE [--config overlay.yaml ...] [--key value ...] [--root DIR] [--print_config]
zoo fit --resume RUN [--trainer.max_epochs N]

RECIPE is a name of `zoo list` or a YAML file. Overlays are laid over it in turn, then the keys of the command line:
mappings merge, lists are replaced (--key+ VALUE appends), and another class_path leaves nothing of the former class.
  zoo fit vision/digits --trainer.max_epochs 5 --model.optimizer torch.optim.Adam --model.optimizer.lr 1e-3
A run goes on bit for bit; only its length may change then. RUN is a folder, or a recipe's name for its newest run."""


def run(arguments: list[str]) -> int:
    """Parse the arguments and train."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(HELP)
        return 0
    recipe, words = _recipe_first(arguments)
    show = "--print_config" in words
    words = [word for word in words if word != "--print_config"]
    from zoo.training.configuration import merged, pairs, read_yaml

    keys = pairs(words)
    overlays, overrides = [v for k, v in keys if k == "config"], [kv for kv in keys if kv[0] not in OURS]
    root = next((v for k, v in keys if k == "root"), "runs")
    resumed = next((v for k, v in keys if k == "resume"), None)
    if resumed is not None:
        if recipe or overlays or show:
            raise InputError(
                "--resume: expected only a run and how long it is to go on, got a recipe or --config too; "
                "leave them out, the run has its own configuration"
            )
        from zoo.training.runs import resume

        return resume(resumed, overrides, root)
    if recipe is None:
        raise InputError("zoo fit: expected a recipe, got none; `zoo list` shows them")
    found = find_recipe(recipe)
    tree = read_yaml(found.path)
    for overlay in overlays:
        tree = merged(tree, read_yaml(Path(overlay)))
    if show:
        from zoo.training.config_cli import make

        print(make(tree, overrides).config)
        return 0
    from zoo.training.runs import fit

    return fit(found.name, tree, overrides, root)


OURS = ("config", "root", "resume")


def _recipe_first(arguments: list[str]) -> tuple[str | None, list[str]]:
    # The recipe may stand before or after options: it is the first word that is neither a key nor a key's value.
    for i, word in enumerate(arguments):
        before = arguments[i - 1] if i else ""
        is_value = before.startswith("--") and "=" not in before and before != "--print_config"
        if not word.startswith("-") and not is_value:
            return word, arguments[:i] + arguments[i + 1 :]
    return None, arguments
