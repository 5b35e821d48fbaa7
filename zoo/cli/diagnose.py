"""`zoo diagnose RUN`: what the gradients of a run say, and the mend."""

from pathlib import Path

from zoo.cli.arguments import run_and_keys
from zoo.errors import InputError


def run(arguments: list[str]) -> int:
    """Print the findings and write diagnosis.html; with --apply, write the overlay that mends them too."""
    apply = "--apply" in arguments
    words = [word for word in arguments if word != "--apply"]
    where, others, options = run_and_keys("diagnose", words, ("root", "output"))
    if others:
        raise InputError(f"--{others[0][0]}: expected --apply, --root or --output, got another; leave it out")
    from zoo.diagnosis.verdict import conclude

    return conclude(where, options.get("root", "runs"), Path(options["output"]) if "output" in options else None, apply)
