"""The wake's script on a small made file in the published format."""

import numpy as np
import pytest
from scipy.io import savemat

from data_scripts.cylinder_wake import NAME, main
from tasks.pde.measurements import FromFile
from tasks.pde.problems import InverseNavierStokes


def flow(t, x, y):
    return x + 10 * y + 100 * t, x - 10 * y - 100 * t


def made(folder, **changed):
    """Velocities that tell where and when they are from; other arrays in the place of some."""
    places = np.random.default_rng(0).uniform(0, 6, (7, 2))
    times = np.linspace(0, 1, 3)[:, None]
    u, v = flow(times[:, 0][None], *places.T[:, :, None])
    arrays = {"U_star": np.stack([u, v], 1), "p_star": u, "t": times, "X_star": places} | changed
    folder.mkdir(exist_ok=True)
    savemat(folder / NAME, {name: array for name, array in arrays.items() if array is not None})
    return ["--from", str(folder), "--to", str(folder / "to")]


def test_every_row_keeps_its_place_and_time_and_is_read_as_measurements(tmp_path, capsys):
    assert main(made(tmp_path)) == 0
    assert "21 rows of t, x, y, u, v" in capsys.readouterr().out
    found = FromFile(str(tmp_path / "to" / "wake.npz")).read(InverseNavierStokes(), None)
    u, v = flow(*found.points_ND.numpy().T)
    np.testing.assert_allclose(found.values_NK.numpy(), np.stack([u, v], 1), rtol=1e-14)
    assert len(found.points_ND.unique(dim=0)) == 21 and found.columns == [0, 1]


def test_a_part_is_drawn_from_the_seed_without_repetition(tmp_path):
    words = [*made(tmp_path), "--points", "12"]
    parts = []
    for seed in (3, 3, 4):
        assert main([*words, "--seed", str(seed)]) == 0
        with np.load(tmp_path / "to" / "wake.npz") as file:
            parts.append(np.stack([file[name] for name in ("t", "x", "y", "u", "v")], 1))
    assert np.array_equal(parts[0], parts[1]) and not np.array_equal(parts[0], parts[2])
    assert len(np.unique(parts[0], axis=0)) == 12
    np.testing.assert_allclose(parts[2][:, 3], flow(*parts[2].T[:3])[0], rtol=1e-14)


@pytest.mark.parametrize(
    ("changed", "words", "says"),
    [
        ({"U_star": None}, [], "got no U_star"),
        ({"U_star": np.zeros((7, 3, 3))}, [], "expected finite U_star [7, 2, 3], got [7, 3, 3]"),
        ({"p_star": np.zeros((3, 7))}, [], "expected finite p_star [7, 3], got [3, 7]"),
        ({"t": np.array([[0.0], [np.nan], [1.0]])}, [], "expected finite t"),
        ({}, ["--points", "22"], "--points: expected 1 to 21"),
    ],
)
def test_what_does_not_fit_is_one_line_and_2(tmp_path, capsys, changed, words, says):
    assert main([*made(tmp_path, **changed), *words]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1
    assert not (tmp_path / "to").exists() or not list((tmp_path / "to").iterdir())


def test_absent_and_damaged_files_are_one_line_and_2(tmp_path, capsys):
    assert main(["--from", str(tmp_path)]) == 2
    (tmp_path / NAME).write_bytes(b"no .mat file at all" * 20)
    assert main(["--from", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 2
