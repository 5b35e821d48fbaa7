"""Whether the value is what is obtained.

Legend: T = steps of an episode, N = steps of all episodes.
"""

import numpy as np

UNSEEN = 0.05  # share of a return's weight that may lie beyond a cut


def obtained_returns(
    rewards_T: np.ndarray, discount: float, terminated: bool, beyond: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """G_t = sum_i discount^i r_{t+i} up to the episode's end, and whether it is known, both [T].

    An episode that a time limit cut would have gone on: of its steps only those are known whose weight beyond the cut,
    discount^(T - t), is 0.05 or less; `beyond` is a guess of the return from the cut on.

    >>> obtained_returns(np.ones(2), 0.5, True)[0].tolist()
    [1.5, 1.0]
    """
    returns_T, carry = np.empty(len(rewards_T)), 0.0 if terminated else beyond
    for t in range(len(rewards_T) - 1, -1, -1):
        carry = rewards_T[t] + discount * carry
        returns_T[t] = carry
    left_T = len(rewards_T) - np.arange(len(rewards_T))
    return returns_T, np.full(len(rewards_T), True) if terminated else discount**left_T <= UNSEEN


def what_is_left_out(known: int, steps: int) -> str:
    """What a time limit did to the returns that V is held against.

    >>> what_is_left_out(90, 100)
    '10 of 100 steps, whose return a time limit cut short, are left out.'
    """
    if known == steps:
        return "No return was cut short by a time limit."
    if known:
        return f"{steps - known:,} of {steps:,} steps, whose return a time limit cut short, are left out."
    return "A time limit cut every episode early: V at the cut stands for what lay beyond, which flatters V."


def calibration(values_N: np.ndarray, returns_N: np.ndarray, bins: int = 12) -> dict[str, np.ndarray]:
    """Steps in groups of like value: mean value, mean return, and its 10 and 90 % quantiles, each [bins] or shorter.

    >>> found = calibration(np.array([1.0, 1.0, 3.0, 3.0]), np.array([0.0, 2.0, 3.0, 3.0]), bins=2)
    >>> found["value"].tolist(), found["return"].tolist()
    ([1.0, 3.0], [1.0, 3.0])
    """
    order = np.argsort(values_N, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return {
        "value": np.array([values_N[part].mean() for part in parts]),
        "return": np.array([returns_N[part].mean() for part in parts]),
        "low": np.array([np.quantile(returns_N[part], 0.1) for part in parts]),
        "high": np.array([np.quantile(returns_N[part], 0.9) for part in parts]),
    }
