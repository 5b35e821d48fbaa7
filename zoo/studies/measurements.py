"""The figures of a study as tables: level x repetition x fold.

Legend: R = repetitions, K = folds.
"""

from dataclasses import dataclass

import numpy as np

from zoo.studies.conclusion import Judged, judged
from zoo.studies.design import Factor, Figures, Study
from zoo.studies.intervals import CONFIDENCE, Interval, corrected_interval


@dataclass(frozen=True)
class Measurements:
    """Figures of the cells that are done.

    Args:
        study: what was measured.
        repetitions: R.
        figures: key of a cell -> its figures.
    """

    study: Study
    repetitions: int
    figures: dict[str, Figures]

    def values(self, factor: Factor, level: str) -> np.ndarray:
        """[R, K] of the study's metric, scaled; NaN where a cell is missing."""
        found = np.full((self.repetitions, self.study.folds), np.nan)
        for r, k in np.ndindex(found.shape):
            cell = self.study.cell(factor, factor.level(level), r, k)
            found[r, k] = self.figures.get(cell.key, {}).get(self.study.metric, np.nan)
        return found * self.study.scale

    def means(self, factor: Factor, level: str) -> np.ndarray:
        """Mean over the folds of every repetition that is whole, [<= R]."""
        values_RK = self.values(factor, level)
        return values_RK[np.isfinite(values_RK).all(1)].mean(1)

    def change(self, factor: Factor, level: str, other: str, confidence: float = CONFIDENCE) -> Interval:
        """Interval of level - other over the parts that both were measured on."""
        differences_RK = self.values(factor, level) - self.values(factor, other)
        return corrected_interval(differences_RK, self.study.overlap, confidence)

    def changes(self, factor: Factor, level: str) -> np.ndarray:
        """Mean of level - baseline over the folds of every repetition that is whole, [<= R]."""
        differences_RK = self.values(factor, level) - self.values(factor, factor.baseline)
        return differences_RK[np.isfinite(differences_RK).all(1)].mean(1)

    def verdicts(self) -> list[Judged]:
        """Every conclusion of the study with its verdict."""
        return [judged(conclusion, self._interval) for conclusion in self.study.conclusions]

    def _interval(self, name: str, level: str, other: str, confidence: float) -> Interval | None:
        factor = next((one for one in self.study.factors if one.name == name), None)
        known = {one.name for one in factor.levels} if factor else set()
        if not {level, other} <= known:
            return None
        interval = self.change(factor, level, other, confidence)
        return interval if interval.pairs else None
