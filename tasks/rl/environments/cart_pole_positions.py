"""A cart and pole whose velocities are hidden: what to do hangs on what was seen before.

`tasks.rl.environments.cart_pole_positions:CartPolePositions-v1` is CartPole-v1 with two of its four observations.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv


class CartPolePositions(CartPoleEnv):
    """CartPole that shows where the cart and the pole are, not how fast they move.

    Arguments are those of CartPole.
    """

    shown = np.array([0, 2])  # of x, its velocity, the pole's angle, its velocity

    def __init__(self, **options: Any):
        super().__init__(**options)
        whole = self.observation_space
        self.observation_space = gymnasium.spaces.Box(whole.low[self.shown], whole.high[self.shown])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Begin an episode."""
        seen, info = super().reset(seed=seed, options=options)
        return seen[self.shown], info

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Push the cart."""
        seen, *rest = super().step(action)
        return seen[self.shown], *rest


gymnasium.register("CartPolePositions-v1", CartPolePositions, max_episode_steps=500, reward_threshold=475.0)
