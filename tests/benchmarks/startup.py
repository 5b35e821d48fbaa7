"""CPU seconds of the verbs that need no torch.

python tests/benchmarks/startup.py
"""

import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report


def cpu_seconds(*arguments: str) -> float:
    """User and system time of one command."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    for words in (["--help"], ["list"], ["info", "vision/digits"]):
        times = [cpu_seconds(*words) for _ in range(7)]
        report(f"zoo {' '.join(words)}", "<= 0.15 CPU s", times, sorted(times)[3] <= 0.15, "s", "median decides", 3)
