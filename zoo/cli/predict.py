"""`zoo predict RUN_OR_CHECKPOINT`: predictions as a file of tensors."""

from zoo.cli.arguments import run_and_keys


def run(arguments: list[str]) -> int:
    """Write the predictions."""
    where, overrides, options = run_and_keys("predict", arguments, ("root", "output"))
    from zoo.training.runs import predict

    return predict(where, options.get("output"), overrides, options.get("root", "runs"))
