"""`zoo diagnose RUN`: what the gradients of a run say, and the mend."""

from pathlib import Path

from zoo.cli.arguments import run_and_keys
from zoo.errors import InputError


def run(arguments: list[str]) -> int:
    """Print the findings and write diagnosis.html; with --apply, write the overlay that mends them too."""
    apply = "--apply" in arguments
    words = [word for word in arguments if word != "--apply"]
    where, others, options = run_and_keys("diagnose", words, ("root", "output", "before"))
    if others:
        raise InputError(f"--{others[0][0]}: expected --apply, --before, --root or --output, got another; leave it out")
    from zoo.diagnosis.verdict import conclude

    output = Path(options["output"]) if "output" in options else None
    return conclude(where, options.get("root", "runs"), output, apply, options.get("before"))
