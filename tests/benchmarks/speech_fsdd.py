"""Spoken digits: the official split over seeds, every speaker left out in turn, connected digits of such a speaker.

python tests/benchmarks/speech_fsdd.py official|unseen|connected [--data DIR] [--seeds N] [--overlay made_voices|no_noise]

DIR holds what data_scripts/fsdd.py wrote. Each run is a whole `zoo fit`, one after the other, one thread; CPU seconds
are those of reading, training, testing and writing the report. `--overlay` measures speech/fsdd_unseen with one.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def run(recipe: str, keys: list[str]) -> dict[str, float]:
    """Figures of one `zoo fit`, with its CPU and wall seconds."""
    from zoo.cli.main import main

    cpu, wall = time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        if main(["fit", f"speech/{recipe}", "--root", folder, *keys]):
            raise SystemExit(f"zoo fit speech/{recipe} {' '.join(keys)}: failed, see above")
        (metrics,) = Path(folder).rglob("metrics.json")
        figures = json.loads(metrics.read_text())
    figures |= {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(recipe, *keys, {name: round(value, 4) for name, value in figures.items()}, flush=True)
    return figures


def accuracies(runs: list[dict[str, float]]) -> list[float]:
    """Percent of the recordings whose most probable word of the ten is the right one."""
    return [100 * (1 - one["test/beam_wer"]) for one in runs]


def costs(runs: list[dict[str, float]]) -> str:
    """CPU seconds of a run, in words."""
    seconds = [one["cpu"] for one in runs]
    return f"{min(seconds):.0f} to {max(seconds):.0f} CPU seconds a run on one core"


def each_left_out(recipe: str, keys: list[str], seeds: int) -> list[list[dict[str, float]]]:
    """Runs by speaker and seed."""
    return [
        [run(recipe, [*keys, "--data.left_out", one, "--seed_everything", str(seed)]) for seed in range(seeds)]
        for one in SPEAKERS
    ]


def by_speaker(folds: list[list[float]]) -> tuple[list[float], str]:
    """Means over seeds, and each of them in words."""
    means = [sum(values) / len(values) for values in folds]
    return means, ", ".join(f"{name} {mean:.1f}" for name, mean in zip(SPEAKERS, means, strict=True))


def official(keys: list[str], seeds: int) -> None:
    """Accuracy and time."""
    runs = [run("fsdd", [*keys, "--seed_everything", str(seed)]) for seed in range(seeds)]
    found = accuracies(runs)
    mean = sum(found) / len(found)
    report("speech/fsdd, accuracy", ">= 99 %", found, mean >= 99, "%", f"official split, {seeds} seeds, {costs(runs)}")
    minutes = [one["cpu"] / 60 for one in runs]
    note = "CPU minutes on one core of two: fit, test and report"
    report("speech/fsdd, time of a run", "<= 4 minutes", minutes, max(minutes) <= 4, "minutes", note)


def unseen(keys: list[str], seeds: int, overlay: str | None) -> None:
    """Accuracy on each speaker left out, as the recipe is or with an overlay of it."""
    folder = ROOT / "configs" / "speech" / "overlays"
    keys = [*keys, "--config", str(folder / f"{overlay}.yaml")] if overlay else keys
    runs = each_left_out("fsdd_unseen", keys, seeds)
    means, words = by_speaker([accuracies(fold) for fold in runs])
    met = sum(means) / len(means) >= 86 and min(means) >= 72
    note = f"{words}; {seeds} seed{'s' * (seeds > 1)}, {costs([one for fold in runs for one in fold])}"
    what = "speech/fsdd_unseen, accuracy" + (f", {overlay}.yaml" if overlay else "")
    report(what, ">= 86 % mean, >= 72 % each", means, met, "%", note, 1)


def connected(keys: list[str], seeds: int) -> None:
    """Word error rates of best path and prefix search."""
    runs = each_left_out("fsdd_connected", keys, seeds)
    greedy, words = by_speaker([[100 * one["test/wer"] for one in fold] for fold in runs])
    beam, beam_words = by_speaker([[100 * one["test/beam_wer"] for one in fold] for fold in runs])
    mean, of_beam = (sum(values) / len(values) for values in (greedy, beam))
    note = f"{words}; best path, {seeds} seed{'s' * (seeds > 1)}, {costs([one for fold in runs for one in fold])}"
    report("speech/fsdd_connected, WER", "<= 18 %", greedy, mean <= 18, "%", note, 1)
    what = "speech/fsdd_connected, WER of prefix search with an n-gram"
    report(what, f"< {mean:.1f} %, the best path's", beam, of_beam < mean, "%", beam_words, 1)


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["official", "unseen", "connected"])
    parser.add_argument("--data", default="data")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--overlay", choices=["made_voices", "no_noise"])
    given = parser.parse_args()
    if given.overlay and given.what != "unseen":
        parser.error(f"--overlay: expected it with unseen, got {given.what}; leave it out")
    keys = ["--data.root", given.data]
    if given.what == "official":
        official(keys, given.seeds or 5)
    elif given.what == "unseen":
        unseen(keys, given.seeds or 1, given.overlay)
    else:
        connected(keys, given.seeds or 1)


if __name__ == "__main__":
    main()
