"""Targets and losses of Q-learning against hand numbers and slow twins."""

import numpy as np
import pytest
import torch

from tasks.rl.q_losses import (
    chosen,
    cross_entropy,
    huber,
    next_values,
    projected,
    quadratic_advantage,
    td_targets,
)


def test_truncation_bootstraps_and_termination_does_not():
    rewards, discount = torch.tensor([1.0, 1.0, 1.0]), torch.tensor([0.9, 0.9, 0.0])  # goes on, truncated, terminated
    assert td_targets(rewards, discount, torch.full((3,), 10.0)).tolist() == [10.0, 10.0, 1.0]


def test_the_target_net_values_what_the_trained_net_selects():
    target, trained = torch.tensor([[1.0, 5.0, 3.0]]), torch.tensor([[0.0, 1.0, 2.0]])
    assert next_values(target, trained).tolist() == [3.0]  # double
    assert next_values(target, target).tolist() == [5.0]  # Mnih et al.


def test_chosen_takes_rows_by_action():
    values = torch.arange(24.0).view(2, 3, 4)
    assert chosen(values[..., 0], torch.tensor([2, 0])).tolist() == [8.0, 12.0]
    assert chosen(values, torch.tensor([2, 0])).tolist() == [[8.0, 9.0, 10.0, 11.0], [12.0, 13.0, 14.0, 15.0]]


def test_huber_gradient_is_the_clipped_error():
    errors = torch.tensor([-3.0, -0.5, 0.25, 7.0], requires_grad=True)
    huber(errors, 2.0).sum().backward()
    assert errors.grad.tolist() == [-2.0, -0.5, 0.25, 2.0]
    assert huber(errors.detach(), 2.0).tolist() == [4.0, 0.125, 0.03125, 12.0]
    assert huber(errors.detach(), None).tolist() == [4.5, 0.125, 0.03125, 24.5]


def slowly_projected(reward: float, discount: float, probs: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Bellemare et al. (2017), algorithm 1, atom by atom."""
    out, spacing = np.zeros_like(probs), support[1] - support[0]
    for p, z in zip(probs, support, strict=True):
        b = (min(max(reward + discount * z, support[0]), support[-1]) - support[0]) / spacing
        low, high = int(np.floor(b)), int(np.ceil(b))
        if low == high:
            out[low] += p
        else:
            out[low] += p * (high - b)
            out[high] += p * (b - low)
    return out


def test_projection_against_algorithm_1():
    rng = np.random.default_rng(0)
    support = np.linspace(-2.0, 3.0, 11)
    rewards, discount = rng.normal(size=20) * 2, rng.choice([0.0, 0.9, 1.0], size=20)
    probs = rng.dirichlet(np.ones(11), size=20)
    expected = [slowly_projected(*row, support) for row in zip(rewards, discount, probs, strict=True)]
    ours = projected(*(torch.from_numpy(one) for one in (rewards, discount, probs, support)))
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-12)


def test_projection_by_hand():
    support = torch.tensor([0.0, 1.0, 2.0])
    terminal = projected(torch.tensor([0.5]), torch.tensor([0.0]), torch.tensor([[0.2, 0.3, 0.5]]), support)
    torch.testing.assert_close(terminal, torch.tensor([[0.5, 0.5, 0.0]]))  # the reward alone, whatever came next
    beyond = projected(torch.tensor([9.0]), torch.tensor([1.0]), torch.tensor([[0.2, 0.3, 0.5]]), support)
    torch.testing.assert_close(beyond, torch.tensor([[0.0, 0.0, 1.0]]))


def test_cross_entropy_is_least_at_the_target():
    targets = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    cross_entropy(logits.log_softmax(1), targets).sum().backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[0.25, -0.25]], dtype=torch.float64))  # softmax - target
    entropy = -(targets * targets.log()).sum()
    assert float(cross_entropy(targets.log(), targets)) == pytest.approx(float(entropy))


def test_quadratic_advantage_by_hand():
    factor = torch.tensor([[[2.0, 0.0], [1.0, 3.0]]])  # P = L L' = [[4, 2], [2, 10]]
    away = torch.tensor([[1.0, -1.0]])
    best = torch.tensor([[0.5, 0.5]])
    expected = -0.5 * (4 * 0.25 + 2 * 2 * 0.5 * -1.5 + 10 * 2.25)
    assert float(quadratic_advantage(away, best, factor)) == pytest.approx(expected)
    assert float(quadratic_advantage(best, best, factor)) == 0.0
