"""Write the newest result of every benchmark into docs/results.md, and the leading ones into the README.

python tests/benchmarks/table.py
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START, END = "<!-- results: written by tests/benchmarks/table.py -->", "<!-- end of results -->"
LEADING = (  # one or two of each domain, and what was missed
    "digits, last 20 % of the writers",
    "Fashion-MNIST, under 300 k parameters, CPU",
    "ResNet-20 throughput against plain eager float32",
    "integrated gradients against captum's default, speed",
    "Trainer overhead, linear model, monitor on",
    "text/wordnet, accuracy",
    "text/mr, accuracy",
    "text/mr, ten folds",
    "text/trec, accuracy",
    "text/training throughput against the usual code, non-static",
    "text/training throughput against the usual code, static",
    "pde/burgers, 30 s, relative l2",
    "pde/burgers, relative l2",
    "pde/allen_cahn, relative l2",
    "pde/inverse burgers, lambda_1",
    "pde/inverse burgers, 1 % noise, lambda_2",
    "pde, one Adam step, compiled",
    "rl/cartpole, CPU seconds to 475 three times",
    "rl/cartpole, environment steps a second",
    "rl/cartpole_pgpe, CPU seconds of training",
    "rl/cartpole_trpo, CPU seconds of training",
    "rl/cartpole_dqn, steadiness",
    "rl/lunar_lander, return",
    "rl/pendulum_naf, return at 10,000 steps",
    "speech/digits, word error rate",
    "speech/fsdd, accuracy",
    "speech/fsdd_unseen, accuracy",
    "speech/fsdd_connected, WER",
    "MWER after CTC, WER below CTC continued, relative",
    "speech/BiLSTM-CTC step against packing",
    "speech/prefix search",
    "speech/real-time factor of zoo predict",
    "diagnosis, planted runs: kind, layer and step right",
    "diagnosis, false alarms in healthy runs",
    "curvature/top eigenvalue, MLP, time",
    "per-example norms at 1 step in 100, 0.9 M MLP",
)


def table(results: list[dict]) -> str:
    """Markdown rows."""
    rows = ["| what | bar | min / mean / max | runs | commit | |", "|---|---|---|---|---|---|"]
    for r in results:
        figures = (
            f"{r['min']:g} / {r['mean']:g} / {r['max']:g} {r['unit']}"
            if r["runs"] > 1
            else f"{r['mean']:g} {r['unit']}"
        )
        rows.append(
            f"| {r['name']}<br><sub>{r['note']}</sub> | {r['bar']} | {figures} | {r['runs']} | {r['commit']} | "
            f"{'met' if r['met'] else '**missed**'} |"
        )
    return "\n".join(rows)


def rewrite(page: Path, results: list[dict]) -> None:
    """Put the table between the two marks of a page."""
    before, started, rest = page.read_text(encoding="utf8").partition(START)
    _, ended, after = rest.partition(END)
    if not (started and ended):
        sys.exit(f"{page}: expected the marks of the results table, got none; put them back")
    page.write_text(f"{before}{START}\n{table(results)}\n{END}{after}", encoding="utf8")


def main() -> None:
    """Rewrite both tables; the newest result of each name, in the order of first appearance."""
    stored = ROOT / "tests" / "benchmarks" / "results.jsonl"
    newest = {line["name"]: line for line in map(json.loads, filter(None, stored.read_text().splitlines()))}
    rewrite(ROOT / "docs" / "results.md", list(newest.values()))
    rewrite(ROOT / "README.md", [newest[name] for name in LEADING if name in newest])


if __name__ == "__main__":
    main()
