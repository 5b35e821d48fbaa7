"""Derivatives of nets to their inputs, and of residuals to parameters: what PDEs and least squares are made of."""

from zoo.derivatives.gram import gram
from zoo.derivatives.jacobian import per_point, residual_jacobian
from zoo.derivatives.jets import Jet, NoJetRule, jet_of
from zoo.derivatives.space import JetSpace

__all__ = ["Jet", "JetSpace", "NoJetRule", "gram", "jet_of", "per_point", "residual_jacobian"]
