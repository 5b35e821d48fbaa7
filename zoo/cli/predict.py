"""`zoo predict RUN_OR_CHECKPOINT [FILE...]`: predictions as a file of tensors, or answers to what the user gives."""

from itertools import takewhile

from zoo.cli.arguments import run_and_keys


def run(arguments: list[str]) -> int:
    """Write the predictions, or answer."""
    files = list(takewhile(lambda word: not word.startswith("--"), arguments[1:]))
    rest = [*arguments[:1], *arguments[1 + len(files) :]]
    options = ("root", "output", "text", "file", "column")
    where, overrides, chosen = run_and_keys("predict", rest, options, several=("text",), flags=("stream",))
    from zoo.training.runs import predict

    return predict(where, overrides, chosen | ({"files": files} if files else {}))
