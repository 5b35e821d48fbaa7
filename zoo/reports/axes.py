"""Scales and ticks of the charts."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Maps values `low .. high` to pixels `start .. stop`, linearly or by their logarithms."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        """Pixel of a value.

        >>> Axis(0, 10, 0, 100).at(2.5), Axis(1, 100, 0, 100, log=True).at(10)
        (25.0, 50.0)
        """
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        share = ((math.log10(value) if self.log else value) - low) / ((high - low) or 1)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Round values inside the range, about five of them."""
        if self.log:
            low, high = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, (high - low) // 4)
            decades = [10.0**k for k in range(low, high + 1, every)]
            return decades if len(decades) > 1 else sorted({self.low, self.high})
        step = nice_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `rough`.

    >>> nice_step(0.3), nice_step(7)
    (0.5, 10.0)
    """
    if rough <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))


def tick_label(value: float, log: bool = False, step: float | None = None) -> str:
    """Short text of a tick; `step` to the next one gives the digits that tell them apart.

    >>> tick_label(1000.0), tick_label(0.001, log=True), tick_label(0.30000000000000004)
    ('1k', '1e-3', '0.3')
    >>> tick_label(49.998, step=0.002), tick_label(0.5, step=0.25)
    ('49.998', '0.5')
    """
    if step and abs(value) >= 100 * step and not log and abs(value) < 1e6 and step < 1:
        return f"{value:.{math.ceil(-math.log10(step) - 1e-9)}f}"
    if log and value > 0 and math.isclose(math.log10(value), round(math.log10(value))):
        power = round(math.log10(value))
        return f"{value:g}" if -2 < power < 3 else f"1e{power}"
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    if abs(value) >= 1e3:
        return f"{value / 1e3:g}k"
    return f"{value:.3g}"
