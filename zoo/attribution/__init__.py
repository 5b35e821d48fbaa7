"""dy/dx: what an answer depends on. Pure functions (score, inputs, **options) -> map shaped like inputs."""

from zoo.attribution.faithfulness import (
    Faithfulness,
    against_random,
    curve_area,
    deletion_curve,
    insertion_curve,
)
from zoo.attribution.grad_cam import grad_cam
from zoo.attribution.gradients import Score, gradient
from zoo.attribution.integrated_gradients import completeness_gap, integrated_gradients
from zoo.attribution.occlusion import occlusion
from zoo.attribution.randomisation import randomisation_check, rank_correlation
from zoo.attribution.saliency import input_x_gradient, saliency
from zoo.attribution.smoothgrad import smoothgrad

__all__ = [
    "Faithfulness",
    "Score",
    "against_random",
    "completeness_gap",
    "curve_area",
    "deletion_curve",
    "grad_cam",
    "gradient",
    "input_x_gradient",
    "insertion_curve",
    "integrated_gradients",
    "occlusion",
    "randomisation_check",
    "rank_correlation",
    "saliency",
    "smoothgrad",
]
