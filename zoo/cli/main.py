"""Entry of the `zoo` command: finds the verb, turns errors into one line and an exit code.

Nothing heavy is imported here: `zoo --help`, `zoo list` and `zoo info` answer without torch.
"""

import importlib
import os
import sys

from zoo.errors import InputError

# verb -> what it does; its module is zoo.cli.<verb>, with run(arguments) -> exit code.
VERBS = {
    "list": "recipes that can be trained",
    "info": "what a recipe is, and its settings: zoo info RECIPE",
    "fit": "train a recipe: zoo fit RECIPE [--config overlay.yaml] [--key value]; go on: zoo fit --resume RUN",
    "validate": "figures on the validation split: zoo validate RUN_OR_CHECKPOINT",
    "test": "figures on the test split: zoo test RUN_OR_CHECKPOINT",
    "predict": "predictions as a file: zoo predict RUN_OR_CHECKPOINT [--output FILE]; also FILE.wav ..., --text TEXT",
    "explain": "what the answers depend on, as a page: zoo explain RUN",
    "diagnose": "what the gradients of a run say, and the mend: zoo diagnose RUN [--apply] [--before RUN]",
    "gradcheck": "autograd against finite differences, the whole task in float64: zoo gradcheck RECIPE",
    "curvature": "Hessian spectrum, sharpness and landscape of a run, as a page: zoo curvature RUN",
    "study": "an expectation of the literature, measured: zoo study NAME; without a name, lists them",
    "doctor": "versions that do not fit together, missing extras, what this machine can do",
}

OWN_HELP = ("fit", "study")  # they print a page of their own


def console() -> None:
    """Run the command line and leave with its exit code; classes of one's own are found in the present folder."""
    sys.path.append(os.getcwd())
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one command line; returns the exit code: 0 done, 2 bad input, 130 interrupted."""
    try:
        return _run(arguments)
    except InputError as error:
        print(f"zoo: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nzoo: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    verb, *rest = arguments
    if verb == "--version":
        from zoo import __version__

        print(f"gradient-zoo {__version__}")
        return 0
    if verb in VERBS:
        if verb not in OWN_HELP and {"-h", "--help"} & set(rest):
            print(f"zoo {verb}: {VERBS[verb]}")
            return 0
        return importlib.import_module(f"zoo.cli.{verb}").run(rest)
    if verb.startswith("-"):
        raise InputError(f"zoo: expected a verb first, got {verb}; write e.g. zoo fit RECIPE {verb} ...")
    from zoo.cli.plugins import plugin_verbs  # 20 ms that the verbs above need not pay

    added = plugin_verbs()
    if verb in added:
        return added[verb].load()(rest)
    from difflib import get_close_matches

    close = get_close_matches(verb, [*VERBS, *added], n=1)
    hint = f"did you mean `zoo {close[0]}`?" if close else f"verbs: {', '.join([*VERBS, *added])}"
    raise InputError(f"zoo: expected a verb, got {verb!r}; {hint}")


def usage() -> str:
    """The help page."""
    from zoo.cli.plugins import described, plugin_verbs

    verbs = {**VERBS, **{name: described(point) for name, point in plugin_verbs().items()}}
    lines = [f"  zoo {verb:<9} {text}" for verb, text in verbs.items()]
    return "\n".join(["Gradient Zoo: models of five domains on one gradient-aware training core", "", *lines])
