"""How the terms of a loss are weighed against each other, one rule a file."""

from tasks.pde.weights.balance import Balance
from tasks.pde.weights.causal import Causal
from tasks.pde.weights.conflict_free import ConflictFree
from tasks.pde.weights.gradient_norms import GradientNorms
from tasks.pde.weights.ntk import NTK
from tasks.pde.weights.relobralo import ReLoBRaLo
from tasks.pde.weights.rule import Terms, Weighting
from tasks.pde.weights.self_adaptive import SelfAdaptive

__all__ = [
    "NTK",
    "Balance",
    "Causal",
    "ConflictFree",
    "GradientNorms",
    "ReLoBRaLo",
    "SelfAdaptive",
    "Terms",
    "Weighting",
]
