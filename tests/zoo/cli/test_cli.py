"""The command, in process: what it says to bad input, and a whole life of a run."""

import json
from pathlib import Path

import pytest
import torch

from zoo.cli.main import main
from zoo.training.record import read_record

TINY = [
    "--trainer.max_epochs",
    "2",
    "--model.net.width",
    "4",
    "--data.augmentations",
    "null",
    "--data.batch_size",
    "128",
]


def zoo(*words: str) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fitt"], "did you mean `zoo fit`"),
        (["--config", "x.yaml", "fit"], "expected a verb first"),
        (["fit", "vision/digit"], "did you mean vision/digits"),
        (["fit", "nowhere.yaml"], "does not exist"),
        (["fit"], None),
        (["info"], "expected one recipe"),
        (["test"], "expected a run, got nothing"),
        (["test", "runs/none"], "expected a run folder"),
        (["fit", "vision/digits", "--trainer.max_epoch", "3"], "did you mean 'trainer.max_epochs'"),
        (["fit", "vision/digits", "--model.net.widht", "3"], "model.net (ResNet): expected one of its arguments, got 'widht'; did you mean 'width'"),
        (["fit", "vision/digits", "--modle.net.width", "3"], "did you mean 'model'"),
        (["fit", "vision/digits", "--model.net.width", "wide"], "model.net.width: expected int, got wide"),
        (["fit", "vision/digits", "--model.optimizer", "torch.optim.Adamm"], "did you mean 'Adam'"),
        (["fit", "vision/digits", "--data.batch_sise", "3"], "did you mean 'batch_size'"),
        (["fit", "vision/digits", "--config", "missing.yaml"], "missing.yaml"),
        (["fit", "vision/digits", "--trainer.max_epochs"], "expected a value, got none"),
        (["fit", "vision/digits", "--data.fold", "10"], "data.fold: expected 0..9, got 10"),
        (["fit", "vision/digits", "--model.net.num_classes", "7"], "expected 10 outputs, one a class of the data, got 7"),
        (["fit", "vision/digits", "--model.net", "torchvision.models.resnet18", "--model.net.num_classes", "10"], "expected a net for images [1, 8, 8]"),
        (["fit", "vision/digits", "--trainer.gradient_clip_val", "1.0"], "model.clipping"),
        (["fit", "vision/digits", "--model.label_smoothing", "2"], "label_smoothing: expected a share in [0, 1), got 2"),
        (["fit", "vision/digits", "--trainer.threads", "0"], "trainer.threads: expected 1 or more, got 0"),
        (["fit", "vision/digits", "--trainer.max_epochs", "-1"], "expected a run of known length"),
        (["fit", "vision/digits", "--model.scheduler", "torch.optim.lr_scheduler.ReduceLROnPlateau"], "set data.validation above 0"),
        (["fit", "--resume", "runs/none"], "expected a run folder"),
        (["fit", "vision/fashion_mnist"], "python data_scripts/fashion_mnist.py"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(here, capsys, words, said):
    code = zoo(*words)
    out = capsys.readouterr()
    if said is None:
        assert code == 0 and "RECIPE" in out.out
        return
    assert code == 2
    lines = out.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("zoo: error: ") and said in lines[0], out.err
    assert not list(here.rglob("config.yaml")) and not list(here.rglob("*.ckpt"))


def test_bad_yaml_is_one_line(here, capsys):
    Path("bad.yaml").write_text("trainer: [1, 2")
    assert zoo("fit", "vision/digits", "--config", "bad.yaml") == 2
    Path("list.yaml").write_text("- 1")
    assert zoo("fit", "vision/digits", "--config", "list.yaml") == 2
    Path("key.yaml").write_text("trainer: {max_epoch: 3}")
    assert zoo("fit", "vision/digits", "--config", "key.yaml") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3 and "did you mean 'trainer.max_epochs'" in lines[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trainer:\n  max_epochs: 2\ntrainer:\n  threads: 1\n", "'trainer' stands here twice"),
        ("trainer: {1: 2}\n", "expected keys that are text, got 1"),
        ("on: 3\n", "expected keys that are text, got True"),
    ],
)
def test_yaml_keys_that_would_be_lost(here, capsys, text, said):
    (here / "overlay.yaml").write_text(text)
    assert zoo("fit", "vision/digits", "--config", "overlay.yaml") == 2
    assert said in capsys.readouterr().err


def test_a_logger_takes_the_loss_and_precisions_start(here, capsys):
    logger = ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "logs"]
    assert zoo("fit", "vision/digits", *TINY, *logger, "--trainer.precision", "64-true") == 0
    assert "train/loss" in next(here.rglob("logs/**/metrics.csv")).read_text()
    assert zoo("fit", "vision/digits", *TINY, "--trainer.precision", "bf16-true") == 0


def test_a_longer_resume_stays_longer_and_adds_up_its_cost(here, capsys):
    assert zoo("fit", "vision/digits", *TINY) == 0
    run = here / "runs" / "vision" / "digits" / "1"
    first = json.loads((run / "metrics.json").read_text())
    assert zoo("fit", "--resume", run, "--trainer.max_epochs", "3") == 0
    second = json.loads((run / "metrics.json").read_text())
    assert "max_epochs: 3" in (run / "config.yaml").read_text()
    assert second["epochs"] == 3 and second["fit_seconds"] > 1.1 * first["fit_seconds"]


def test_a_run_without_a_step_hides_none_and_a_moved_checkpoint_predicts_beside_itself(here, capsys):
    assert zoo("fit", "vision/digits", *TINY) == 0
    runs = here / "runs" / "vision" / "digits"
    (runs / "2").mkdir()
    (runs / "2" / "config.yaml").write_text((runs / "1" / "config.yaml").read_text())
    assert zoo("test", "vision/digits") == 0
    (here / "moved").mkdir()
    (runs / "1" / "checkpoints" / "last.ckpt").rename(here / "moved" / "alone.ckpt")
    assert zoo("predict", "moved/alone.ckpt") == 0
    assert (here / "moved" / "predictions.pt").is_file()
    (here / "taken").write_text("")
    assert zoo("explain", "moved/alone.ckpt", "--output", "taken") == 2
    assert "--output: expected a folder" in capsys.readouterr().err


def test_print_config_shows_overlays_and_starts_nothing(here, capsys):
    Path("over.yaml").write_text(
        "model: {init_args: {optimizer: {class_path: torch.optim.Adam, init_args: {lr: 5e-4}}}}"
    )
    assert zoo("fit", "--config", "over.yaml", "vision/digits", "--print_config", "--trainer.max_epochs", "7") == 0
    shown = capsys.readouterr().out
    assert "torch.optim.Adam" in shown and "lr: 0.0005" in shown and "max_epochs: 7" in shown
    assert "weight_decay: 0" in shown and "nesterov" not in shown  # nothing of the recipe's SGD stays behind
    assert not list(here.iterdir()) or [p.name for p in here.iterdir()] == ["over.yaml"]


def test_another_class_on_the_command_line_starts_afresh(here, capsys):
    assert zoo("fit", "vision/digits", "--print_config", "--model.optimizer", "torch.optim.AdamW") == 0
    shown = capsys.readouterr().out
    assert "weight_decay: 0.01" in shown and "lr: 0.001" in shown  # AdamW's own defaults


@pytest.mark.slow
def test_the_life_of_a_run(here, capsys):
    assert zoo("fit", "vision/digits", *TINY) == 0
    said = capsys.readouterr().out
    run = here / "runs/vision/digits/1"
    assert "test/accuracy: " in said and "runs/vision/digits/1/report.html" in said
    present = {path.name for path in run.iterdir()}
    assert {"config.yaml", "versions.json", "checkpoints", "record.sqlite", "metrics.json", "report.html"} <= present
    figures = json.loads((run / "metrics.json").read_text())
    assert f"test/accuracy: {figures['test/accuracy']:.4f}" in said
    assert zoo("test", "vision/digits") == 0
    assert f"test/accuracy: {figures['test/accuracy']:.4f}" in capsys.readouterr().out
    moved = here / "alone.ckpt"
    moved.write_bytes((run / "checkpoints/last.ckpt").read_bytes())
    assert zoo("test", moved) == 0
    assert f"test/accuracy: {figures['test/accuracy']:.4f}" in capsys.readouterr().out
    assert zoo("validate", run) == 2  # this recipe keeps no validation split
    assert "keeps no validation split" in capsys.readouterr().err
    assert zoo("validate", run, "--data.validation", "0.2") == 0
    assert zoo("predict", run, "--output", "found.pt") == 0
    found = torch.load("found.pt", weights_only=True)
    accuracy = (found["probabilities"].argmax(1) == found["labels"]).float().mean().item()
    assert accuracy == pytest.approx(figures["test/accuracy"])
    assert (
        zoo("explain", run, "--methods", "saliency,integrated_gradients", "--examples", "3", "--choose", "0,5,7") == 0
    )
    assert "integrated gradients" in (run / "explain.html").read_text()
    capsys.readouterr()
    assert zoo("explain", run, "--methods", "magic") == 2 and zoo("explain", run, "--choose", "worst") == 2
    assert zoo("fit", "--resume", run, "--model.optimizer.lr", "1") == 2
    assert "start a new run" in capsys.readouterr().err
    assert zoo("fit", "--resume", run, "--trainer.max_epochs", "3") == 0
    steps = read_record(run / "record.sqlite").series("loss")[""].steps
    assert steps.tolist() == list(range(len(steps))) and len(steps) == 3 * 12
    (run / "checkpoints/last.ckpt").write_bytes(b"broken")
    capsys.readouterr()
    assert zoo("test", run) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_doctor_finds_this_environment_sound(capsys):
    assert main(["doctor", "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert not [p for p in found["problems"] if "expected >=" in p or "expected to import" in p]
    assert "torch" in found["facts"]
