"""Acoustic networks in plain torch: features_BTD, frames_B -> (logits_BTV, frames_B); `frames_out` tells the latter.

`ListenAttendSpell` is given the transcripts too, and answers for each of their labels.
"""

from tasks.speech.networks.attention import DotAttention, LocationAttention
from tasks.speech.networks.bilstm import BiLSTM
from tasks.speech.networks.causal import Causal
from tasks.speech.networks.conformer import Conformer
from tasks.speech.networks.conv import Conv
from tasks.speech.networks.conv_bilstm import ConvBiLSTM
from tasks.speech.networks.flip_lstm import FlipLSTM
from tasks.speech.networks.las import ListenAttendSpell
from tasks.speech.networks.listener import Listener
from tasks.speech.networks.speller import Speller
from tasks.speech.networks.strided import StridedConv
from tasks.speech.networks.tdnn import TDNN

__all__ = [
    "TDNN",
    "BiLSTM",
    "Causal",
    "Conformer",
    "Conv",
    "ConvBiLSTM",
    "DotAttention",
    "FlipLSTM",
    "ListenAttendSpell",
    "Listener",
    "LocationAttention",
    "Speller",
    "StridedConv",
]
