"""Run folders: each number once, one process in each, found again by every name, nothing half-written."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.errors import InputError
from zoo.training.run_folder import SHARED, RunFolder, new_run, open_run, versions

ROOT = Path(__file__).resolve().parents[3]
MANY = (
    "import sys; from zoo.training.run_folder import new_run; [print(new_run('runs', 'a/b').path) for _ in range(25)]"
)
HOLD = (
    "import sys, time; from pathlib import Path; from zoo.training.run_folder import RunFolder; "
    "held = RunFolder(Path(sys.argv[1])).lock(); print('held', flush=True); time.sleep(60)"
)


def start(folder: Path, code: str, *arguments: str) -> subprocess.Popen:
    """Another Python process that runs code in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(SHARED, None)
    words = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A folder of its own, and no run of another test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SHARED, "")  # so that what new_run sets is taken back
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def finished(path: str) -> Path:
    """A run folder with a configuration."""
    folder = Path(path)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text("seed_everything: 0")
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"")
    return folder.resolve()


def test_processes_at_once_get_different_numbers(tmp_path):
    processes = [start(tmp_path, MANY) for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    paths = [path for output in outputs for path in output]
    assert len(paths) == len(set(paths)) == 100
    assert sorted(int(Path(path).name) for path in paths) == list(range(1, 101))


def test_numbers_go_on_after_the_greatest():
    assert new_run("runs", "a/b").path.name == "1"
    (Path("runs/a/b") / "9").mkdir()
    (Path("runs/a/b") / "notes").mkdir()
    assert new_run("runs", "a/b").name == "a/b/10"


def test_other_ranks_share_the_first_ones_folder(monkeypatch):
    first = new_run("runs", "a/b")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert new_run("runs", "a/b") == first
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert new_run("runs", "a/b") != first


def test_a_root_that_cannot_be_written_is_one_line(tmp_path):
    Path("file").write_text("")
    with pytest.raises(InputError, match=r"expected to make a folder in file/a/b, got .*; choose another place"):
        new_run("file", "a/b")


def test_one_process_a_run_and_a_kill_frees_it(tmp_path):
    folder = finished("runs/a/b/1")
    holder = start(tmp_path, HOLD, str(folder))
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=rf"got a run in it already \(process {holder.pid}\)"):
            RunFolder(folder).lock()
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=30)
    finally:
        holder.kill()
        holder.communicate()
    lock = RunFolder(folder).lock()
    with pytest.raises(InputError, match=rf"process {os.getpid()}\)"):
        RunFolder(folder).lock()
    lock.release()
    RunFolder(folder).lock().release()


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("runs/a/b/2", 2),
        ("runs/a/b/2/", 2),
        ("a/b/2", 2),
        ("runs/a/b/2/checkpoints/best.ckpt", 2),
        ("runs/a/b/2/config.yaml", 2),
        ("runs/a/b", 10),
        ("a/b", 10),
    ],
)
def test_a_run_is_found_by_each_of_its_names(where, number):
    for n in (1, 2, 10):  # 10 is newer than 2, though not by the alphabet
        finished(f"runs/a/b/{n}")
    Path("runs/a/b/11").mkdir()  # of a run that died before it began
    run = open_run(where)
    assert run.path == Path(f"runs/a/b/{number}").resolve()
    assert run.name == f"a/b/{number}"


def test_no_such_run_names_those_there_are():
    with pytest.raises(InputError, match="got a/c; start one with `zoo fit RECIPE`"):
        open_run("a/c")
    finished("runs/a/b/1")
    with pytest.raises(InputError, match="got a/c; runs of this folder are in runs/a/b"):
        open_run("a/c")
    with pytest.raises(InputError, match="expected a run folder"):
        open_run("runs/a/b/7")


def test_writing_is_whole_or_not_at_all(monkeypatch):
    run = RunFolder(finished("runs/a/b/1"))
    run.write(run.metrics, {"x": 1})
    assert json.loads(run.metrics.read_text()) == {"x": 1}

    def full(*paths):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"metrics\.json: expected to write .*, got No space left on device; free"):
        run.write(run.metrics, {"x": 2})
    assert json.loads(run.metrics.read_text()) == {"x": 1}
    assert not [path for path in run.path.iterdir() if "partial" in path.name]


def test_versions_say_what_computed_a_run():
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["torch"].startswith("2.")
    if (ROOT / ".git").exists():
        commit = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        assert commit.stdout.startswith(found["commit"].removesuffix("-dirty"))
    json.dumps(found)
