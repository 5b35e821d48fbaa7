"""Layers whose derivative is the subject: maxout, features of coordinates, norms, initialisers, stochastic neurons."""

from zoo.nn.adaptive_tanh import AdaptiveTanh
from zoo.nn.fourier_features import FourierFeatures
from zoo.nn.initialisers import (
    gain_of,
    glorot_normal_,
    glorot_uniform_,
    he_normal_,
    he_uniform_,
    initialise_,
    lecun_normal_,
    lecun_uniform_,
    orthogonal_,
)
from zoo.nn.lsuv import lsuv_
from zoo.nn.maxout import Maxout, MaxoutConv2d, MaxoutLinear
from zoo.nn.norms import batch_norm, group_norm, layer_norm, no_norm, rms_norm, weight_norm_
from zoo.nn.periodic_features import PeriodicFeatures
from zoo.nn.stochastic import GumbelBinary, StraightThrough, reinforce_loss, sample_binary

__all__ = [
    "AdaptiveTanh",
    "FourierFeatures",
    "GumbelBinary",
    "Maxout",
    "MaxoutConv2d",
    "MaxoutLinear",
    "PeriodicFeatures",
    "StraightThrough",
    "batch_norm",
    "gain_of",
    "glorot_normal_",
    "glorot_uniform_",
    "group_norm",
    "he_normal_",
    "he_uniform_",
    "initialise_",
    "layer_norm",
    "lecun_normal_",
    "lecun_uniform_",
    "lsuv_",
    "no_norm",
    "orthogonal_",
    "reinforce_loss",
    "rms_norm",
    "sample_binary",
    "weight_norm_",
]
