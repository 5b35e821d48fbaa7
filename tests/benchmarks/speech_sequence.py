"""Sequence training against CTC continued for the same time, on connected digits of recorded voices under noise.

python tests/benchmarks/speech_sequence.py [--data DIR] [--seeds N] [--first SEED]

DIR holds what data_scripts/fsdd.py wrote. Digits of one speaker are strung with pauses, training, validation and test
from recordings of their own, under white noise. A net is trained by CTC to spell; from there CTC goes on, or minimum
word error rate does for about the same CPU time. Learning rates are what validation utterances chose with seed 100 at
8 to 16 dB: of 2e-3 and 5e-3 for CTC, the first one tried for minimum word error rate. One process, one thread.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tasks.speech.data import SpeechData, Utterances
from tasks.speech.data.noisy import Noisy
from tasks.speech.data.stored import utterances_of
from tasks.speech.features import Features
from tasks.speech.networks import Conv
from tasks.speech.sequence.criteria import MPE, MWER, SMBR
from tasks.speech.sequence.rivals import NBest
from tasks.speech.sequence.task import SequenceTraining
from tasks.speech.task import CTCRecognition
from tests.benchmarks.results import report
from tests.benchmarks.seeds import seeds_of, words_of_seeds
from zoo.data.stored import read_stored
from zoo.optim import WarmupDecay
from zoo.training.trainer import Trainer

FEATURES = Features(rate=8000, bands=24, stack=2)
SIZES = {"test": 1000, "validation": 500, "train": 1500}
RATIOS_DB = (12.0, 20.0)
CRITERIA = {"mwer": MWER(), "mpe": MPE(), "smbr": SMBR()}
EPOCHS = {"first": 20, "ctc": 11, **dict.fromkeys(CRITERIA, 3)}
RATES = {"first": 8e-3, "ctc": 5e-3, **dict.fromkeys(CRITERIA, 2e-3)}
CTC_SHARE = 0.1


class Strung(SpeechData):
    """One to three digits of one speaker, evenly loud, with pauses; recordings 0-4 are for test, 5-9 validation."""

    def __init__(self, path: Path):
        super().__init__(features=FEATURES)
        self.path = path

    def load(self) -> dict[str, Utterances]:
        """See `SpeechData.load`."""
        digits = utterances_of(read_stored(self.path, "data_scripts/fsdd.py"))
        numbers = [int(name.removesuffix(".wav").split("_")[2]) for name in digits.names]
        part = ["test" if n < 5 else "validation" if n < 10 else "train" for n in numbers]
        return {
            split: strung(digits, [i for i, one in enumerate(part) if one == split], size, seed)
            for seed, (split, size) in enumerate(SIZES.items())
        }


def strung(digits: Utterances, chosen: list[int], count: int, seed: int) -> Utterances:
    """Strings of the chosen recordings."""
    draw = torch.Generator().manual_seed(seed)

    def between(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=draw))

    speakers = sorted({digits.speakers[i] for i in chosen})
    sounds, texts, names = [], [], []
    for n in range(count):
        own = [i for i in chosen if digits.speakers[i] == speakers[n % len(speakers)]]
        picked = [own[between(0, len(own))] for _ in range(between(1, 4))]
        parts = [torch.zeros(between(400, 1200))]
        for i in picked:
            sound = digits.samples(i)
            parts += [0.1 * sound / sound.square().mean().sqrt(), torch.zeros(between(400, 1200))]
        sounds.append(torch.cat(parts))
        texts.append(" ".join(digits.texts[i] for i in picked))
        names.append(f"strung/{seed}/{n}")
    return Utterances.of(sounds, texts, [speakers[n % len(speakers)] for n in range(count)], names, digits.rate)


def net_of(labels: int) -> Conv:
    """The acoustic net; it sees 440 ms around a frame, about a digit."""
    return Conv(FEATURES.size, labels, channels=48, kernels=(15,), stride=1, dropout=0.0)


def fitted(task: CTCRecognition, data: SpeechData, epochs: int) -> tuple[Trainer, float]:
    """The trainer after training, and the CPU seconds that it took."""
    quiet = {"logger": False, "enable_progress_bar": False, "limit_val_batches": 0}
    trainer = Trainer(accelerator="cpu", max_epochs=epochs, threads=1, **quiet)
    started = time.process_time()
    trainer.fit(task, datamodule=data)
    return trainer, time.process_time() - started


def word_error_rate(trainer: Trainer, task: CTCRecognition, data: SpeechData) -> float:
    """Of the test utterances, in percent."""
    return 100 * trainer.test(task, datamodule=data, verbose=False)[0]["test/wer"]


def adam(rate: float) -> Any:
    """AdamW, as a recipe names it."""
    return partial(torch.optim.AdamW, lr=rate)


def one_cycle() -> Any:
    """The schedule of the first training."""
    return partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=RATES["first"], pct_start=0.2)


def run(seed: int, data: SpeechData) -> dict[str, tuple[float, float]]:
    """Word error rate on the test utterances and CPU seconds, after the first training and by both continuations."""
    data.seed = seed
    torch.manual_seed(seed)
    first = CTCRecognition(net_of(len(data.alphabet)), adam(RATES["first"]), scheduler=one_cycle())
    trainer, seconds = fitted(first, data, EPOCHS["first"])
    found = {"first": (word_error_rate(trainer, first, data), seconds)}
    with tempfile.TemporaryDirectory() as folder:
        start = f"{folder}/ctc.ckpt"
        trainer.save_checkpoint(start)
        for name in ("ctc", *CRITERIA):
            torch.manual_seed(seed)
            share = 1.0 if name == "ctc" else CTC_SHARE
            options = {"scheduler": WarmupDecay, "start_from": start, "ctc_share": share}
            criterion = CRITERIA.get(name, MWER())
            task = SequenceTraining(net_of(len(data.alphabet)), adam(RATES[name]), criterion, NBest(8, 8), **options)
            trainer, seconds = fitted(task, data, EPOCHS[name])
            found[name] = word_error_rate(trainer, task, data), seconds
    print(seed, {name: tuple(round(value, 2) for value in both) for name, both in found.items()}, flush=True)
    return found


def main() -> None:
    """Run and report."""
    words = words_of_seeds(5)
    words.add_argument("--data", default="data/fsdd")
    given = words.parse_args()
    torch.set_num_threads(1)
    clean = Strung(Path(given.data) / "utterances.pt")
    data = Noisy(clean, *RATIOS_DB, fresh=False, features=FEATURES, batch_size=25)
    data.setup()
    runs = [run(seed, data) for seed in seeds_of(given)]
    after = [(name, f"{name.upper() if name != 'smbr' else 'sMBR'} after CTC") for name in CRITERIA]
    for name, what in (("first", "CTC"), ("ctc", "CTC continued"), *after):
        seconds = [one[name][1] for one in runs]
        note = f"{EPOCHS[name]} epochs, {min(seconds):.0f} to {max(seconds):.0f} CPU seconds"
        rates = [one[name][0] for one in runs]
        met = name != "first" or 10 <= sum(rates) / len(rates) <= 30
        report(f"FSDD strung under noise, {what}, WER", "10 to 30 % by CTC", rates, met, "%", note)
    for name, what in after:
        gains = [100 * (1 - one[name][0] / one["ctc"][0]) for one in runs]
        longer = min(one["ctc"][1] / one[name][1] for one in runs)
        met = sum(gains) / len(gains) >= 5 and min(gains) > 0
        seeds = f"seeds {given.first} to {given.first + given.seeds - 1}"
        note = f"{seeds}; CTC went on for {longer:.2f} of its CPU time or more"
        report(f"{what}, WER below CTC continued, relative", ">= 5 %, every seed above 0", gains, met, "%", note)


if __name__ == "__main__":
    main()
