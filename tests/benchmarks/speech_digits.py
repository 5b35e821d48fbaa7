"""Connected digits by made voices that training did not have: word errors and time over seeds, each a whole `zoo fit`.

python tests/benchmarks/speech_digits.py [--seeds N] [--first SEED]

The test split, the same for all seeds, has timbres, paces and pitches that training has not; beside it the errors on
accents that training has not either, for which there is no bar. Three runs at a time, one thread each.
"""

import json
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.seeds import seeds_of, words_of_seeds

UNSEEN = [("data.unseen_accents", "true"), ("data.train_size", "10"), ("data.validation_size", "1")]


def run(seed: int) -> tuple[float, float, float]:
    """(word error rates in percent, of unseen voices and of unseen accents too, CPU seconds of the fit)."""
    from zoo.cli.main import main
    from zoo.training.runs import read_run

    words_of_seeds(1)  # quiet
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        if main(["fit", "speech/digits", "--root", folder, "--seed_everything", str(seed)]):
            raise SystemExit("zoo fit speech/digits: failed, see above")
        seconds = time.process_time() - started
        (metrics,) = Path(folder).rglob("metrics.json")
        rate = json.loads(metrics.read_text())["test/wer"]
        parts = read_run(metrics.parent, UNSEEN)
        (unseen,) = parts.trainer.test(parts.task, datamodule=parts.data, verbose=False)
    return 100 * rate, 100 * unseen["test/wer"], seconds


if __name__ == "__main__":
    given = words_of_seeds(3).parse_args()
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        rates, unseen, seconds = map(list, zip(*pool.map(run, seeds_of(given)), strict=True))
    note = f"{len(rates)} seeds, 500 utterances"
    report("speech/digits, word error rate", "<= 1 %", rates, sum(rates) <= len(rates), "%", f"{note}, unseen timbres")
    report("speech/digits, accents unseen too", "none", unseen, True, "%", note)
    report("speech/digits, time", "<= 3 minutes on two cores", seconds, max(seconds) <= 180, "CPU s", "one thread", 0)
