"""`zoo predict RUN_OR_CHECKPOINT`: predictions as a file of tensors, or answers to what the user gives."""

from zoo.cli.arguments import run_and_keys


def run(arguments: list[str]) -> int:
    """Write the predictions, or answer."""
    options = ("root", "output", "text", "file", "column")
    where, overrides, chosen = run_and_keys("predict", arguments, options, several=("text",))
    from zoo.training.runs import predict

    return predict(where, overrides, chosen)
