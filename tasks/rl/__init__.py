"""Reinforcement learning: agents in environments of gymnasium, and how good their gradients are."""
