"""Deep Q-learning (Mnih et al. 2015), with double and distributional targets.

Legend: N = transitions, A = actions, Z = atoms of a return distribution.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.rl.agent import Agent
from tasks.rl.networks.q_network import QNetwork
from tasks.rl.q_losses import chosen, cross_entropy, huber, next_values, projected, td_targets
from tasks.rl.q_samples import QSamples
from tasks.rl.replay.transitions import Transitions
from zoo.errors import InputError


@dataclass(frozen=True)
class DQN:
    """The clipped error of Q(s, a) against r + discount max_a' Q_target(s', a').

    Args:
        double: the trained net selects a', the target net says its worth (van Hasselt, Guez and Silver 2016).
        error_clip: errors beyond it have a linear loss, hence a clipped gradient; a linear loss learns the median
            return, which is blind to a rare fall. None leaves the squared error.
    """

    double: bool = False
    error_clip: float | None = 1.0

    def __post_init__(self):
        if self.error_clip is not None and self.error_clip <= 0:
            raise InputError(
                f"model.algorithm.error_clip: expected above 0 or null, got {self.error_clip}; mend the recipe"
            )

    def refuse_unfit(self, net: nn.Module, n_step: int) -> None:
        """Raise unless the net gives plain Q-values."""
        if not isinstance(net, QNetwork) or net.atoms:
            raise InputError(
                f"model.algorithm: expected a QNetwork without atoms for DQN, got {described(net)}; "
                "set model.net.atoms to 0 or take CategoricalDQN"
            )

    def agent(self, net: nn.Module) -> Agent:
        """argmax_a Q."""
        return agent_of_values(net)

    @torch.no_grad()
    def samples(self, net: nn.Module, target: nn.Module, transitions: Transitions) -> QSamples:
        """Transitions with their targets."""
        next_obs_N = transitions.next_obs_N
        q_NA = target(next_obs_N)
        best_N = next_values(q_NA, net(next_obs_N)) if self.double else q_NA.amax(1)
        targets_N = td_targets(transitions.rewards_N, transitions.discount_N, best_N)
        return QSamples(transitions, targets_N)

    def terms_and_errors(self, net: nn.Module, samples: QSamples) -> tuple[dict[str, Tensor], Tensor]:
        """The loss, and errors [N] by which transitions are replayed."""
        errors_N = chosen(net(samples.transitions.obs_N), samples.transitions.actions_N) - samples.targets_N
        return {"value": (samples.transitions.weights_N * huber(errors_N, self.error_clip)).mean()}, errors_N.detach()


@dataclass(frozen=True)
class CategoricalDQN:
    """C51: the cross-entropy to the projected distribution of r + discount Z(s', a') (Bellemare et al. 2017).

    Args:
        double: the trained net selects a'.
    """

    double: bool = False

    def refuse_unfit(self, net: nn.Module, n_step: int) -> None:
        """Raise unless the net gives distributions."""
        if not isinstance(net, QNetwork) or not net.atoms:
            raise InputError(
                f"model.algorithm: expected a QNetwork with atoms for CategoricalDQN, got {described(net)}; "
                "set model.net.atoms to 51 or take DQN"
            )

    def agent(self, net: nn.Module) -> Agent:
        """argmax_a of the mean return."""
        return agent_of_values(net)

    @torch.no_grad()
    def samples(self, net: nn.Module, target: nn.Module, transitions: Transitions) -> QSamples:
        """Transitions with the distributions that they should have."""
        probs_NAZ = target.log_probs(transitions.next_obs_N).exp()
        selecting_NA = net(transitions.next_obs_N) if self.double else probs_NAZ @ target.support
        probs_NZ = chosen(probs_NAZ, selecting_NA.argmax(1))
        targets_NZ = projected(transitions.rewards_N, transitions.discount_N, probs_NZ, target.support)
        return QSamples(transitions, targets_NZ)

    def terms_and_errors(self, net: nn.Module, samples: QSamples) -> tuple[dict[str, Tensor], Tensor]:
        """The loss; cross-entropies stand for errors, as in Rainbow (Hessel et al. 2018)."""
        log_probs_NZ = chosen(net.log_probs(samples.transitions.obs_N), samples.transitions.actions_N)
        losses_N = cross_entropy(log_probs_NZ, samples.targets_N)
        return {"value": (samples.transitions.weights_N * losses_N).mean()}, losses_N.detach()


def described(net: nn.Module) -> str:
    """Class of a net, and its atoms where it has any."""
    atoms = getattr(net, "atoms", 0)
    return type(net).__name__ + (f" with {atoms} atoms" if atoms else "")


def agent_of_values(net: nn.Module) -> Agent:
    """The agent of Q-values [N, A]; an action is taken for what its value has above the others', not for all of it."""

    def advantage(obs: Tensor, actions: Tensor) -> Tensor:
        q_NA = net(obs)
        return (chosen(q_NA, actions) - q_NA.mean(1))[:, None]

    return Agent(
        act=lambda obs: net(obs).argmax(1),
        scores=advantage,
        score_names=("Q of the action taken above the mean of all",),
        value=lambda obs: net(obs).amax(1),
    )
