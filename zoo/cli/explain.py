"""`zoo explain RUN`: what the answers of a trained net depend on."""

from zoo.cli.arguments import run_and_keys


def run(arguments: list[str]) -> int:
    """Write the explanation page."""
    options = ("root", "output", "examples", "methods", "choose", "steps", "at", "rollouts", "text", "swap")
    where, overrides, chosen = run_and_keys("explain", arguments, options, several=("text",))
    from zoo.training.runs import explain

    return explain(where, overrides, chosen)
