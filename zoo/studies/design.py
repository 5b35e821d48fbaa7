"""What a study is: a baseline, factors that are varied alone around it, and cells, each one training.

A cell is wholly described by its tree (recipe, seed and part of the data): equal trees are one cell, computed once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from typing import Any

from zoo.errors import InputError
from zoo.studies.conclusion import Conclusion
from zoo.training.configuration import Tree, merged

Figures = dict[str, float]


@dataclass(frozen=True)
class Level:
    """A setting of a factor.

    Args:
        name: as the page shows it.
        overlay: laid over the baseline; an empty one is the baseline itself.
        place: on the axis of a factor that is a number.
    """

    name: str
    overlay: Tree = field(default_factory=dict)
    place: float | None = None


@dataclass(frozen=True)
class Factor:
    """A choice that is varied alone: its levels, one of which is the baseline.

    Args:
        name: one word, for the command line.
        title: for the page.
        levels: in the order of the page.
        note: a sentence about what was left out, if anything was.
    """

    name: str
    title: str
    levels: tuple[Level, ...]
    note: str = ""

    def __post_init__(self) -> None:
        assert sum(not level.overlay for level in self.levels) == 1, f"{self.name}: one level is the baseline"
        assert len({level.name for level in self.levels}) == len(self.levels), f"{self.name}: names are unique"

    @property
    def baseline(self) -> str:
        """Name of the level that is the baseline."""
        return next(level.name for level in self.levels if not level.overlay)

    def level(self, name: str) -> Level:
        """The level of a name."""
        return next(level for level in self.levels if level.name == name)


@dataclass(frozen=True)
class Study:
    """Factors around a baseline, how a cell is measured, and what the literature concludes.

    Args:
        name: as the command line has it.
        subject: what it is made on, in one word that names a folder.
        title: for the page.
        lead: for the page: what was held fixed, and on which data.
        base: the baseline, a resolved recipe.
        factors: varied one at a time.
        measure: a cell's tree -> its figures; a function of a module, since worker processes import it.
        placed: (tree, repetition, fold) -> the cell's tree, seed and part of the data in it.
        metric: which figure is looked at.
        folds: of the cross-validation; 1 for a split that stays, where repetitions change the seed alone.
        scale, unit: what the figure is multiplied by on the page, and what it is then called.
        higher_is_better: of the figure.
        conclusions: what is judged.
        facts: whatever else the cells depend on, such as a hash of the data.
    """

    name: str
    subject: str
    title: str
    lead: str
    base: Tree
    factors: tuple[Factor, ...]
    measure: Callable[[Tree], Figures]
    placed: Callable[[Tree, int, int], Tree]
    metric: str
    folds: int = 1
    scale: float = 1.0
    unit: str = ""
    higher_is_better: bool = True
    conclusions: tuple[Conclusion, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def overlap(self) -> float:
        """Test examples for one training example, by which the differences of a cross-validation are correlated."""
        return 1 / (self.folds - 1) if self.folds > 1 else 0.0

    @property
    def definition(self) -> dict[str, Any]:
        """What all cells share; cells of another definition are not comparable."""
        return {"study": self.name, "folds": self.folds, **self.facts, "base": self.base}

    def cell(self, factor: Factor, level: Level, repetition: int, fold: int) -> "Cell":
        """The cell of a level."""
        name = f"{factor.name} {level.name}" if level.overlay else "baseline"
        return Cell(self.placed(merged(self.base, level.overlay), repetition, fold), name, repetition, fold)

    def only(self, names: list[str]) -> "Study":
        """The study of these factors alone.

        Raises:
            InputError: a factor that it does not have.
        """
        known = {factor.name: factor for factor in self.factors}
        for name in names:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else "mend the name"
                raise InputError(f"--factors: expected some of {', '.join(known)}, got {name!r}; {hint}")
        return replace(self, factors=tuple(known[name] for name in dict.fromkeys(names)))


@dataclass(frozen=True)
class Cell:
    """One training: `tree` says all that it depends on, the rest is for reading."""

    tree: Tree
    level: str
    repetition: int
    fold: int

    @cached_property
    def key(self) -> str:
        """Identity of the tree."""
        return sha256(json.dumps(self.tree, sort_keys=True).encode()).hexdigest()[:16]


def cells(study: Study, repetitions: int) -> list[Cell]:
    """Every cell once, repetition by repetition and fold by fold, the baseline's first in each.

    A study that is stopped early has measured all levels alike.
    """
    levels = [(factor, level) for factor in study.factors for level in factor.levels]
    levels.sort(key=lambda pair: bool(pair[1].overlay))
    found: dict[str, Cell] = {}
    for repetition in range(repetitions):
        for fold in range(study.folds):
            for factor, level in levels:
                cell = study.cell(factor, level, repetition, fold)
                found.setdefault(cell.key, cell)
    return list(found.values())
