"""Readings of derivatives: pure functions and context managers, usable on any torch module."""

from zoo.probes.layers import LayerReadings, is_activation, watch_layers

__all__ = ["LayerReadings", "is_activation", "watch_layers"]
