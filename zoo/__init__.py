"""Gradient Zoo: one gradient-aware training core; the domains live in `tasks`."""

__version__ = "0.1.0"
