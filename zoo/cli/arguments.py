"""Arguments of the verbs that work on a run."""

from typing import Any

from zoo.errors import InputError


def run_and_keys(
    verb: str,
    arguments: list[str],
    options: tuple[str, ...],
    several: tuple[str, ...] = (),
    flags: tuple[str, ...] = (),
) -> tuple[str, list[tuple[str, str]], dict[str, Any]]:
    """The run, overrides of its configuration, and the verb's own options.

    Args:
        verb: in whose name errors speak.
        arguments: what stands behind it.
        options: its own keys; what else there is overrides the configuration.
        several: those of them that may be there many times; their values are lists.
        flags: its own keys without a value, True where they are there.

    Raises:
        InputError: no run is named, or an option is there twice.
    """
    from zoo.training.configuration import pairs  # PyYAML, which the light verbs do without

    if not arguments or arguments[0].startswith("-"):
        raise InputError(
            f"zoo {verb}: expected a run, got {arguments[0] if arguments else 'nothing'}; "
            f"write zoo {verb} runs/vision/digits/1"
        )
    where, *words = arguments
    chosen: dict[str, Any] = {flag: True for flag in flags if f"--{flag}" in words}
    keys = pairs([word for word in words if word not in [f"--{flag}" for flag in flags]])
    for key, value in keys:
        if key in several:
            chosen.setdefault(key, []).append(value)
        elif key in chosen:
            raise InputError(f"--{key}: expected once, got it twice; leave one out")
        elif key in options:
            chosen[key] = value
    return where, [(k, v) for k, v in keys if k not in options], chosen
