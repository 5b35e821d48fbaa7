"""`zoo test RUN_OR_CHECKPOINT`: figures on the test split."""

from zoo.cli.arguments import run_and_keys


def run(arguments: list[str]) -> int:
    """Print the figures."""
    where, overrides, options = run_and_keys("test", arguments, ("root",))
    from zoo.training.runs import evaluate

    return evaluate(where, "test", overrides, options.get("root", "runs"))
