"""Problems, one a file."""

from tasks.pde.problems.advection import Advection
from tasks.pde.problems.allen_cahn import AllenCahn, AllenCahnLifted
from tasks.pde.problems.burgers import Burgers
from tasks.pde.problems.cavity import Cavity
from tasks.pde.problems.cylinder_wake import CylinderWake
from tasks.pde.problems.heat import Heat
from tasks.pde.problems.helmholtz import Helmholtz
from tasks.pde.problems.inverse_burgers import InverseBurgers
from tasks.pde.problems.inverse_navier_stokes import InverseNavierStokes
from tasks.pde.problems.kdv import KortewegDeVries
from tasks.pde.problems.kovasznay import Kovasznay
from tasks.pde.problems.kuramoto_sivashinsky import KuramotoSivashinsky
from tasks.pde.problems.poisson import Poisson
from tasks.pde.problems.reaction_diffusion import ReactionDiffusion
from tasks.pde.problems.robertson import Robertson
from tasks.pde.problems.schroedinger import Schroedinger, SchroedingerLifted
from tasks.pde.problems.taylor_green import TaylorGreen
from tasks.pde.problems.wave import Wave
from tasks.pde.problems.without_conditions import WithoutConditions

__all__ = [
    "Advection",
    "AllenCahn",
    "AllenCahnLifted",
    "Burgers",
    "Cavity",
    "CylinderWake",
    "Heat",
    "Helmholtz",
    "InverseBurgers",
    "InverseNavierStokes",
    "KortewegDeVries",
    "Kovasznay",
    "KuramotoSivashinsky",
    "Poisson",
    "ReactionDiffusion",
    "Robertson",
    "Schroedinger",
    "SchroedingerLifted",
    "TaylorGreen",
    "Wave",
    "WithoutConditions",
]
