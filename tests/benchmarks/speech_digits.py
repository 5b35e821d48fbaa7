"""Connected digits by made voices that training did not have: word errors and time over seeds, each a whole `zoo fit`.

python tests/benchmarks/speech_digits.py [--seeds N] [--first SEED]

The test split is the same for all seeds. One thread; its CPU seconds are more than it takes on two cores.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.seeds import seeds_of, words_of_seeds
from zoo.cli.main import main


def run(seed: int) -> tuple[float, float]:
    """(word error rate in percent, CPU seconds) of one fit, made speech, test and report included."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        if main(["fit", "speech/digits", "--root", folder, "--seed_everything", str(seed)]):
            raise SystemExit("zoo fit speech/digits: failed, see above")
        (metrics,) = Path(folder).rglob("metrics.json")
        return 100 * json.loads(metrics.read_text())["test/wer"], time.process_time() - started


if __name__ == "__main__":
    given = words_of_seeds(3).parse_args()
    rates, seconds = zip(*map(run, seeds_of(given)), strict=True)
    note = f"{len(rates)} seeds; accents and timbres that training has not"
    report("speech/digits, word error rate", "<= 1 %", list(rates), sum(rates) <= len(rates), "%", note)
    report(
        "speech/digits, time", "<= 3 minutes on two cores", list(seconds), max(seconds) <= 180, "CPU s", "one thread", 0
    )
