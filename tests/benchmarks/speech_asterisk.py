"""Asterisk's prompts, those of the test unseen: error rates of the best path and of prefix search with n-grams.

python tests/benchmarks/speech_asterisk.py DATA [--seeds N] [--from RUNS]

DATA is the folder in which data_scripts/asterisk.py made asterisk/. With `--from` the finished runs of that folder are
read instead of new ones made.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report

CODE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
LARGEST_CER, SMALLEST_GAIN = 0.35, 0.15


def fit(data: str, seed: int, folder: str) -> None:
    """One `zoo fit speech/asterisk`."""
    words = ["fit", "speech/asterisk", "--root", folder, "--data.root", data, "--seed_everything", str(seed)]
    subprocess.run([sys.executable, "-c", CODE, *words], check=True)


def main(data: str, seeds: int, finished: str | None) -> None:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(0 if finished else seeds):
            fit(data, seed, folder)
        paths = sorted((Path(finished or folder) / "speech" / "asterisk").glob("*/metrics.json"))
        runs = [json.loads(path.read_text()) for path in paths]
    seconds = [run["fit_cpu_seconds"] for run in runs]
    note = f"{len(runs)} seeds, 92 unseen prompts, CPU seconds of the fit {min(seconds):.0f} to {max(seconds):.0f}"
    rates = {name: [100 * run[f"test/{name}"] for run in runs] for name in ("cer", "wer", "beam_cer", "beam_wer")}
    gains = [100 * (1 - beam / plain) for plain, beam in zip(rates["wer"], rates["beam_wer"], strict=True)]
    for name, values in rates.items():
        met = name != "cer" or max(values) <= 100 * LARGEST_CER
        report(f"speech/asterisk, {name}", "<= 35" if name == "cer" else "none", values, met, "%", note, 1)
    met = min(gains) >= 100 * SMALLEST_GAIN
    report("speech/asterisk, WER by n-grams below the best path's, relative", ">= 15", gains, met, "%", note, 1)


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("data")
    words.add_argument("--seeds", type=int, default=1)
    words.add_argument("--from", dest="finished")
    given = words.parse_args()
    main(given.data, given.seeds, given.finished)
