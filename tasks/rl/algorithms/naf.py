"""Continuous Q-learning with normalised advantage functions (Gu, Lillicrap, Sutskever and Levine 2016)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.rl.agent import Agent
from tasks.rl.networks.naf import NAF as NAFNetwork
from tasks.rl.q_losses import td_targets
from tasks.rl.q_samples import QSamples
from tasks.rl.replay.transitions import Transitions
from zoo.errors import InputError


@dataclass(frozen=True)
class NAF:
    """Half the squared error of Q(s, a) against r + discount V_target(s')."""

    def refuse_unfit(self, net: nn.Module, n_step: int) -> None:
        """Raise unless the net knows its best action."""
        if not isinstance(net, NAFNetwork):
            raise InputError(
                f"model.algorithm: expected the net tasks.rl.networks.NAF, got {type(net).__name__}; mend model.net"
            )

    def agent(self, net: nn.Module) -> Agent:
        """mu(s) and V(s)."""
        names = tuple(f"action {a}" for a in range(net.size))
        return Agent(net.best, lambda obs, actions: net.best(obs), names, value=net.value)

    @torch.no_grad()
    def samples(self, net: nn.Module, target: nn.Module, transitions: Transitions) -> QSamples:
        """Transitions with their targets."""
        targets_N = td_targets(transitions.rewards_N, transitions.discount_N, target.value(transitions.next_obs_N))
        return QSamples(transitions, targets_N)

    def terms_and_errors(self, net: nn.Module, samples: QSamples) -> tuple[dict[str, Tensor], Tensor]:
        """The loss, and errors [N] by which transitions are replayed."""
        errors_N = net(samples.transitions.obs_N, samples.transitions.actions_N) - samples.targets_N
        return {"value": 0.5 * (samples.transitions.weights_N * errors_N.square()).mean()}, errors_N.detach()
