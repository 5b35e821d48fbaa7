"""Derivatives of nets to their inputs, and of residuals to parameters: what PDEs and least squares are made of."""

from zoo.derivatives.chunks import chunk_within, chunked_sum, normal_equations
from zoo.derivatives.derivatives_of import derivatives_of
from zoo.derivatives.gram import gram
from zoo.derivatives.jacobian import residual_jacobian
from zoo.derivatives.jets import Jet, NoJetRule, jet_of
from zoo.derivatives.nested import Nested, nested_of
from zoo.derivatives.per_example import per_example_jacobian
from zoo.derivatives.per_point import per_point
from zoo.derivatives.space import JetSpace

__all__ = [
    "Jet",
    "JetSpace",
    "Nested",
    "NoJetRule",
    "chunk_within",
    "chunked_sum",
    "derivatives_of",
    "gram",
    "jet_of",
    "nested_of",
    "normal_equations",
    "per_example_jacobian",
    "per_point",
    "residual_jacobian",
]
