"""The wake's recipe on a file in the published format that holds an exact flow: drifting Taylor-Green vortices."""

import json

import numpy as np
import pytest
import torch
from scipy.io import savemat

from data_scripts.cylinder_wake import NAME
from data_scripts.cylinder_wake import main as convert
from tasks.pde.data import unit_points
from tasks.pde.problems import CylinderWake
from zoo.cli.main import main
from zoo.derivatives import jet_of
from zoo.errors import InputError

STREAM, END = 1.0, 2.0


def velocities(t, x, y, nu):
    """u and v of psi = U y + cos(x - U t) cos y e^(-2 nu t)."""
    decay = np.exp(-2 * nu * t)
    return STREAM - np.cos(x - STREAM * t) * np.sin(y) * decay, np.sin(x - STREAM * t) * np.cos(y) * decay


def made(folder, nu):
    """The converted file's path."""
    places = np.random.default_rng(0).uniform([1, -2], [8, 2], (200, 2))
    times = np.linspace(0, END, 9)[:, None]
    u, v = velocities(times.T, places[:, :1], places[:, 1:], nu)
    savemat(folder / NAME, {"U_star": np.stack([u, v], 1), "p_star": u, "t": times, "X_star": places})
    assert convert(["--from", str(folder), "--to", str(folder)]) == 0
    return folder / "wake.npz"


def test_both_constants_are_recovered_from_velocities_alone(tmp_path):
    nu = 0.05
    words = [f"--model.problem.path={made(tmp_path, nu)}", f"--model.problem.end={END}", "--model.waves=null"]
    words += ["--model.net=tasks.pde.networks.RandomFeatures", "--model.net.in_features=3", "--model.net.width=400"]
    words += ["--model.net.scale=3.0", "--model.optimizer.memory=0.0", "--model.optimizer.orthogonal=true"]
    words += ["--model.optimizer.damping=1e-4", "--model.optimizer.shrink=0.03", "--model.measurements.points=1000"]
    words += ["--data.points=600", "--data.steps_per_epoch=8", "--trainer.max_epochs=1"]
    assert main(["fit", "pde/cylinder_wake", *words, "--root", str(tmp_path)]) == 0
    metrics = json.loads((tmp_path / "pde" / "cylinder_wake" / "1" / "metrics.json").read_text())
    assert metrics["test/lambda_1"] == pytest.approx(1.0, rel=1e-3)
    assert metrics["test/lambda_2"] == pytest.approx(nu, rel=5e-3)
    assert metrics["test/relative_l2"] < 3e-3  # 800 of the 1,800 rows were not trained on
    assert 0 < metrics["test/lambda_1_half_width"] < 1e-2


def test_the_exact_flow_meets_the_equation_with_its_own_constants_alone():
    problem = CylinderWake(end=END)
    points = problem.placed(unit_points(50, "uniform", 0))
    x = jet_of(points, problem.space)
    t, across, up = (x[..., column : column + 1] for column in range(3))
    psi = up * STREAM + torch.cos(across - t * STREAM) * torch.cos(up) * torch.exp(t * -0.02)
    assert problem.residual(psi, points, problem.constants).abs().max() < 1e-12
    for wrong in ({"lambda_1": 1.1}, {"lambda_2": 0.03}):
        assert problem.residual(psi, points, problem.constants | wrong).abs().max() > 1e-2


def test_the_reference_is_rows_of_the_file_and_the_same_again(tmp_path):
    path = str(made(tmp_path, 0.01))
    known, again = (CylinderWake(path, 300, END).reference() for _ in range(2))
    assert known.points_ND.equal(again.points_ND) and len(known.points_ND.unique(dim=0)) == 300
    expected = np.stack(velocities(*known.points_ND.numpy().T, 0.01), 1)
    np.testing.assert_allclose(known.values_NK.numpy(), expected, rtol=0, atol=1e-12)


def test_a_missing_file_is_one_line_and_2_before_the_first_step(tmp_path, capsys):
    assert main(["fit", "pde/cylinder_wake", "--root", str(tmp_path), "--model.problem.path=none.npz"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("zoo: error: none.npz: expected the cylinder's wake, got no such file; python data_scripts/")
    assert said.count("\n") == 1


def test_rows_outside_the_domain_and_bad_numbers(tmp_path):
    path = str(made(tmp_path, 0.01))
    with pytest.raises(InputError, match=r"expected t in \[0, 1\], the domain"):
        CylinderWake(path, end=1.0).reference()
    with pytest.raises(InputError, match="rows of 1 or more and an end above 0"):
        CylinderWake(rows=0)
