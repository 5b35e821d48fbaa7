"""Studies: factors x levels x repetitions of a recipe, measured, with a verdict beside what the literature says."""

from zoo.studies.conclusion import Claim, Conclusion, Judged, judged
from zoo.studies.design import Cell, Factor, Level, Study, cells
from zoo.studies.intervals import Interval, corrected_interval
from zoo.studies.measurements import Measurements

__all__ = [
    "Cell",
    "Claim",
    "Conclusion",
    "Factor",
    "Interval",
    "Judged",
    "Level",
    "Measurements",
    "Study",
    "cells",
    "corrected_interval",
    "judged",
]
