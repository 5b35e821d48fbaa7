"""Every recipe's gradients against finite differences: the largest relative error, and CPU seconds of the check.

python tests/benchmarks/gradcheck.py [--root FOLDER_OF_DATA_SETS] [RECIPE ...]
"""

import argparse
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from zoo.cli.recipes import all_recipes, find_recipe
from zoo.derivatives.gradient_check import GradientCheck
from zoo.errors import InputError
from zoo.training.configuration import read_yaml
from zoo.training.gradcheck import prepared_check

# Where a start takes longer than the check: word vectors by a singular value decomposition of the whole set, and
# memories that are filled before the first step.
STARTS = {
    "text/": ["model.vectors=null"],
    "rl/pong_dqn": ["model.warmup=64", "model.replay.capacity=1000"],
}


def settings(name: str, root: str | None) -> list[tuple[str, str]]:
    """Keys and values for a recipe."""
    found = [key.split("=") for start, keys in STARTS.items() if name.startswith(start) for key in keys]
    tree = read_yaml(find_recipe(name).path)
    known = [(k, v) for k, v in found if k.split(".")[1] in tree["model"]["init_args"]]
    stored = "data_scripts" in find_recipe(name).header.get("data", "")
    return [*known, *([("data.root", root)] if root and stored else [])]


def one(name: str, root: str | None) -> tuple[GradientCheck, float, float] | None:
    """(the check, CPU seconds of preparing its batch, of the check), or None where data are missing."""
    start = time.process_time()
    try:
        check = prepared_check(read_yaml(find_recipe(name).path), settings(name, root))
    except InputError as error:
        print(f"skipped {name}: {error}", flush=True)
        return None
    between = time.process_time()
    found = check()
    return found, between - start, time.process_time() - between


def main(names: list[str], root: str | None) -> None:
    """Run and report."""
    errors, seconds = {}, {}
    for name in names or [recipe.name for recipe in all_recipes()]:
        done = one(name, root)
        if done is None:
            continue
        found, before, took = done
        print(
            f"{name}: {'agrees' if found.passed else 'DISAGREES'} {found.error:.1e}, {took:.1f} s after {before:.1f} s"
        )
        for bad in found.bad[:3]:
            print(f"  {bad}", flush=True)
        errors[name], seconds[name] = (found.error if found.passed else float("inf")), took
    if names:
        return
    worst, slowest = (max(found, key=found.get) for found in (errors, seconds))
    note = f"{len(errors)} recipes, float64, batches of 16, in training mode; worst {worst}"
    report("gradcheck, relative error", "<= 1e-6", list(errors.values()), max(errors.values()) <= 1e-6, "", note, 10)
    note = f"{len(errors)} recipes, CPU seconds of the check on one core; slowest {slowest}"
    report("gradcheck, time of a recipe", "<= 10 s", list(seconds.values()), max(seconds.values()) <= 10, "s", note)


if __name__ == "__main__":
    torch.set_num_threads(1)
    words = argparse.ArgumentParser()
    words.add_argument("--root")
    words.add_argument("names", nargs="*")
    given = words.parse_args()
    main(given.names, given.root)
