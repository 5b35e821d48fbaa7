"""The wake of a cylinder at Re = 100 (Raissi, Perdikaris and Karniadakis 2019) -> data/cylinder_wake/wake.npz.

    python data_scripts/cylinder_wake.py --from DIR [--points N] [--seed S]

DIR holds cylinder_nektar_wake.mat, published beside the paper's code (MIT) and in DeepXDE's source archive. The result
has columns t, x, y, u, v, as `tasks.pde.measurements.FromFile` reads them. The pressure is left out: it occurs in
no equation of `tasks.pde.flow`.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from tasks.pde.measurements import matlab_arrays
from zoo.errors import InputError

NAME = "cylinder_nektar_wake.mat"
COLUMNS = ("t", "x", "y", "u", "v")


def wake_columns(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns of N T rows, time slowest, from U_star [N, 2, T], p_star [N, T], t [T, 1] and X_star [N, 2].

    Raises:
        InputError: an array is missing, has another shape than the others ask for, or numbers that are not finite.
    """
    if missing := {"U_star", "p_star", "t", "X_star"} - set(arrays):
        raise InputError(
            f"{NAME}: expected U_star, p_star, t and X_star, got no {min(missing)}; take the published file"
        )
    places, times = len(arrays["X_star"]), len(arrays["t"])
    shapes = {"U_star": (places, 2, times), "p_star": (places, times), "t": (times, 1), "X_star": (places, 2)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise InputError(
                f"{NAME}: expected finite {name} {list(shape)}, got {list(arrays[name].shape)}; take the published file"
            )
    x_N, y_N = arrays["X_star"].T
    u_TN, v_TN = arrays["U_star"].transpose(1, 2, 0)
    t_R = np.repeat(arrays["t"][:, 0], places)
    rows = (t_R, np.tile(x_N, times), np.tile(y_N, times), u_TN.ravel(), v_TN.ravel())
    return {name: np.asarray(column, np.float64) for name, column in zip(COLUMNS, rows, strict=True)}


def subset(columns: dict[str, np.ndarray], points: int, seed: int) -> dict[str, np.ndarray]:
    """As many random rows, without repetition.

    Raises:
        InputError: none, or more than there are.
    """
    rows = len(columns["t"])
    if not 1 <= points <= rows:
        raise InputError(f"--points: expected 1 to {rows}, the rows of the file, got {points}; mend the command")
    chosen = np.random.default_rng(seed).permutation(rows)[:points]
    return {name: column[chosen] for name, column in columns.items()}


def convert(source: Path, path: Path, points: int | None = None, seed: int = 0) -> int:
    """Write `path`, whole or not at all; returns its number of rows.

    Raises:
        InputError: no such file, or one of another content; the disk refuses.
    """
    if not source.is_file():
        raise InputError(f"cylinder_wake: expected {source}, got no such file; give its folder as --from")
    try:
        arrays = matlab_arrays(source)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:  # SciPy's, for damaged and foreign files
        raise InputError(f"{NAME}: expected a .mat file, got {error}; take the published file") from error
    columns = wake_columns(arrays)
    columns = columns if points is None else subset(columns, points, seed)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(partial, **columns)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: expected to write it, got {error.strerror}; free space or mend it") from error
    finally:
        partial.unlink(missing_ok=True)
    return len(columns["t"])


def main(argv: list[str] | None = None) -> int:
    """Run as a command; 0, or 2 after one line that says what to mend."""
    parser = argparse.ArgumentParser(prog="data_scripts/cylinder_wake.py", description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", metavar="DIR", required=True, help=f"folder with {NAME}")
    parser.add_argument("--to", metavar="DIR", default="data/cylinder_wake", help="default: %(default)s")
    parser.add_argument("--points", type=int, help="as many random rows; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of these rows; default: 0")
    args = parser.parse_args(argv)
    path = Path(args.to) / "wake.npz"
    try:
        rows = convert(Path(args.source) / NAME, path, args.points, args.seed)
    except InputError as error:
        print(f"cylinder_wake: {error}", file=sys.stderr)
        return 2
    print(f"{path}: {rows} rows of {', '.join(COLUMNS)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
