"""What every agent records of the episodes that ended, whatever it learns from."""

import torch
from torch import Tensor

from tasks.rl.rollout import Episodes


def episode_readings(episodes: Episodes) -> dict[str, Tensor]:
    """Mean return and length, and the 10 and 90 % quantiles of returns; nothing where no episode ended.

    >>> {name: round(float(value), 2) for name, value in episode_readings(Episodes([0.0, 10.0], [3, 5])).items()}
    {'return': 5.0, 'return_low': 1.0, 'return_high': 9.0, 'length': 4.0}
    """
    if not episodes.returns:
        return {}
    returns_E = torch.tensor(episodes.returns)
    low, high = returns_E.quantile(torch.tensor([0.1, 0.9]))
    length = torch.tensor(episodes.lengths, dtype=returns_E.dtype).mean()
    return {"return": returns_E.mean(), "return_low": low, "return_high": high, "length": length}
