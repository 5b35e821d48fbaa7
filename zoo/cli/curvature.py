"""`zoo curvature RUN`: the Hessian's spectrum, sharpness and landscape of a trained net."""

from zoo.cli.arguments import run_and_keys
from zoo.errors import InputError


def run(arguments: list[str]) -> int:
    """Write the curvature page."""
    options = ("root", "output", "top", "batches", "mode", "grid", "radius")
    where, overrides, chosen = run_and_keys("curvature", arguments, options)
    kinds = {"top": int, "batches": int, "mode": str, "grid": int, "radius": float}
    wanted = {key: _as(kind, key, chosen[key]) for key, kind in kinds.items() if key in chosen}
    from zoo.training.curvature import CurvatureOptions, curvature

    return curvature(where, overrides, CurvatureOptions(**wanted), chosen.get("root", "runs"), chosen.get("output"))


def _as(kind: type, key: str, text: str) -> int | float | str:
    try:
        return kind(text)
    except ValueError as error:
        raise InputError(f"--{key}: expected a number, got {text!r}; mend the command") from error
