"""A Markov decision process of three states whose values and gradients are known exactly, and ways to sample it.

Legend: S = states, A = actions, T = steps, B = episodes side by side. Every step ends the episode with a probability of
at least 0.2, so that gamma = 1 and the visits of states need no discount.
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from tasks.rl.distributions import Categorical
from tasks.rl.rollout import Rollout

F64 = torch.float64
STEPS = 80  # 0.8^80 = 2e-8: no episode is longer


@dataclass(frozen=True)
class Tabular:
    """next_SAS[s, a, s'] = P(s' | s, a), less than 1 in sum: what is missing is the probability to terminate."""

    next_SAS: Tensor
    rewards_SA: Tensor
    start_S: Tensor

    def action_values(self, probs_SA: Tensor) -> Tensor:
        """Q of a policy, by the linear system of its state values."""
        among_SS = torch.einsum("sa,sat->st", probs_SA, self.next_SAS)
        values_S = torch.linalg.solve(torch.eye(len(among_SS), dtype=F64) - among_SS, self.reward(probs_SA))
        return self.rewards_SA + self.next_SAS @ values_S

    def reward(self, probs_SA: Tensor) -> Tensor:
        """Expected reward of a state."""
        return (probs_SA * self.rewards_SA).sum(1)

    def visits(self, probs_SA: Tensor) -> Tensor:
        """Expected visits of each state in an episode."""
        among_SS = torch.einsum("sa,sat->st", probs_SA, self.next_SAS)
        return torch.linalg.solve((torch.eye(len(among_SS), dtype=F64) - among_SS).t(), self.start_S)

    def expected_return(self, probs_SA: Tensor) -> Tensor:
        """J, differentiable in the policy."""
        return self.start_S @ (probs_SA * self.action_values(probs_SA)).sum(1)

    def optimal_action_values(self) -> Tensor:
        """Q*, by value iteration to rounding."""
        q_SA = torch.zeros_like(self.rewards_SA)
        for _ in range(300):
            q_SA = self.rewards_SA + self.next_SAS @ q_SA.amax(1)
        return q_SA

    def deterministic(self) -> list[tuple[tuple[int, ...], Tensor]]:
        """Every deterministic policy with its J."""
        states, actions = self.rewards_SA.shape
        choices = product(range(actions), repeat=states)
        return [
            (one, self.expected_return(nn.functional.one_hot(torch.tensor(one), actions).to(F64))) for one in choices
        ]

    def episodes(self, probs_BSA: Tensor, generator: torch.Generator) -> Rollout:
        """One whole episode each of B policies; steps after its end are not valid.

        Observations are one-hot, so that linear nets are tables.
        """
        count, states = len(probs_BSA), len(self.start_S)
        every = torch.arange(count)
        state_B = torch.multinomial(self.start_S, count, replacement=True, generator=generator)
        alive_B = torch.ones(count, dtype=torch.bool)
        # The last column of the transitions is the end.
        ending_SAS = torch.cat([self.next_SAS, 1 - self.next_SAS.sum(2, keepdim=True)], 2)
        rows = {name: [] for name in ("state", "action", "reward", "discount", "valid")}
        for _ in range(STEPS):
            action_B = torch.multinomial(probs_BSA[every, state_B], 1, generator=generator)[:, 0]
            next_B = torch.multinomial(ending_SAS[state_B, action_B], 1, generator=generator)[:, 0]
            goes_on_B = next_B < states
            for name, row in zip(
                rows,
                (state_B, action_B, self.rewards_SA[state_B, action_B], goes_on_B.to(F64), alive_B),
                strict=True,
            ):
                rows[name].append(row)
            alive_B, state_B = alive_B & goes_on_B, next_B.clamp(max=states - 1)
        assert not alive_B.any()
        seen_TB = nn.functional.one_hot(torch.stack([*rows["state"], state_B]), states).to(F64)
        discount_TB = torch.stack(rows["discount"])
        return Rollout(
            seen_TB,
            torch.stack(rows["action"]),
            torch.stack(rows["reward"]),
            discount_TB,
            discount_TB.clone(),
            torch.stack(rows["valid"]),
        )


def split(rollout: Rollout, each: int) -> list[Rollout]:
    """The same episodes, `each` in a rollout."""
    columns = [name for name, value in vars(rollout).items() if value is not None]
    parts = zip(*(getattr(rollout, name).split(each, 1) for name in columns), strict=True)
    return [Rollout(**dict(zip(columns, part, strict=True))) for part in parts]


MDP = Tabular(
    next_SAS=torch.tensor(
        [[[0.1, 0.6, 0.1], [0.5, 0.0, 0.3]], [[0.2, 0.2, 0.4], [0.0, 0.7, 0.1]], [[0.3, 0.3, 0.1], [0.0, 0.2, 0.4]]],
        dtype=F64,
    ),
    rewards_SA=torch.tensor([[1.0, -0.5], [0.3, 2.0], [-1.0, 0.7]], dtype=F64),
    start_S=torch.tensor([0.5, 0.2, 0.3], dtype=F64),
)


class TabularActorCritic(nn.Module):
    """One logit a state (that of action 1; action 0 has logit 0) and one value a state."""

    def __init__(self, logit_S: Tensor, value_S: Tensor):
        super().__init__()
        self.logit_S, self.value_S = nn.Parameter(logit_S.clone()), nn.Parameter(value_S.clone())

    def policy(self, obs_NS: Tensor) -> Categorical:
        logit_N = obs_NS @ self.logit_S
        return Categorical(torch.stack([torch.zeros_like(logit_N), logit_N], -1))

    def value(self, obs_NS: Tensor) -> Tensor:
        return obs_NS @ self.value_S

    def policy_and_value(self, obs_NS: Tensor) -> tuple[Categorical, Tensor]:
        return self.policy(obs_NS), self.value(obs_NS)

    def probs(self) -> Tensor:
        """pi as a table [S, A], differentiable."""
        return self.policy(torch.eye(len(self.logit_S), dtype=F64)).logits_NA.softmax(-1)
