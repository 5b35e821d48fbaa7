"""Acoustic networks in plain torch: features_BTD, frames_B -> (logits_BTV, frames_B); `frames_out` tells the latter."""

from tasks.speech.networks.bilstm import BiLSTM
from tasks.speech.networks.causal import Causal
from tasks.speech.networks.conv import Conv
from tasks.speech.networks.conv_bilstm import ConvBiLSTM
from tasks.speech.networks.flip_lstm import FlipLSTM
from tasks.speech.networks.strided import StridedConv

__all__ = ["BiLSTM", "Causal", "Conv", "ConvBiLSTM", "FlipLSTM", "StridedConv"]
