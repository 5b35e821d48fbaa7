"""Problems, one a file."""

from tasks.pde.problems.burgers import Burgers
from tasks.pde.problems.heat import Heat
from tasks.pde.problems.helmholtz import Helmholtz
from tasks.pde.problems.inverse_burgers import InverseBurgers
from tasks.pde.problems.kovasznay import Kovasznay
from tasks.pde.problems.poisson import Poisson
from tasks.pde.problems.taylor_green import TaylorGreen

__all__ = ["Burgers", "Heat", "Helmholtz", "InverseBurgers", "Kovasznay", "Poisson", "TaylorGreen"]
