"""Write the newest result of every benchmark into the README, between its two marks.

python tests/benchmarks/table.py
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START, END = "<!-- results: written by tests/benchmarks/table.py -->", "<!-- end of results -->"


def table(lines: list[dict]) -> str:
    """Markdown rows, the newest result of each name, in the order of first appearance."""
    newest = {line["name"]: line for line in lines}
    rows = ["| what | bar | min / mean / max | runs | commit | |", "|---|---|---|---|---|---|"]
    for r in newest.values():
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


def main() -> int:
    """Rewrite the README's table."""
    stored = ROOT / "tests" / "benchmarks" / "results.jsonl"
    lines = [json.loads(line) for line in stored.read_text().splitlines() if line]
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf8")
    before, _, rest = text.partition(START)
    _, found, after = rest.partition(END)
    if not found:
        print("README.md: expected the marks of the results table, got none", file=sys.stderr)
        return 2
    readme.write_text(f"{before}{START}\n{table(lines)}\n{END}{after}", encoding="utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
