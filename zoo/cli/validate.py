"""`zoo validate RUN_OR_CHECKPOINT`: figures on the validation split."""

from zoo.cli.arguments import run_and_keys


def run(arguments: list[str]) -> int:
    """Print the figures."""
    where, overrides, options = run_and_keys("validate", arguments, ("root",))
    from zoo.training.runs import evaluate

    return evaluate(where, "validation", overrides, options.get("root", "runs"))
