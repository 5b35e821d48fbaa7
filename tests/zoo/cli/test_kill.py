"""A real process is killed, or gets Ctrl-C, and its run goes on to the same bits; two runs in one folder are refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import readings_of
from zoo.cli.main import main
from zoo.training.record import read_record

ROOT = Path(__file__).resolve().parents[3]
KEYS = ["--trainer.max_epochs", "120", "--model.net.width", "4", "--data.batch_size", "256"]


def start(folder: Path, *words: str) -> subprocess.Popen:
    """`zoo` in a process of its own, standing in `folder`."""
    # A test run that was put in the background ignores Ctrl-C, and so would its children.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ZOO_RUN_FOLDER"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code, *words], cwd=folder, env=environment, **pipes)


def wait_for_step(run: Path, step: int) -> None:
    """Until the last checkpoint is at `step` or later."""
    for _ in range(1200):
        path = run / "checkpoints" / "last.ckpt"
        if path.is_file() and torch.load(path, weights_only=True)["global_step"] >= step:
            return
        time.sleep(0.05)
    raise AssertionError("no checkpoint in a minute")


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The last weights of a run."""
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_process_goes_on_to_the_same_bits(tmp_path, monkeypatch, capsys, how):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    whole = start(tmp_path, "fit", "vision/digits", "--root", "whole", *KEYS)
    _, err = whole.communicate(timeout=240)
    assert whole.returncode == 0, err
    stopped = start(tmp_path, "fit", "vision/digits", "--root", "part", *KEYS)
    run = tmp_path / "part/vision/digits/1"
    wait_for_step(run, 12)
    stopped.send_signal(how)
    out, err = stopped.communicate(timeout=60)
    if how == signal.SIGINT:
        assert stopped.returncode == 130
        assert "go on with: zoo fit --resume part/vision/digits/1" in out + err and "Traceback" not in err
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] < 720
    assert main(["fit", "--resume", str(run)]) == 0
    expected, found = weights(tmp_path / "whole/vision/digits/1"), weights(run)
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    records = [read_record(tmp_path / where / "vision/digits/1/record.sqlite") for where in ("whole", "part")]
    assert readings_of(records[0]) == readings_of(records[1])


@pytest.mark.slow
def test_two_runs_in_one_folder_are_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    first = start(tmp_path, "fit", "vision/digits", *KEYS)
    run = tmp_path / "runs/vision/digits/1"
    wait_for_step(run, 6)
    assert main(["fit", "--resume", str(run)]) == 2
    assert f"process {first.pid}" in capsys.readouterr().err
    first.kill()
    first.communicate()
    assert main(["fit", "--resume", str(run), "--trainer.max_epochs", "1"]) == 2  # it is further than that
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert main(["fit", "--resume", str(run)]) == 0  # the lock died with the process
