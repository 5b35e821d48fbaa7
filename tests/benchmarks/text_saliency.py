"""Saliency of sentences: one sentence beside a forward pass, and 10,000 sentences.

python tests/benchmarks/text_saliency.py

Kim's CNN (300-dimensional vectors, region sizes 3, 4, 5, 100 maps each, random weights) on definitions of WordNet, one
thread, CPU seconds. One sentence: each of 50 sentences of the test split alone, in turn with its forward pass; the
ratio of the sums. 10,000 sentences: gradient x input of the training split's first, sentences of like length together.
"""

import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tasks.text.class_logit import class_logit
from tasks.text.data.glosses import WordNetGlosses
from tasks.text.networks import SentenceCNN
from tasks.text.word_values import METHODS, word_values
from tests.benchmarks.results import report

SENTENCES, MANY = 50, 10_000


def cpu_seconds(act) -> float:
    """Of one call."""
    started = time.process_time()
    act()
    return time.process_time() - started


def ratio(net: torch.nn.Module, sentences: list[tuple[torch.Tensor, torch.Tensor]], name: str, rounds: int) -> float:
    """Time of a method over that of a forward pass: for each sentence the fastest of some rounds, in turn."""
    target, method = partial(class_logit, net), METHODS[name]
    forward, saliency = 0.0, 0.0
    for tokens_1T, label_1 in sentences:
        times = []
        for _ in range(rounds):
            with torch.no_grad():
                first = cpu_seconds(lambda: net(tokens_1T))  # noqa: B023  called at once
            times.append((first, cpu_seconds(lambda: method(target, (tokens_1T, label_1)))))  # noqa: B023
        forward += min(first for first, _ in times)
        saliency += min(second for _, second in times)
    return saliency / forward


def main() -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = WordNetGlosses()
    data.setup()
    net = SentenceCNN(20_000, data.num_classes, 300).eval()
    split = data.splits["test"]
    sentences = [(split.encoded.tokens_of(n)[None], split.labels_N[n : n + 1]) for n in range(SENTENCES)]
    length = float(split.encoded.lengths_N[:SENTENCES].double().mean())
    note = f"{SENTENCES} sentences of {length:.0f} tokens on average, one thread, CPU time"
    for name, bar in (("gradient_x_input", 2.5), ("gradient_norm", 2.5)):
        values = [ratio(net, sentences, name, 15) for _ in range(3)]
        label = f"text, {name.replace('_', ' ')} of one sentence against a forward pass"
        report(label, f"<= {bar}x", values, sorted(values)[1] <= bar, "x", note)
    train = data.splits["train"]
    chosen = torch.arange(MANY)
    encoded, labels = train.encoded.take(chosen), train.labels_N[chosen]
    note = f"{len(encoded.tokens_M):,} tokens, one thread, CPU time"
    for name in ("gradient_x_input",):
        seconds = [cpu_seconds(lambda n=name: word_values(METHODS[n], net, encoded, labels)) for _ in range(2)]
        report(f"text, {name.replace('_', ' ')} of 10,000 sentences", "<= 60 s", seconds, max(seconds) <= 60, "s", note)


if __name__ == "__main__":
    main()
