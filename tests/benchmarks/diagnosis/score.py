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
from tests.benchmarks.results import report
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
        found = scored(makers)
        print(json.dumps({what: found, "cpu_seconds": round(time.process_time() - started)}), flush=True)
        reported(what, found, f"thresholds {digest}, seeds from {chosen.first} on")


def reported(what: str, found: dict, note: str) -> None:
    """Write the row of the planted or of the healthy runs."""
    right, count = (int(part) for part in found["right"].get("all", "0/0").split("/"))
    if not count:
        return
    if what == "planted":
        peers = ", ".join(f"{name} {found['right'].get(name)}" for name in ("traintools", "torchdiag"))
        share, note = 100 * right / count, f"{right} of {count}; on the kinds they know {peers}; {note}"
        report("diagnosis, planted runs: kind, layer and step right", ">= 95 %", [share], share >= 95, "%", note)
    else:
        alarms = count - right
        peers = ", ".join(f"{name} {number}" for name, number in found["false alarms of peers"].items())
        note = f"{count} runs; peers' {peers}; {note}"
        report("diagnosis, false alarms in healthy runs", "0", [alarms], not alarms, "", note)


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
