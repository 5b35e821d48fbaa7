"""Arguments of the verbs that work on a run."""

from zoo.errors import InputError


def run_and_keys(
    verb: str, arguments: list[str], options: tuple[str, ...]
) -> tuple[str, list[tuple[str, str]], dict[str, str]]:
    """The run, overrides of its configuration, and the verb's own options.

    Raises:
        InputError: no run is named.
    """
    from zoo.training.configuration import pairs  # PyYAML, which the light verbs do without

    if not arguments or arguments[0].startswith("-"):
        raise InputError(
            f"zoo {verb}: expected a run, got {arguments[0] if arguments else 'nothing'}; "
            f"write zoo {verb} runs/vision/digits/1"
        )
    where, *words = arguments
    keys = pairs(words)
    return where, [(k, v) for k, v in keys if k not in options], {k: v for k, v in keys if k in options}
