"""Q-networks, NAF and learned dynamics: identities, noise, maxima."""

import numpy as np
import pytest
import torch
from gymnasium import spaces as gym_spaces

from tasks.rl.environments.spaces import Spaces
from tasks.rl.networks import NAF, Dynamics, NoisyLinear, QNetwork
from tasks.rl.replay.transitions import Transitions
from tasks.rl.rollout import Rollout
from zoo.errors import InputError

FLAT = Spaces(gym_spaces.Box(-1, 1, (3,)), gym_spaces.Discrete(4))
FRAMES = Spaces(gym_spaces.Box(0, 255, (4, 84, 84), np.uint8), gym_spaces.Discrete(6))
BOX = Spaces(gym_spaces.Box(-1, 1, (3,)), gym_spaces.Box(-2, 2, (2,)))


def test_dueling_values_average_to_v():
    net, obs = QNetwork(FLAT, [16, 16], dueling=True), torch.randn(5, 3)
    torch.testing.assert_close(net(obs).mean(1), net.value(net.features(obs))[:, 0])
    advantage = net.advantage(net.features(obs))
    torch.testing.assert_close(net(obs) - net(obs).mean(1, keepdim=True), advantage - advantage.mean(1, keepdim=True))


@pytest.mark.parametrize("dueling", [False, True])
def test_a_distribution_has_mass_one_and_its_mean_is_q(dueling):
    net, obs = QNetwork(FLAT, [16, 16], atoms=11, low=-3, high=5, dueling=dueling), torch.randn(5, 3)
    probs = net.log_probs(obs).exp()
    torch.testing.assert_close(probs.sum(2), torch.ones(5, 4))
    torch.testing.assert_close(net(obs), (probs * torch.linspace(-3, 5, 11)).sum(2))


def test_noise_is_off_in_evaluation_and_has_its_moments_in_training():
    layer, x = NoisyLinear(3, 2), torch.tensor([[0.5, -1.0, 2.0]])
    layer.eval()
    plain = layer(x)
    torch.testing.assert_close(plain, torch.nn.functional.linear(x, layer.weight, layer.bias), rtol=0, atol=0)
    layer.train()
    with torch.no_grad():
        draws = torch.stack([layer(x)[0] for _ in range(20_000)])
    # The factors f(e) = sign(e) sqrt|e| are independent with E f^2 = E|e| = sqrt(2/pi) = m:
    # Var = sum_j sigma_w^2 m^2 x_j^2 + sigma_b^2 m, since (E f)^2 = 0 takes the cross terms away.
    m, sigma = (2 / np.pi) ** 0.5, 0.5 / 3**0.5
    variance = sigma**2 * (m**2 * float(x.square().sum()) + m)
    assert (draws.mean(0) - plain[0]).abs().max() < 5 * (variance / 20_000) ** 0.5
    assert draws.var(0).numpy() == pytest.approx([variance] * 2, rel=0.06)


def test_noise_is_one_for_a_batch_and_new_at_each_forward():
    net = QNetwork(FLAT, [8], noisy=True)
    obs = torch.randn(1, 3).expand(6, 3)
    first, second = net(obs), net(obs)
    assert torch.equal(first[0], first[5])
    assert not torch.equal(first, second)


def test_frames_are_scaled_and_seen_by_convolutions():
    net = QNetwork(FRAMES, [32])
    frames = torch.randint(256, (2, 4, 84, 84), dtype=torch.uint8)
    hidden = net.trunk(frames / 255)
    torch.testing.assert_close(net(frames), net.advantage(hidden))
    assert sum(p.numel() for p in QNetwork(FRAMES, [512]).parameters()) == 1_687_206  # Mnih et al., six actions


def test_values_keep_their_precision_under_autocast():
    net, frames = QNetwork(FRAMES, [32]), torch.randint(256, (2, 4, 84, 84), dtype=torch.uint8)
    torch.nn.init.constant_(net.advantage.out.bias, 100.0)  # bf16 has steps of 0.5 there
    exact = net(frames)
    with torch.autocast("cpu", torch.bfloat16):
        low = net(frames)
    assert low.dtype == torch.float32
    assert (low - exact).abs().max() < 0.02


def test_observations_are_normalised_by_valid_ones():
    net = QNetwork(FLAT, [8], normalise_observations=True)
    obs = torch.tensor([[[1.0, 2.0, 3.0]], [[9.0, 9.0, 9.0]], [[3.0, 2.0, 1.0]], [[7.0, 7.0, 7.0]]])
    zeros = torch.zeros(3, 1)
    net.observe(Rollout(obs, zeros, zeros, zeros, zeros, torch.tensor([[True], [False], [True]])))
    torch.testing.assert_close(net.moments.shift, torch.full((3,), 2.0))


def test_the_best_action_of_naf_against_a_grid():
    net, obs = NAF(BOX, [16]), torch.randn(4, 3)
    for parameter in net.parameters():  # away from the almost flat start
        torch.nn.init.normal_(parameter, std=0.5)
    axis = torch.linspace(-1, 1, 201)
    grid = torch.cartesian_prod(axis, axis)
    for i in range(4):
        q = net(obs[i].expand(len(grid), 3), grid).detach()
        best = net.best(obs[i : i + 1]).detach()[0]
        assert (grid[q.argmax()] - best).abs().max() < 0.2
        assert float(q.max()) <= float(net.value(obs[i : i + 1]).detach()) + 1e-6
        torch.testing.assert_close(net(obs[i : i + 1], best[None]), net.value(obs[i : i + 1]))
        near = (grid - best).norm(dim=1).argmin()
        assert float(q[near]) >= float(q.max()) - 0.05


def test_the_factor_of_naf_is_lower_triangular_with_a_positive_diagonal():
    net = NAF(Spaces(BOX.observation, gym_spaces.Box(-1, 1, (3,))), [16])
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    factor = net.parts(torch.randn(50, 3))[2]
    assert not factor.triu(1).any()
    assert factor.diagonal(dim1=1, dim2=2).min() > 0
    assert factor.tril(-1).min() < 0 < factor.tril(-1).max()


def test_dynamics_learns_a_linear_system_with_an_end():
    spaces = Spaces(gym_spaces.Box(-9, 9, (2,)), gym_spaces.Box(-1, 1, (1,)))
    model = Dynamics(spaces, [32])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def real(count: int) -> Transitions:
        obs, actions = torch.randn(count, 2), torch.rand(count, 1) * 2 - 1
        after = obs + 0.1 * torch.cat([obs[:, 1:], actions], 1)
        ones = torch.ones(count)
        return Transitions(obs, actions, obs[:, 0] - actions[:, 0], 0.9 * (obs[:, 0] < 1), after, ones, ones)

    seen = real(2000)
    obs = torch.stack([seen.obs_N, seen.next_obs_N])
    ones = torch.ones(1, 2000)
    model.observe(Rollout(obs, ones, seen.rewards_N[None], ones, ones, ones.bool()))
    for _ in range(400):
        optimizer.zero_grad()
        model.losses(real(128)).mean().backward()
        optimizer.step()
    fresh = real(500)
    after, rewards, discount = model(fresh.obs_N, fresh.actions_N)
    assert (after - fresh.next_obs_N).square().mean().sqrt() < 0.02  # steps are 0.1 large
    assert (rewards - fresh.rewards_N).square().mean().sqrt() < 0.1
    assert (discount - fresh.discount_N).abs().mean() < 0.1


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda: QNetwork(BOX), "discrete"),
        (lambda: QNetwork(FLAT, []), "hidden_sizes"),
        (lambda: QNetwork(FLAT, atoms=1), "atoms"),
        (lambda: QNetwork(FLAT, atoms=5, low=1, high=1), "atoms"),
        (lambda: QNetwork(FRAMES, normalise_observations=True), "normalise_observations"),
        (lambda: NAF(FLAT), "box"),
    ],
)
def test_refuses_what_it_cannot_be(act, text):
    with pytest.raises(InputError, match=text):
        act()
