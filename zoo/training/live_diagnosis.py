"""Findings said once, while a run goes on."""

from collections.abc import Callable, Iterator

from zoo.diagnosis import Finding, diagnose
from zoo.training.record import Record

LEFT_OUT = ("frozen",)  # mostly on purpose, such as random features: `zoo diagnose` lists them
SPACING = 1.3  # from one diagnosis to the next: all together read a record of n steps about four times


class LiveDiagnosis:
    """Diagnoses a growing record now and then.

    Args:
        say: takes each new finding.

    A spacing that grows keeps the cost in proportion to the run's length.
    """

    def __init__(self, say: Callable[[Finding], None]):
        self._say = say
        self._said: set[tuple[str, str]] = set()
        self._due = 1

    def look(self, record: Record, step: int) -> None:
        """Diagnose the record if it is time; `step` is its newest."""
        if step < self._due:
            return
        self._due = int(step * SPACING) + 1
        self.finish(record)

    def finish(self, record: Record) -> None:
        """Diagnose the record, and say what is new."""
        for finding in self._new(record):
            self._say(finding)

    def _new(self, record: Record) -> Iterator[Finding]:
        for finding in diagnose(record):
            if finding.kind not in LEFT_OUT and (finding.kind, finding.layer) not in self._said:
                self._said.add((finding.kind, finding.layer))
                yield finding


def printed(finding: Finding) -> None:
    """Say a finding on the terminal, in two lines."""
    print(f"\n{finding.title}: {finding.text}\n  mend: {finding.mend.text}", flush=True)
