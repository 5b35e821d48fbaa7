"""Integrated gradients, 50 steps, beside captum's default: time, peak memory, values.

python tests/benchmarks/integrated_gradients.py
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tests.benchmarks.results import report

EXAMPLES, SIDE = 32, 32


def setting():
    """A ResNet-20, 32 images of 3x32x32, the logit of class 3."""
    from tasks.vision.networks import ResNet

    torch.manual_seed(0)
    torch.set_num_threads(2)
    net = ResNet().eval()
    images = torch.randn(EXAMPLES, 3, SIDE, SIDE)
    return images, lambda x: net(x)[:, 3]


def ours(images, score):
    """This project's."""
    from zoo.attribution import integrated_gradients

    return integrated_gradients(score, images, steps=50)


def captums(images, score):
    """captum's, as its constructor and `attribute` default."""
    from captum.attr import IntegratedGradients

    return IntegratedGradients(score).attribute(images, n_steps=50).detach()


def peak_mb(which: str) -> float:
    """A fresh process's peak resident memory over what it held before the call, in MB."""
    asked = [sys.executable, __file__, which]
    return float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[-1])


def grown(which: str) -> float:
    """What the child process measures: small warm-up first, so that libraries are loaded."""
    images, score = setting()
    call = {"ours": ours, "captum": captums}[which]
    call(images[:1], score)
    held = status_mb("VmRSS")
    call(images, score)
    return status_mb("VmHWM") - held


def status_mb(field: str) -> float:
    """A line of /proc/self/status in MB. ru_maxrss would start at the parent's peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def main(repetitions: int = 3) -> None:
    """Alternate the two, and compare."""
    images, score = setting()
    a, b = ours(images, score), captums(images, score)
    gap = (a - b).abs().max().item()
    ratios = []
    for _ in range(repetitions):
        started = time.perf_counter()
        ours(images, score)
        middle = time.perf_counter()
        captums(images, score)
        ratios.append((time.perf_counter() - middle) / (middle - started))
    note = f"ResNet-20, {EXAMPLES} images, 2 threads; largest difference {gap:.1e}"
    met = sorted(ratios)[len(ratios) // 2] >= 1.9 and gap <= 1e-6
    report("integrated gradients against captum's default, speed", ">= 1.9x, same to 1e-6", ratios, met, "x", note)
    mine, theirs = peak_mb("ours"), peak_mb("captum")
    note = f"{mine:.0f} MB against {theirs:.0f} MB"
    report(
        "integrated gradients against captum's default, memory",
        "<= 0.25x",
        [mine / theirs],
        mine / theirs <= 0.25,
        "x",
        note,
    )


if __name__ == "__main__":
    print(grown(sys.argv[1])) if len(sys.argv) > 1 else main()
