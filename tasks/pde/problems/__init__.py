"""Problems, one a file."""

from tasks.pde.problems.burgers import Burgers
from tasks.pde.problems.heat import Heat
from tasks.pde.problems.inverse_burgers import InverseBurgers
from tasks.pde.problems.poisson import Poisson

__all__ = ["Burgers", "Heat", "InverseBurgers", "Poisson"]
