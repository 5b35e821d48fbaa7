"""`zoo predict RUN FILE` on an hour of made speech: real-time factor on one core, and memory beside five minutes' worth.

python tests/benchmarks/speech_predict.py RUN

RUN is a run of speech/digits or its checkpoint. Each file is heard by a process of its own, one thread; the time of
its start (imports, checkpoint) is counted too.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile

from tasks.speech.data.made import ACCENTS, TIMBRES, digit_texts, made_utterances, some_voices
from tests.benchmarks.results import ROOT, report

RATE = 16_000
HEAR = """
import resource, sys
from zoo.cli.main import main
code = main(["predict", sys.argv[1], sys.argv[2], "--output", sys.argv[3]])
usage = resource.getrusage(resource.RUSAGE_SELF)
print(code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


def made_minutes(path: Path, minutes: int) -> None:
    """A file of connected digits with half a second between them; five minutes are made and repeated."""
    voices = some_voices(ACCENTS, TIMBRES["test"], (110, 210), (30, 70), 100, seed=1)
    said = made_utterances(digit_texts(130, 7, 0.25, seed=1), voices, RATE, seed=1)
    pause = np.random.default_rng(0).normal(size=RATE // 2).astype(np.float32) / 3000
    five = np.concatenate([part for n in range(len(said)) for part in (said.samples(n).numpy(), pause)])
    five = np.resize(five, 300 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(minutes // 5):
            file.write(five)


def heard(run: str, file: Path) -> tuple[float, float]:
    """(CPU seconds, peak memory in MB) of hearing a file."""
    words = [sys.executable, "-c", HEAR, run, str(file), str(file.with_suffix(".jsonl"))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    said = subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout.split()
    code, seconds, memory = said[-3:]
    if code != "0":
        raise SystemExit(f"zoo predict: failed: {said}")
    return float(seconds), float(memory)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for minutes in (5, 60):
            file = Path(folder) / f"{minutes}.wav"
            made_minutes(file, minutes)
            found[minutes] = heard(sys.argv[1], file)
    factor, more = found[60][0] / 3600, found[60][1] - found[5][1]
    note = f"an hour at {RATE} Hz, {found[60][0]:.0f} CPU s, start included"
    report("speech/real-time factor of zoo predict", "<= 0.05", [factor], factor <= 0.05, "", note, 4)
    note = f"peak of an hour less that of 5 minutes; {found[60][1]:.0f} MB in all"
    report("speech/memory of zoo predict", "constant (<= 32 MB more)", [more], more <= 32, "MB", note, 1)
