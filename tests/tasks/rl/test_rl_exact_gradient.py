"""Estimators of dJ/dtheta against the exact gradient of a tabular decision process, float64.

Legend: E = estimates, each from a few episodes, P = parameters, S = states.
"""

import math
from functools import lru_cache, partial

import gymnasium
import pytest
import torch
from torch import nn

from tasks.rl.algorithms import A2C, PGPE, Reinforce
from tasks.rl.environments.spaces import Spaces
from tasks.rl.losses import clipped_surrogate_loss, surrogate_loss
from tasks.rl.networks import LinearPolicy
from tasks.rl.q_losses import chosen, next_values, td_targets
from tasks.rl.samples import samples_of
from tests.tasks.rl.tabular import F64, MDP, TabularActorCritic, split
from zoo.optim import NaturalGradient

LOGITS = torch.tensor([0.4, -0.8, 1.1], dtype=F64)
ESTIMATES, EACH = 512, 20  # 10,240 episodes


def exact_values(net):
    """V of the net's policy."""
    probs = net.probs().detach()
    return (probs * MDP.action_values(probs)).sum(1)


def agent(critic):
    """A policy, and a critic that is exact, or wrong by a different amount in every state."""
    net = TabularActorCritic(LOGITS, torch.zeros(3, dtype=F64))
    wrong = torch.tensor([1.0, -2.0, 0.5], dtype=F64)
    net.value_S.data = {"exact": exact_values(net), "wrong": exact_values(net) + wrong, "none": 0 * wrong}[critic]
    return net


def exact_gradient(net):
    (gradient,) = torch.autograd.grad(MDP.expected_return(net.probs()), net.logit_S)
    return gradient


@lru_cache(maxsize=1)
def episodes():
    """All estimators see the same episodes: they are of one policy."""
    probs = agent("none").probs().detach()
    return MDP.episodes(probs.expand(ESTIMATES * EACH, -1, -1), torch.Generator().manual_seed(0))


def estimates(net, samples_of, loss_of):
    """[E, P]: ascent directions, per episode; the losses are means over steps."""
    rollout = episodes()
    samples = samples_of(net, rollout)
    from_N = rollout.valid_TB.flatten().nonzero()[:, 0] % (ESTIMATES * EACH) // EACH  # estimate it belongs to
    found = []
    for chosen_N in from_N.argsort(stable=True).split(torch.bincount(from_N).tolist()):
        (gradient,) = torch.autograd.grad(loss_of(net, samples.take(chosen_N)), net.logit_S)
        found.append(-gradient * len(chosen_N) / EACH)
    return torch.stack(found)


def chunks(net, count, each, generator):
    """`count` rollouts of `each` episodes; drawn all at once."""
    return split(MDP.episodes(net.probs().detach().expand(count * each, -1, -1), generator), each)


def bias_in_standard_errors(estimates_EP, exact_P):
    """Largest over the parameters."""
    error_P = estimates_EP.std(0) / math.sqrt(len(estimates_EP))
    return float(((estimates_EP.mean(0) - exact_P).abs() / error_P).max())


def slope(estimates_EP, exact_P):
    """d log(root-mean-square error) / d log(samples), from the samples of one estimate to those of 16."""
    sizes = [2**k for k in range(5)]
    errors = [(estimates_EP.unflatten(0, (-1, size)).mean(1) - exact_P).square().sum(1).mean().sqrt() for size in sizes]
    x, y = torch.tensor(sizes, dtype=F64).log(), torch.stack(errors).log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


def by(algorithm):
    """(samples, loss) of an algorithm."""
    return algorithm.samples, lambda net, samples: algorithm.loss(net, samples)["policy"]


def by_ratio(loss):
    """(samples, loss of the log ratio and the advantages)."""

    def loss_of(net, samples):
        return loss(net.policy(samples.obs_N).log_prob(samples.actions_N) - samples.log_probs_N, samples.advantages_N)

    return partial(samples_of, gae_lambda=1.0, normalise=False), loss_of


PLAIN, BASELINE = Reinforce(baseline=False, normalise_advantages=False), Reinforce(normalise_advantages=False)
UNBIASED = [
    ("score function", by(PLAIN), "none"),
    ("score function, exact baseline", by(BASELINE), "exact"),
    ("score function, wrong baseline", by(BASELINE), "wrong"),
    ("lambda 1, exact critic", by(A2C(gae_lambda=1.0)), "exact"),
    ("lambda 1, wrong critic", by(A2C(gae_lambda=1.0)), "wrong"),
    ("lambda 0, exact critic", by(A2C(gae_lambda=0.0)), "exact"),
    ("lambda 1/2, exact critic", by(A2C(gae_lambda=0.5)), "exact"),
    ("ratio", by_ratio(surrogate_loss), "exact"),
    ("clipped ratio", by_ratio(lambda log_ratio, gained: clipped_surrogate_loss(log_ratio, gained, 0.2)), "exact"),
]


@pytest.mark.parametrize(("method", "critic"), [row[1:] for row in UNBIASED], ids=[row[0] for row in UNBIASED])
def test_policy_gradients_are_unbiased_and_converge(method, critic):
    net = agent(critic)
    exact_P, found_EP = exact_gradient(net), estimates(net, *method)
    assert bias_in_standard_errors(found_EP, exact_P) < 3
    assert slope(found_EP, exact_P) == pytest.approx(-0.5, abs=0.1)


def test_the_two_exact_gradients_agree():
    """Through the linear system, and by the policy-gradient theorem: sum_s visits(s) sum_a grad pi(a|s) Q(s, a)."""
    net = agent("none")
    probs_SA = net.probs().detach()
    q_SA = MDP.action_values(probs_SA)
    theorem_S = MDP.visits(probs_SA) * probs_SA.prod(1) * (q_SA[:, 1] - q_SA[:, 0])
    torch.testing.assert_close(exact_gradient(net), theorem_S, rtol=1e-12, atol=1e-12)
    assert theorem_S.norm() > 0.3


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5])
def test_a_wrong_critic_biases_the_short_trace(gae_lambda):
    """What lambda trades for less variance; and that 3 standard errors are few enough to see it."""
    net = agent("wrong")
    found_EP = estimates(net, *by(A2C(gae_lambda=gae_lambda)))
    assert bias_in_standard_errors(found_EP, exact_gradient(net)) > 10


def test_a_baseline_and_a_short_trace_lower_the_variance():
    variance = {
        name: float(estimates(agent(critic), *method).var(0).sum())
        for name, method, critic in UNBIASED
        if name in ("score function", "score function, exact baseline", "lambda 0, exact critic")
    }
    assert variance["score function"] > 1.5 * variance["score function, exact baseline"]
    assert variance["score function, exact baseline"] > 1.1 * variance["lambda 0, exact critic"]


def natural_estimate(net, rollout, divergence_of):
    """(F + 0)^-1 g by the optimiser's own step."""
    samples = samples_of(net, rollout, 1.0, normalise=False)
    start_P = net.logit_S.detach().clone()

    def closure():
        log_ratio = net.policy(samples.obs_N).log_prob(samples.actions_N) - samples.log_probs_N
        loss = surrogate_loss(log_ratio, samples.advantages_N)
        if torch.is_grad_enabled():
            (net.logit_S.grad,) = torch.autograd.grad(loss, net.logit_S)
        return loss, lambda: divergence_of(net, samples)

    optimizer = NaturalGradient([net.logit_S], kl=None, damping=0.0, iterations=10, tolerance=1e-12)
    optimizer.step(closure)
    step_P = net.logit_S.detach() - start_P
    net.logit_S.data.copy_(start_P)
    return step_P


def fisher_divergence(net, samples):
    return net.policy(samples.obs_N).kl_from(samples.policy).mean()


def compatible_divergence(net, samples):
    return 0.5 * (net.policy(samples.obs_N).log_prob(samples.actions_N) - samples.log_probs_N).square().mean()


@pytest.mark.parametrize("divergence_of", [fisher_divergence, compatible_divergence], ids=["Fisher", "compatible"])
def test_the_natural_gradient_is_the_advantage(divergence_of):
    """F = diag(visits pi0 pi1) / steps cancels the visits: F^-1 g = (Q1 - Q0) x mean steps of an episode... which is
    divided out again, as the loss is a mean over steps."""
    net = agent("exact")
    q_SA = MDP.action_values(net.probs().detach())
    exact_P = q_SA[:, 1] - q_SA[:, 0]
    generator = torch.Generator().manual_seed(1)
    found_EP = torch.stack(
        [natural_estimate(net, rollout, divergence_of) for rollout in chunks(net, 40, 256, generator)]
    )
    assert bias_in_standard_errors(found_EP, exact_P) < 3
    errors = [
        torch.stack([natural_estimate(net, one, divergence_of) - exact_P for one in chunks(net, 24, each, generator)])
        .square()
        .sum(1)
        .mean()
        .sqrt()
        for each in (64, 1024)
    ]
    assert math.log(errors[1] / errors[0]) / math.log(16) == pytest.approx(-0.5, abs=0.12)


def explorer():
    """A normal distribution over the tables of deterministic policies."""
    net = LinearPolicy(Spaces(gymnasium.spaces.Box(0, 1, (3,)), gymnasium.spaces.Discrete(2))).double()
    net.mean_P.data = torch.tensor([0.3, -0.2, 0.1, 0.5, -0.4, 0.2], dtype=F64)
    net.log_std_P.data = torch.tensor([0.0, -0.3, 0.2, -0.1, 0.1, -0.2], dtype=F64)
    return net


def explored_return(net):
    """E[J(policy)]: action 1 in state s with probability Phi((mu1 - mu0) / sqrt(s0^2 + s1^2)), states independent."""
    mean_SA, variance_SA = net.mean_P.view(3, 2), (2 * net.log_std_P).exp().view(3, 2)
    one_S = torch.special.ndtr((mean_SA[:, 1] - mean_SA[:, 0]) / variance_SA.sum(1).sqrt())
    probs_SA = torch.stack([1 - one_S, one_S], 1)
    return sum(value * probs_SA[range(3), choice].prod() for choice, value in MDP.deterministic())


@pytest.mark.parametrize("count", [4, 16])
def test_parameter_exploration_is_unbiased_and_converges(count):
    """Baseline and mirrored samples included, for mean and standard deviation."""
    net, algorithm = explorer(), PGPE(normalise=False)
    exact_P = torch.cat(torch.autograd.grad(explored_return(net), [net.mean_P, net.log_std_P]))
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    policies = [algorithm.policies(net, count) for _ in range(1024)]
    actions = torch.stack([net.act(net.weights(torch.cat(policies)), one) for one in states(1024 * count)], 1)
    rollout = MDP.episodes(nn.functional.one_hot(actions, 2).to(F64), generator)
    returns = (rollout.rewards_TB * rollout.valid_TB).sum(0).split(count)
    found = []
    for parameters_KP, returns_K in zip(policies, returns, strict=True):
        loss = algorithm.loss(net, algorithm.samples(net, parameters_KP, returns_K))["policy"]
        found.append(-torch.cat(torch.autograd.grad(loss, [net.mean_P, net.log_std_P])))
    found_EP = torch.stack(found)
    assert bias_in_standard_errors(found_EP, exact_P) < 3.2  # the largest of 12
    assert slope(found_EP, exact_P) == pytest.approx(-0.5, abs=0.1)


def states(count):
    """Each state, seen by `count` policies."""
    return torch.eye(3, dtype=F64)[:, None].expand(-1, count, -1)


def test_parameter_exploration_is_sehnkes_rule():
    net, algorithm = explorer(), PGPE(normalise=False)
    parameters_KP = algorithm.policies(net, 6)
    returns_K = torch.tensor([1.0, 4.0, 2.0, -1.0, 0.5, 3.0], dtype=F64)
    loss = algorithm.loss(net, algorithm.samples(net, parameters_KP, returns_K))["policy"]
    mean_P, log_std_P = torch.autograd.grad(loss, [net.mean_P, net.log_std_P])
    noise_KP, std_P = parameters_KP[:3] - net.mean_P.detach(), net.log_std_P.detach().exp()
    torch.testing.assert_close(parameters_KP[3:], net.mean_P.detach() - noise_KP)
    plus_K, minus_K = returns_K.view(2, 3)
    both_K = (plus_K + minus_K) / 2
    baseline_K = (both_K.sum() - both_K) / 2
    torch.testing.assert_close(-mean_P, ((plus_K - minus_K)[:, None] * noise_KP / (2 * std_P**2)).mean(0))
    spread_KP = (noise_KP**2 - std_P**2) / std_P**3
    torch.testing.assert_close(-log_std_P / std_P, ((both_K - baseline_K)[:, None] * spread_KP).mean(0))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_q_learning_has_value_iterations_answer_whatever_the_behaviour(temperature):
    """At Q* the mean TD error of every state and action is zero, off-policy; and it is not at Q of the behaviour."""
    behaviour = TabularActorCritic(temperature * LOGITS, torch.zeros(3, dtype=F64)).probs().detach()
    rollout = MDP.episodes(behaviour.expand(8192, -1, -1), torch.Generator().manual_seed(2))
    for q_SA, zero in ((MDP.optimal_action_values(), True), (MDP.action_values(behaviour), False)):
        q_TBA = rollout.obs_TB @ q_SA
        target_TB = td_targets(
            rollout.rewards_TB.flatten(),
            rollout.discount_TB.flatten(),
            next_values(q_TBA[1:].flatten(0, 1), q_TBA[1:].flatten(0, 1)),
        )
        error_N = target_TB - chosen(q_TBA[:-1].flatten(0, 1), rollout.actions_TB.flatten())
        place_N = rollout.obs_TB[:-1].flatten(0, 1).argmax(-1) * 2 + rollout.actions_TB.flatten()
        valid_N = rollout.valid_TB.flatten()
        scores = []
        for place in range(6):
            errors = error_N[valid_N & (place_N == place)]
            scores.append(abs(float(errors.mean() / (errors.std() / math.sqrt(len(errors))))))
        assert (max(scores) < 3) == zero, scores


def fitted(rollout):
    """Q from which the mean target of every state and action does not differ, by iteration."""
    valid_N, q_SA = rollout.valid_TB.flatten(), torch.zeros(3, 2, dtype=F64)
    place_N = (rollout.obs_TB[:-1].argmax(-1) * 2 + rollout.actions_TB).flatten()[valid_N]
    next_NS = rollout.obs_TB[1:].flatten(0, 1)[valid_N]
    rewards_N, discount_N = rollout.rewards_TB.flatten()[valid_N], rollout.discount_TB.flatten()[valid_N]
    for _ in range(30):
        q_NA = next_NS @ q_SA
        sums = torch.zeros(6, dtype=F64).index_add(
            0, place_N, td_targets(rewards_N, discount_N, next_values(q_NA, q_NA))
        )
        q_SA = (sums / place_N.bincount(minlength=6)).view(3, 2)
    return q_SA


def test_fitted_q_iteration_converges_to_value_iteration():
    """From uniformly random behaviour; 8 times the episodes, 8^-1/2 of the error."""
    generator, errors = torch.Generator().manual_seed(3), []
    for each in (128, 1024):
        whole = MDP.episodes(torch.full((32 * each, 3, 2), 0.5, dtype=F64), generator)
        gaps = torch.stack([fitted(part) - MDP.optimal_action_values() for part in split(whole, each)])
        errors.append(gaps.square().sum((1, 2)).mean().sqrt())
    assert math.log(errors[1] / errors[0]) / math.log(8) == pytest.approx(-0.5, abs=0.1)
    assert errors[1] < 0.1 * MDP.optimal_action_values().norm()
