"""Score the diagnosis, traintools and torchdiag on planted and on healthy runs of seeds that set no threshold.

    python -m tests.benchmarks.diagnosis.score [--first 100] [--planted 3] [--healthy 8]

A planted run counts when the kind, the layer and the step of onset (within 20) are right; a healthy one when nothing is
said. The thresholds are those of zoo/diagnosis/thresholds.py, whose hash is printed.
"""

import argparse
import hashlib
import json
import time
from collections import Counter
from pathlib import Path

import torch

from tests.benchmarks.diagnosis import healthy, plants
from tests.benchmarks.diagnosis.loop import Run, record_of
from zoo.diagnosis import diagnose, thresholds

WITHIN = 20  # steps of the onset


def is_found(run: Run, findings: list) -> bool:
    """Whether the planted kind is among the findings, at a right layer and step."""
    return any(
        one.kind == run.kind and (not run.layers or one.layer in run.layers) and abs(one.step - run.onset) <= WITHIN
        for one in findings
    )


def main() -> None:
    """Run all and print the tables as JSON lines."""
    parser = argparse.ArgumentParser()
    for name, default in (("first", 100), ("planted", 3), ("healthy", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    digest = hashlib.sha256(Path(thresholds.__file__).read_bytes()).hexdigest()[:12]
    print(json.dumps({"thresholds": digest, **vars(chosen)}), flush=True)
    started = time.process_time()
    for what, makers in (
        ("planted", plants.runs(range(chosen.first, chosen.first + chosen.planted))),
        ("healthy", healthy.runs(range(chosen.first, chosen.first + chosen.healthy))),
    ):
        print(json.dumps({what: scored(makers), "cpu_seconds": round(time.process_time() - started)}), flush=True)


def scored(makers: list) -> dict:
    """Counts over runs: ours by kind, the peers' on what they know."""
    from tests.benchmarks.diagnosis.peers import KNOWS, Torchdiag, Traintools  # packages of the extra `bench`

    right, runs, missed, alarms = Counter(), Counter(), [], Counter()
    for make in makers:
        run = make()
        peers = {"traintools": Traintools(), "torchdiag": Torchdiag()}
        run.extras = list(peers.values())
        findings = diagnose(record_of(run))
        kind = run.kind or "healthy"
        good = is_found(run, findings) if run.kind else not findings
        runs["all"] += 1
        runs[kind] += 1
        right["all"] += good
        right[kind] += good
        if not good:
            said = [(one.kind, one.layer, one.step) for one in findings]
            missed.append(f"{run.note} seed {run.seed}: {said}")
        for name, peer in peers.items():
            if run.kind in KNOWS[name]:
                runs[name] += 1
                right[name] += any(k == run.kind and (not run.layers or la in run.layers) for k, la in peer.said)
            alarms[name] += bool(peer.said) and run.kind is None
    table = {name: f"{right[name]}/{count}" for name, count in runs.items()}
    return {"right": table, "missed": missed, "false alarms of peers": dict(alarms)}


if __name__ == "__main__":
    main()
