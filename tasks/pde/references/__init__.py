"""Solutions by other means than a net, each with the error it is certified to."""

from tasks.pde.references.allen_cahn import allen_cahn
from tasks.pde.references.cavity import cavity
from tasks.pde.references.cole_hopf import cole_hopf
from tasks.pde.references.fisher import fisher
from tasks.pde.references.grid import axes_of, grid_of
from tasks.pde.references.korteweg_de_vries import korteweg_de_vries
from tasks.pde.references.kuramoto_sivashinsky import kuramoto_sivashinsky
from tasks.pde.references.lid import regular_lid, sliding_lid
from tasks.pde.references.reaction_diffusion import reaction_diffusion
from tasks.pde.references.schroedinger import schroedinger
from tasks.pde.references.stiff import robertson, stiff, van_der_pol

__all__ = [
    "allen_cahn",
    "axes_of",
    "cavity",
    "cole_hopf",
    "fisher",
    "grid_of",
    "korteweg_de_vries",
    "kuramoto_sivashinsky",
    "reaction_diffusion",
    "regular_lid",
    "robertson",
    "schroedinger",
    "sliding_lid",
    "stiff",
    "van_der_pol",
]
