"""The check by brute force: gradients of many rollouts of one policy, against what single rollouts say of themselves.

Legend: M = rollouts, P = parameters.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tasks.rl.gradient_quality import policy_gradient_noise, term_gradient
from tasks.rl.memory import remembers
from tasks.rl.rollout import Collector
from zoo.errors import InputError
from zoo.probes.batch_gradients import GradientNoise, cosine_to_others, gradient_noise, pooled
from zoo.reports import Figure, Section, Table, line_chart

if TYPE_CHECKING:
    from tasks.rl.on_policy import PolicyGradient


@dataclass(frozen=True)
class ManyRollouts:
    """Gradients of the policy's term, one a rollout, and what each rollout said of its own; steps in one rollout."""

    gradients_MP: Tensor
    own: list[GradientNoise]
    steps: float


def many_rollouts(task: "PolicyGradient", count: int, seed: int) -> ManyRollouts:
    """Collect `count` rollouts of the policy as it is, after a quarter as many that leave the starts of episodes."""
    environments = task.environment.vector()
    collector = Collector(environments, task.environment.spaces, task.discount, seed, task.environment.id)
    gradients, own, scale = [], [], deepcopy(task.reward_scale)
    try:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            for _ in range(count // 4):
                collector.collect(task.sampled_actions, task.rollout_steps)
            before = collector.steps
            for _ in range(count):
                rollout, _ = collector.collect(task.sampled_actions, task.rollout_steps)
                rollout = rollout if scale is None else scale(rollout)
                samples = task.algorithm.samples(task.net, rollout)
                gradients.append(term_gradient(task.net, task.loss, samples))
                own.append(policy_gradient_noise(task.net, task.loss, rollout, samples))
    finally:
        environments.close()
    return ManyRollouts(torch.stack(gradients), own, (collector.steps - before) / count)


def large_batch_section(task: "PolicyGradient", count: int, seed: int) -> Section:
    """Signal-to-noise and cosine of one rollout, estimated from within it and measured against `count` others."""
    if count < 4:
        raise InputError(f"--rollouts: expected 4 or more, got {count}; 64 make a large batch")
    if remembers(task.net):
        raise InputError("--rollouts: expected a net without memory, whose samples stand alone, got one; leave it out")
    found = many_rollouts(task, count, seed)
    within = pooled(found.own)
    mean = gradient_noise(found.gradients_MP)
    between = GradientNoise(mean.signal, mean.noise * count)  # of one rollout, not of all
    actual = float(cosine_to_others(found.gradients_MP).mean())
    rows = [
        ["within rollouts", float(within.ratio), float(within.cosine(count - 1))],
        ["between rollouts", float(between.ratio), float(between.cosine(count - 1))],
        ["actual cosine", "", actual],
    ]
    columns = ["estimate", "signal-to-noise of a rollout", f"cosine to the mean of {count - 1} others"]
    table = Table(columns, rows)
    lead = (
        f"{count} rollouts of about {found.steps:,.0f} steps by the policy as it is. A rollout says of itself "
        f"{float(within.cosine(count - 1)):.3f}, and stands at {actual:.3f} to the mean of the others."
    )
    if within.ratio > 3 * between.ratio:
        lead += (
            " What rollouts say of themselves is too good: their environments are in step, at like places of their "
            "episodes, and stray together from one rollout to the next."
        )
    chart = line_chart(
        enlarged(found, between), "environment steps in the batch", "cosine",
        caption="What a larger batch would buy: cosine of its gradient to the true one.",
    )  # fmt: skip
    data = {"within": float(within.ratio), "between": float(between.ratio), "cosine": actual}
    return Section("The gradient against a large batch", lead, [Figure(table.html(), table=table), chart], data)


def enlarged(found: ManyRollouts, between: GradientNoise) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lines over batches of 1, 2, 4 ... rollouts: actual cosines to the mean of all others, and the formula's."""
    count = len(found.gradients_MP)
    sizes = [2**i for i in range(count.bit_length()) if 2 ** (i + 1) <= count]
    actual, formula = [], []
    for size in sizes:
        groups = found.gradients_MP[: count // size * size].view(-1, size, found.gradients_MP.shape[1]).mean(1)
        rest = (found.gradients_MP.sum(0) - size * groups) / (count - size)
        actual.append(float(torch.nn.functional.cosine_similarity(groups, rest, dim=1).mean()))
        formula.append(float(GradientNoise(between.signal, between.noise / size).cosine()))
    x = found.steps * np.array(sizes)
    return {
        "to the mean of the others": (x, np.array(actual)),
        "to the true gradient, by the formula": (x, np.array(formula)),
    }
