"""`zoo doctor` names what is broken and its mend, and stands when torch does not."""

import builtins
import json
import shutil
import sys
from collections import namedtuple
from importlib.metadata import PackageNotFoundError

import pytest

from zoo.cli import doctor
from zoo.cli.main import main

NMS = "operator torchvision::nms does not exist"


@pytest.fixture
def installed(monkeypatch):
    """Versions that stand for an environment; None for what is missing."""
    found = {"torch": "2.14.0+cpu", "torchvision": "0.29.0", "torchaudio": "2.11.0", "pytorch-lightning": "2.6.6",
             "jsonargparse": "4.53.0"}  # fmt: skip

    def version(package):
        if found.get(package) is None:
            raise PackageNotFoundError(package)
        return found[package]

    monkeypatch.setattr(doctor, "version", version)
    return found


def test_versions_that_fit(installed):
    assert doctor.version_problems() == []


@pytest.mark.parametrize(
    ("package", "version", "said"),
    [
        ("torch", "2.15.0", "torch 2.15 refuses torchaudio 2.11"),
        ("torch", "2.9.1", "pip install 'torch>=2.11,<2.15'"),
        ("jsonargparse", "5.0.0rc1", "5 removes what Lightning 2.6 calls"),
        ("pytorch-lightning", "2.10.0", "hooks of 2.6"),  # 2.10 is above 2.7, though not as text
        ("torchvision", None, "got none; pip install 'torchvision>=0.26,<0.30'"),
    ],
)
def test_a_version_that_does_not_fit_is_named_with_its_mend(installed, package, version, said):
    installed[package] = version
    (problem,) = doctor.version_problems()
    assert problem.startswith(f"{package}: expected >=") and said in problem and "\n" not in problem


def test_a_torchvision_of_another_torch_is_named(monkeypatch, capsys):
    real = builtins.__import__

    def broken(name, *arguments, **options):
        if name.partition(".")[0] == "torchvision":
            raise RuntimeError(NMS)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", broken)
    (problem,) = doctor.import_problems()
    assert NMS in problem and "--force-reinstall" in problem


def test_a_torch_that_cannot_be_imported_is_a_finding_not_a_traceback(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [p for p in found["problems"] if p.startswith("torch: expected to import")]
    assert "cannot be imported" in found["facts"]["devices"] and found["facts"]["cores"]


def test_a_full_disk_is_named(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 2 * 10**8))
    assert [p for p in doctor.machine_problems() if p.startswith("disk: expected 1 GB free here, got 0.2 GB")]


def test_packages_without_bytecode_are_named(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(doctor, "_has_bytecode", lambda package: False)
    assert [p for p in doctor.machine_problems() if "python -m compileall" in p]
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert not [p for p in doctor.machine_problems() if "compileall" in p]


def test_an_argument_it_does_not_know_is_one_line(capsys):
    assert main(["doctor", "--jsonn"]) == 2
    assert "expected nothing or --json, got --jsonn" in capsys.readouterr().err
