"""Second-order optimisers in recipes: under Lightning, in phases, resumed, and what they refuse."""

import json
from functools import partial

import pytest
import torch

from zoo.cli.main import main
from zoo.errors import InputError
from zoo.optim import Phase, Phases, SSBroyden
from zoo.training.record import Record

QUICK = ["--trainer.max_epochs=3", "--data.points=60", "--data.steps_per_epoch=4", "--model.net.hidden_sizes=[6]"]
THREE_PHASES = """
model:
  optimizer:
    class_path: zoo.optim.Phases
    init_args:
      phases:
        - {optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}, steps: 4}
        - {optimizer: {class_path: zoo.optim.SSBroyden, init_args: {iterations: 5}}, steps: 5}
        - {optimizer: {class_path: zoo.optim.LevenbergMarquardt}}
"""
SOAP = "{class_path: pytorch_optimizer.SOAP, init_args: {lr: 0.01, weight_decay: 0.0}}"
SOAP_FIRST = f"""
model:
  optimizer:
    class_path: zoo.optim.Phases
    init_args:
      phases: [{{optimizer: {SOAP}, steps: 7}}, {{optimizer: {{class_path: zoo.optim.SSBroyden, init_args: {{iterations: 2}}}}}}]
"""


@pytest.fixture
def heat(tmp_path, monkeypatch):
    """Runs `zoo fit pde/heat` in a folder of its own; returns the run's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)

    def fit(*words, root="runs"):
        assert main(["fit", "pde/heat", *QUICK, "--root", root, *words]) == 0
        return tmp_path / root / "pde" / "heat" / "1"

    return fit


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def series(folder, quantity):
    found = Record(folder / "record.sqlite").series(quantity)
    return dict(zip(found[""].steps.tolist(), found[""].values.tolist(), strict=True))


@pytest.mark.parametrize("name", ["SSBroyden", "MatrixFreeLevenbergMarquardt", "EnergyNaturalGradient"])
def test_by_a_class_path_alone(heat, name):
    folder = heat("--model.optimizer", f"zoo.optim.{name}")
    losses = series(folder, "loss")
    assert len(losses) == 12 and losses[11] < losses[0]
    reading = "damping" if name.startswith("Matrix") else "step_length"
    assert len(series(folder, reading)) == 12
    if name == "SSBroyden":
        assert json.loads((folder / "metrics.json").read_text())["test/relative_l2"] < 1e-3


@pytest.mark.parametrize(
    ("recipe", "present"), [(THREE_PHASES, [0] * 4 + [1] * 5 + [2] * 3), (SOAP_FIRST, [0] * 7 + [1] * 5)]
)
def test_phases_in_yaml_stopped_and_resumed_are_the_run_never_stopped(heat, tmp_path, recipe, present):
    if "SOAP" in recipe:
        pytest.importorskip("pytorch_optimizer")
    (tmp_path / "phases.yaml").write_text(recipe)
    whole = heat("--config", "phases.yaml")
    heat("--config", "phases.yaml", "--trainer.max_epochs=2", root="half")
    assert main(["fit", "--resume", "half/pde/heat/1", "--trainer.max_epochs=3"]) == 0
    half = tmp_path / "half" / "pde" / "heat" / "1"
    assert all(value.equal(weights(half)[name]) for name, value in weights(whole).items())
    assert list(series(whole, "phase").values()) == present == list(series(half, "phase").values())
    assert list(series(whole, "evaluations")) == [step for step, phase in enumerate(present) if phase == 1]
    assert series(whole, "evaluations") == series(half, "evaluations")


def test_soap_by_itself(heat, tmp_path):
    pytest.importorskip("pytorch_optimizer")
    (tmp_path / "soap.yaml").write_text(f"model: {{optimizer: {SOAP}}}")
    losses = series(heat("--config", "soap.yaml"), "loss")
    assert losses[11] < losses[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--model.clipping", "zoo.optim.ByGlobalNorm", "--model.clipping.max_norm=1"],
            "model.clipping: expected none",
        ),
        (["--trainer.accumulate_grad_batches=2"], "accumulate_grad_batches: expected 1"),
        (["--model.optimizer.iterations=0"], "iterations and evaluations >= 1"),
    ],
)
def test_what_a_line_search_refuses(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    assert main(["fit", "pde/heat", *QUICK, "--model.optimizer", "zoo.optim.SSBroyden", *words]) == 2
    assert says in capsys.readouterr().err


def test_a_later_phase_is_looked_at_before_the_first_step():
    w = torch.nn.Parameter(torch.ones(2))
    adam = Phase(torch.optim.Adam, 3)
    with pytest.raises(InputError, match="iterations"):
        Phases([w], [adam, Phase(partial(SSBroyden, iterations=0))])
    assert Phases([w], [adam, Phase(SSBroyden)]).exact_gradients
    assert not Phases([w], [adam, Phase(torch.optim.Adam)]).exact_gradients
