"""A run that is stopped and goes on gives the bits of the run that never stopped: weights, optimiser, record."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ManualRegression, Regression, readings_of
from zoo.data import TensorLoader
from zoo.errors import InputError
from zoo.optim import SAM, AutoClip, WarmupDecay
from zoo.training.checkpoints import AtomicCheckpointIO, Checkpointer, read_checkpoint
from zoo.training.monitor import MonitorOptions
from zoo.training.record import Record


def adam(params):
    return torch.optim.Adam(params, lr=0.01, amsgrad=True)


def lbfgs(params):
    return torch.optim.LBFGS(params, lr=0.5, max_iter=4)


def sam(params):
    return SAM(params, lambda groups: torch.optim.SGD(groups, lr=0.01, momentum=0.9))


class Stop(Exception):
    """Stands for a kill."""


class Killer(Checkpointer):
    """Dies in the middle of a step, after the checkpoints that were due by then."""

    def __init__(self, *args, at=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.at = at

    def on_train_batch_start(self, trainer, *_):
        if self.at is not None and trainer.global_step >= self.at:
            raise Stop


def train(folder, make_net, data, quick, kind, optimizer, every_n_steps, kill_at=None, resume=False):
    torch.manual_seed(11)
    task = kind(
        make_net(),
        optimizer,
        clipping=AutoClip(50.0),
        scheduler=lambda o: WarmupDecay(o, 40),
        monitor=MonitorOptions(sample_every=3, flush_every=4),
    )
    task.write_readings_to(Record(folder / "record.sqlite"))
    callback = Killer(folder, "val/loss", every_n_steps=every_n_steps, at=kill_at)
    trainer = quick(max_epochs=4, callbacks=[callback], plugins=[AtomicCheckpointIO()])
    loaders = TensorLoader(data, 16, shuffle=True, seed=3), TensorLoader(data, 32)
    try:
        trainer.fit(task, *loaders, ckpt_path=str(folder / "last.ckpt") if resume else None)
    except Stop:
        pass
    return task, trainer


@pytest.mark.parametrize("kill_at", [5, 8, 11])
@pytest.mark.parametrize("every_n_steps", [None, 3])
@pytest.mark.parametrize(
    ("kind", "optimizer"),
    [(Regression, adam), (Regression, lbfgs), (Regression, sam), (ManualRegression, adam), (ManualRegression, lbfgs)],
)
def test_killed_and_resumed_is_the_same_bits(tmp_path, make_net, data, quick, kind, optimizer, every_n_steps, kill_at):
    if kind is ManualRegression:  # two steps a batch
        kill_at *= 2
    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir(), part.mkdir()
    expected, trainer = train(whole, make_net, data, quick, kind, optimizer, every_n_steps)
    train(part, make_net, data, quick, kind, optimizer, every_n_steps, kill_at=kill_at)
    assert (part / "last.ckpt").is_file()
    torch.manual_seed(99)  # a new process has another random state
    torch.rand(7)
    found, again = train(part, make_net, data, quick, kind, optimizer, every_n_steps, resume=True)
    assert again.global_step == trainer.global_step
    for name, value in expected.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]) or value.isnan().any(), name
    a, b = trainer.optimizers[0].state_dict(), again.optimizers[0].state_dict()
    assert repr(a) == repr(b)
    assert readings_of(expected.monitor.record) == readings_of(found.monitor.record)
    assert [trainer.lr_scheduler_configs[0].scheduler.get_last_lr()] == [
        again.lr_scheduler_configs[0].scheduler.get_last_lr()
    ]


@pytest.mark.parametrize("damage", ["truncated", "text", "other tensors", "missing"])
def test_a_bad_checkpoint_is_refused_in_one_line(tmp_path, make_net, data, quick, damage):
    train(tmp_path, make_net, data, quick, Regression, adam, None)
    path = tmp_path / "last.ckpt"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "text":
        path.write_text("not a checkpoint")
    elif damage == "other tensors":
        torch.save({"weights": torch.zeros(2)}, path)
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"checkpoint: expected .*last\.ckpt") as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (Path(tmp_path / "hacked").touch, ())

    torch.save({"state_dict": {}, "global_step": 1, "x": Malicious()}, tmp_path / "bad.ckpt")
    with pytest.raises(InputError, match="checkpoint"):
        read_checkpoint(tmp_path / "bad.ckpt")
    assert not (tmp_path / "hacked").exists()


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch, make_net, data, quick):
    train(tmp_path, make_net, data, quick, Regression, adam, None)
    before = (tmp_path / "last.ckpt").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left"):
        train(tmp_path, make_net, data, quick, Regression, adam, None)
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert not list(tmp_path.glob(".*partial"))


SCRIPT = """
import sys, warnings
warnings.filterwarnings("ignore")
import torch
from pathlib import Path
from tests.conftest import Regression, readings_of
from tests.zoo.training.test_resume import adam, Killer, Stop
from zoo.data import TensorLoader
from zoo.training.checkpoints import AtomicCheckpointIO
from zoo.training.monitor import MonitorOptions
from zoo.training.record import Record
from zoo.training.trainer import Trainer

folder, devices, batch, kill_at, resume = Path(sys.argv[1]), *map(int, sys.argv[2:])
torch.set_num_threads(1)
torch.manual_seed(1)
net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
x = torch.randn(64, 3)
task = Regression(net, adam, monitor=MonitorOptions(sample_every=3, flush_every=4))
callback = Killer(folder, every_n_steps=3, at=kill_at if kill_at >= 0 else None)
trainer = Trainer(max_epochs=3, accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto",
                  callbacks=[callback], plugins=[AtomicCheckpointIO()])
task.write_readings_to(Record(folder / "record.sqlite" if trainer.is_global_zero else ":memory:"))
try:
    trainer.fit(task, TensorLoader((x, x[:, :2].sin()), batch, shuffle=True, seed=3),
                ckpt_path=str(folder / "last.ckpt") if resume else None)
except Stop:
    import os
    os._exit(0)
if trainer.is_global_zero:
    torch.save({"weights": net.state_dict(), "readings": readings_of(task.monitor.record)}, folder / "result.pt")
"""


def ddp(folder: Path, devices: int, batch: int, kill_at: int = -1, resume: int = 0) -> None:
    script = folder / "run.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[3]
    environment = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "NODE_RANK", "ZOO_RUN_FOLDER")}
    arguments = [sys.executable, str(script), str(folder), *map(str, (devices, batch, kill_at, resume))]
    done = subprocess.run(
        arguments, cwd=root, env=environment | {"PYTHONPATH": str(root)}, timeout=240, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_read_the_reduced_gradient_and_resume_to_the_bit(tmp_path):
    one, two, part = (tmp_path / name for name in ("one", "two", "part"))
    for folder in (one, two, part):
        folder.mkdir()
    ddp(one, 1, 16)
    ddp(two, 2, 8)
    ddp(part, 2, 8, kill_at=7)
    assert not (part / "result.pt").exists()
    ddp(part, 2, 8, resume=1)
    single, whole, resumed = (torch.load(f / "result.pt", weights_only=True) for f in (one, two, part))
    for name, value in whole["weights"].items():
        assert torch.equal(value, resumed["weights"][name]), name
        assert torch.allclose(value, single["weights"][name], atol=1e-5)
    assert whole["readings"] == resumed["readings"]
    # Ranks take every other example of the same permutation: two shares of 8 are the one batch of 16.
    noise = ("gradient_signal", "gradient_noise", "batch_examples")  # shows between ranks alone
    of_both = [one for one in whole["readings"] if one[1] not in noise]
    assert len(single["readings"]) == len(of_both) < len(whole["readings"])
    for a, b in zip(sorted(single["readings"]), sorted(of_both), strict=True):
        assert a[:3] == b[:3]
        assert a[3] == pytest.approx(b[3], rel=2e-3, abs=1e-6), a
