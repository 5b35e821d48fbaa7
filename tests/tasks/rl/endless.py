"""An environment that never ends and pays 1 a step: V = 1 / (1 - gamma), and a time limit must not change that."""

import gymnasium
import numpy as np


class Endless(gymnasium.Env):
    """Nothing to see, nothing to do."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action):
        return np.ones(1, np.float32), 1.0, False, False, {}


gymnasium.register("Endless-v0", Endless)
