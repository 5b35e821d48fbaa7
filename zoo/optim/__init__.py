"""What torch.optim lacks: clipping, penalties, constraints, SAM, least squares, natural steps, phases, a schedule."""

from zoo.optim.clipping import Adaptive, AutoClip, ByGlobalNorm, ByParameterNorm, ByValue, Clipping, ZClip
from zoo.optim.constraints import Constraint, MaxNorm
from zoo.optim.decay import optimizer_for, parameter_groups
from zoo.optim.energy_natural_gradient import EnergyNaturalGradient
from zoo.optim.lazy import LazyAdadelta, LazyAdam
from zoo.optim.levenberg_marquardt import LevenbergMarquardt
from zoo.optim.matrix_free import MatrixFreeLevenbergMarquardt
from zoo.optim.natural_gradient import NaturalGradient
from zoo.optim.penalties import L1, L2, InputGradient, Jacobian, Penalty
from zoo.optim.phases import Phase, Phases
from zoo.optim.quasi_newton import BFGS, SSBFGS, SSBroyden
from zoo.optim.sam import SAM
from zoo.optim.schedules import WarmupDecay
from zoo.optim.trust_region import TrustRegion

__all__ = [
    "BFGS",
    "L1",
    "L2",
    "SAM",
    "SSBFGS",
    "Adaptive",
    "AutoClip",
    "ByGlobalNorm",
    "ByParameterNorm",
    "ByValue",
    "Clipping",
    "Constraint",
    "EnergyNaturalGradient",
    "InputGradient",
    "Jacobian",
    "LazyAdadelta",
    "LazyAdam",
    "LevenbergMarquardt",
    "MatrixFreeLevenbergMarquardt",
    "MaxNorm",
    "NaturalGradient",
    "Penalty",
    "Phase",
    "Phases",
    "SSBroyden",
    "TrustRegion",
    "WarmupDecay",
    "ZClip",
    "optimizer_for",
    "parameter_groups",
]
