"""Numbers over time -> named findings with layer, step, evidence and mend. Numpy only."""

from zoo.diagnosis.diagnose import diagnose
from zoo.diagnosis.finding import KINDS, Finding, Mend

__all__ = ["KINDS", "Finding", "Mend", "diagnose"]
