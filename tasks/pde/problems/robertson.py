"""Robertson's stiff reactions over ten decades of time, in the logarithm of time. Robertson (1966)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import axes_of, grid_of, robertson

LEVEL = math.sqrt(0.04 / 0.3)  # of z when it has risen, before anything else has changed
RISE = LEVEL / 400  # the time it takes: z' = 400 - 3000 z^2 from 0 is LEVEL tanh(t / RISE)


class Robertson(Problem):
    """y_1' = -0.04 y_1 + 1e4 y_2 y_3, y_3' = 3e7 y_2^2, y_1 + y_2 + y_3 = 1 from (1, 0, 0), on s = ln t.

    y_2 stays below 4e-5 and is written as z = 1e4 y_2; the fields are y_3 and w = ln z, so that z keeps its sign and
    its digits while it falls by three decades. With t = e^s,

        dy_3/ds = 0.3 t z^2,  dw/ds = 1e4 t (0.04 y_1 / z - y_3 - 0.3 z).

    Before s starts the solution is the one with y_1 = 1, in closed form; the offset has it.
    """

    bounds = {"s": (math.log(1e-5), math.log(1e5))}
    fields = ("y_3", "w")
    observables = ("y_1", "1e4 y_2", "y_3")

    def equation(self, y_3: Field, w: Field, points: Coordinates) -> Tensor:
        """See `Problem`; the second row is divided by what stiffness multiplies it with, and so stays of order one."""
        t, z = torch.exp(points.s), torch.exp(w.value)
        y_1 = 1 - y_3.value - 1e-4 * z
        stiff = 1e4 * t * (0.04 * y_1 / z - y_3.value - 0.3 * z)
        return torch.stack([y_3.s - 0.3 * t * z * z, (w.s - stiff) / (1 + 2e3 * t)], 1)

    def offset(self, x: Coordinates) -> Any:
        """ln z as it rises."""
        return torch.cat([x.s * 0.0, torch.log(torch.tanh(torch.exp(x.s) * (1 / RISE)) * LEVEL)], -1)

    def factor(self, x: Coordinates) -> Any:
        """Of y_3 what it is while y_1 = 1, in the end a constant; of ln z zero until y_3 has grown."""
        t = torch.exp(x.s)
        slow = 1 / (t * 0.04 + 1)
        return torch.cat([(t - torch.tanh(t * (1 / RISE)) * RISE) * 0.04 * slow, t / (t + 1)], -1)

    def conditions(self) -> dict[str, Condition]:
        """The start: the closed form at the first time."""
        first = self.bounds["s"][0]

        def start(y_3: Field, w: Field, points: Coordinates) -> Tensor:
            return torch.stack([y_3.value, w.value - math.log(LEVEL * math.tanh(math.exp(first) / RISE))], 1)

        return {"start": Condition(start, {"s": first})}

    def observed(self, y_3: Field, w: Field, points: Coordinates) -> Tensor:
        """All three, y_2 times 1e4 so that it is seen beside the others."""
        z = torch.exp(w.value)
        return torch.stack([1 - y_3.value - 1e-4 * z, z, y_3.value], 1)

    def reference(self) -> Reference:
        """By Radau IIA."""
        points_ND, grid = grid_of(self.bounds, (401,))
        values_TK, error = robertson(torch.exp(axes_of(self.bounds, grid)[0]))
        return Reference(points_ND, values_TK * values_TK.new_tensor([1.0, 1e4, 1.0]), error, grid)
