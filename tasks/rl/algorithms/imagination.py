"""NAF with imagination rollouts: transitions that a learned model makes up around real ones (Gu et al. 2016, sec. 5).

Legend: N = real transitions, M = imagined ones.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tasks.rl.agent import Agent
from tasks.rl.algorithms.naf import NAF
from tasks.rl.networks.dynamics import NAFWithModel
from tasks.rl.q_samples import QSamples
from tasks.rl.replay.transitions import Transitions
from zoo.errors import InputError


@dataclass(frozen=True)
class ImaginedNAF:
    """NAF on real transitions and on short rollouts of its own noisy policy from the same states in a learned model.

    Gu et al. refit linear models along recent paths and keep imagined steps in a second memory; here a net learns from
    the whole memory, and each batch imagines anew.

    Args:
        horizon: steps of an imagined rollout.
        noise: standard deviation of its actions around mu, in units in which the action range is [-1, 1]. Wide noise
            shows Q the whole range; with 0.3 mu went to the edge of its tanh and stayed there.
    """

    horizon: int = 2
    noise: float = 1.0

    def __post_init__(self):
        if self.horizon < 1 or self.noise < 0:
            raise InputError(
                f"model.algorithm: expected horizon >= 1 and noise >= 0, got {self.horizon} and {self.noise}; mend it"
            )

    def refuse_unfit(self, net: nn.Module, n_step: int) -> None:
        """Raise unless there is a model, and single steps to learn it from."""
        if not isinstance(net, NAFWithModel):
            raise InputError(
                f"model.net: expected NAFWithModel to imagine in, got {type(net).__name__}; mend the recipe"
            )
        if n_step > 1:
            raise InputError(
                f"model.replay.n_step: expected 1, since a model learns single steps, got {n_step}; mend it"
            )

    def agent(self, net: nn.Module) -> Agent:
        """The NAF's."""
        return NAF().agent(net.naf)

    @torch.no_grad()
    def samples(self, net: nn.Module, target: nn.Module, transitions: Transitions) -> QSamples:
        """Real and imagined transitions with their targets."""
        every = (transitions, *self.imagined(net, transitions.obs_N))
        real, *imagined = (NAF().samples(net.naf, target.naf, one) for one in every)
        return replace(real, imagined=imagined)

    @torch.no_grad()
    def imagined(self, net: nn.Module, obs_N: Tensor) -> list[Transitions]:
        """`horizon` steps in the model from the given observations."""
        made = []
        for _ in range(self.horizon):
            best_NA = net.naf.best(obs_N)
            actions_NA = (best_NA + self.noise * torch.randn_like(best_NA)).clamp(-1, 1)
            next_obs_N, rewards_N, discount_N = net.model(obs_N, actions_NA)
            ones_N = torch.ones_like(rewards_N)
            made.append(Transitions(obs_N, actions_NA, rewards_N, discount_N, next_obs_N, ones_N, ones_N))
            obs_N = next_obs_N
        return made

    def terms_and_errors(self, net: nn.Module, samples: QSamples) -> tuple[dict[str, Tensor], Tensor]:
        """Terms value and model; errors of the real transitions."""
        terms, errors_N = NAF().terms_and_errors(net.naf, samples.joined())
        terms["model"] = net.model.losses(samples.transitions).mean()
        return terms, errors_N[: len(samples.targets_N)]
