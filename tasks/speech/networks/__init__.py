"""Acoustic networks in plain torch, one architecture a file."""

from tasks.speech.networks.flip_lstm import FlipLSTM

__all__ = ["FlipLSTM"]
