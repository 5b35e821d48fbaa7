"""Prefix search of width 100 over 300 frames and 32 labels, beside a plain Python one.

python tests/benchmarks/speech_decoding.py

The plain one is the usual dictionary of prefixes (Hannun et al. 2014, algorithm 1, with every label tried for every
prefix). Log-probabilities are of random logits, times 3: no label is sure. Both must find the same best answer.
"""

import math
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from tasks.speech.decoding import prefix_beam
from tests.benchmarks.results import report
from tests.benchmarks.timing import in_turn

FRAMES, LABELS, WIDTH = 300, 32, 100
NEVER = -math.inf


def summed(a: float, b: float) -> float:
    """log(exp a + exp b)."""
    if a < b:
        a, b = b, a
    return a if b == NEVER else a + math.log1p(math.exp(b - a))


def plain(log_probs_TV: list[list[float]]) -> tuple[int, ...]:
    """Labels of the best prefix."""
    beam = {(): (0.0, NEVER)}
    for frame in log_probs_TV:
        grown = defaultdict(lambda: (NEVER, NEVER))
        for prefix, (blank, label) in beam.items():
            total = summed(blank, label)
            for v, log_prob in enumerate(frame):
                if v == 0:
                    b, n = grown[prefix]
                    grown[prefix] = (summed(b, total + log_prob), n)
                elif prefix and v == prefix[-1]:
                    b, n = grown[prefix]
                    grown[prefix] = (b, summed(n, label + log_prob))
                    b, n = grown[(*prefix, v)]
                    grown[(*prefix, v)] = (b, summed(n, blank + log_prob))
                else:
                    b, n = grown[(*prefix, v)]
                    grown[(*prefix, v)] = (b, summed(n, total + log_prob))
        beam = dict(sorted(grown.items(), key=lambda item: -summed(*item[1]))[:WIDTH])
    return max(beam, key=lambda prefix: summed(*beam[prefix]))


def main() -> None:
    """Measure and report."""
    logits_TV = 3 * np.random.default_rng(0).normal(size=(FRAMES, LABELS))
    log_probs_TV = logits_TV - np.log(np.exp(logits_TV).sum(1, keepdims=True))
    rows = log_probs_TV.tolist()
    same = list(plain(rows)) == prefix_beam(log_probs_TV, WIDTH)[0].labels
    ours, usual = [], []
    for _ in range(3):
        seconds = in_turn({"ours": lambda: prefix_beam(log_probs_TV, WIDTH), "plain": lambda: plain(rows)}, 1)
        ours.append(seconds["ours"])
        usual.append(seconds["plain"])
    note = f"width {WIDTH}, {LABELS} labels, {FRAMES} frames; plain Python {sorted(usual)[1]:.1f} s; "
    note += "the same best answer" if same else "ANOTHER BEST ANSWER"
    report("speech/prefix search", "<= 0.3 s", ours, same and sorted(ours)[1] <= 0.3, "s", note)


if __name__ == "__main__":
    main()
