"""Readings of derivatives: pure functions and context managers, usable on any torch module."""

from zoo.probes.conflict import cosines, gradient_cosines, task_gradients
from zoo.probes.example_norms import example_gradient_norms, whole_norms
from zoo.probes.flow import LayerFlow, flow_norms, gradient_flow
from zoo.probes.laplace import parameter_covariance, predictive_variance, residual_variance
from zoo.probes.layers import LayerReadings, is_activation, watch_layers
from zoo.probes.leverage import leverage_scores, ridge_leverage_scores
from zoo.probes.local_gradients import LocalGradients
from zoo.probes.noise_scale import noise_of_examples, noise_of_shares
from zoo.probes.ntk import ntk, ntk_trace, ntk_weights
from zoo.probes.outliers import outlier_scores, outliers
from zoo.probes.through_time import gradients_through_time, hidden_gradients

__all__ = [
    "LayerFlow",
    "LayerReadings",
    "LocalGradients",
    "cosines",
    "example_gradient_norms",
    "flow_norms",
    "gradient_cosines",
    "gradient_flow",
    "gradients_through_time",
    "hidden_gradients",
    "is_activation",
    "leverage_scores",
    "noise_of_examples",
    "noise_of_shares",
    "ntk",
    "ntk_trace",
    "ntk_weights",
    "outlier_scores",
    "outliers",
    "parameter_covariance",
    "predictive_variance",
    "residual_variance",
    "ridge_leverage_scores",
    "task_gradients",
    "watch_layers",
    "whole_norms",
]
