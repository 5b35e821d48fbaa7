"""`zoo curvature RUN`: a page whose numbers are those of the dense Hessian, and bad input in one line."""

import json

import pytest
import torch
from torch.autograd.functional import hessian

from zoo.cli.main import main
from zoo.probes.parameter_vectors import parts_of, vector_of
from zoo.training.curvature import CurvatureOptions, trained_point

SMALL = [
    "--model.net.hidden_sizes",
    "[4]",
    "--trainer.max_epochs",
    "1",
    "--data.points",
    "50",
    "--data.steps_per_epoch",
    "4",
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    return tmp_path


def test_a_run_of_least_squares_against_its_dense_hessian(here, capsys):
    assert main(["fit", "pde/poisson", *SMALL]) == 0
    run = here / "runs" / "pde" / "poisson" / "1"
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["curvature", "pde/poisson", "--grid", "3", "--top", "2", "--batches", "1"]) == 0
    out = capsys.readouterr().out
    assert all(path.read_bytes() == content for path, content in kept.items())  # the run itself is as it was
    page = json.loads((run / "curvature.json").read_text())
    tables = {section["title"]: section["figures"][0]["rows"] for section in page["sections"]}
    point = trained_point("pde/poisson", [], CurvatureOptions(batches=1), "runs")
    flat = vector_of(point.params)
    exact = torch.linalg.eigvalsh(hessian(lambda v: point.losses(parts_of(v, point.params)), flat))
    found = {name: (value, error) for name, value, error, _ in tables["Extreme eigenvalues"]}
    for name, value in (
        ("Hessian, largest 1", exact[-1]),
        ("Hessian, largest 2", exact[-2]),
        ("Hessian, smallest", exact[0]),
    ):
        assert abs(found[name][0] - value) <= found[name][1] + 1e-9 * exact[-1]
    trace, error = tables["Trace"][0][1:]
    assert abs(trace - exact.sum()) <= 5 * error + 1e-6 * exact.sum()
    assert found["Gauss-Newton, one batch, largest 1"][0] == pytest.approx(float(exact[-1]), rel=0.2)
    along = tables["Along the path"]
    loss = float(point.losses(point.params))
    assert min(abs(row[0] - 1) for row in along) < 0.2 and f"loss: {loss:.4g}" in out
    middle = tables["Across: a filter-normalised plane"][1][2]
    assert middle == pytest.approx(loss, rel=1e-9)
    assert (run / "curvature.html").stat().st_size > 10_000


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_policies_take_a_fresh_rollout_and_say_so(here, capsys, mode):
    words = [
        "--trainer.max_epochs",
        "1",
        "--model.environment.count",
        "4",
        "--model.net.hidden_sizes",
        "[4]",
        "--model.evaluation_episodes",
        "2",
    ]
    assert main(["fit", "rl/cartpole", *words]) == 0
    assert (
        main(["curvature", "runs/rl/cartpole/1", "--grid", "3", "--top", "1", "--mode", mode, "--output", "out"]) == 0
    )
    page = json.loads((here / "out" / "curvature.json").read_text())
    assert "made by the trained net" in page["subtitle"] and f"in {mode} mode" in page["subtitle"]
    assert "Hessian, largest 1: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected a run, got nothing"),
        (["runs/none"], "expected a run folder"),
        (["runs/none", "--top", "many"], "--top: expected a number, got 'many'"),
        (["runs/none", "--mode", "test"], "mode eval or train"),
    ],
)
def test_bad_input_is_one_line(here, capsys, words, said):
    assert main(["curvature", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
