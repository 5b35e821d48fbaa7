"""Lightning's share of an agent's training, the monitor's and that of the agent's own readings: a Trainer against a
bare loop with the same learning. The agent's readings (entropy, KL, explained variance, the gradient's quality) are
passes over the rollout that any loop would pay for.

python tests/benchmarks/rl_trainer.py
"""

import logging
import statistics
import sys
import time
import warnings
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tasks.rl.algorithms import PPO
from tasks.rl.data import Rollouts
from tasks.rl.environments.environment import Environment
from tasks.rl.networks import ActorCritic
from tasks.rl.task import PolicyGradient
from tests.benchmarks.results import report
from zoo.training.trainer import Trainer

ROLLOUTS = 100


class Unwatched(PolicyGradient):
    """Lightning alone: no reading of gradients or loss terms."""

    def watched_loss(self, batch, terms_of):
        """The loss."""
        return sum(terms_of().values())

    def on_before_optimizer_step(self, optimizer):
        """A closed door."""


class Unread(Unwatched):
    """No reading of the agent either: what learns, and Lightning."""

    def __init__(self, *args, **options):
        super().__init__(*args, gradient_quality_every=0, **options)

    def _read(self, samples, episodes):
        """None."""


def agent(kind: type[PolicyGradient]) -> PolicyGradient:
    """The task of configs/rl/cartpole.yaml."""
    torch.manual_seed(0)
    optimizer = partial(torch.optim.Adam, lr=5e-3, fused=True)
    net = partial(ActorCritic, hidden_sizes=[32, 32])
    return kind(Environment("CartPole-v1", count=64), net, PPO(), optimizer, rollout_steps=32, discount=0.98)


def by_trainer(kind: type[PolicyGradient] = PolicyGradient) -> tuple[float, torch.Tensor]:
    """CPU seconds of a fit, and the parameters it ends with."""
    task = agent(kind)
    trainer = Trainer(max_epochs=1, threads=1, limit_val_batches=0, logger=False)
    start = time.process_time()
    trainer.fit(task, Rollouts(ROLLOUTS).train_dataloader())
    return time.process_time() - start, torch.nn.utils.parameters_to_vector(task.net.parameters()).detach()


def by_bare_loop() -> tuple[float, torch.Tensor]:
    """The same without Trainer and monitor."""
    task = agent(PolicyGradient)
    optimizer = torch.optim.Adam(task.net.parameters(), lr=5e-3, fused=True)
    start = time.process_time()
    task.make_collector()
    for _ in range(ROLLOUTS):
        rollout, _ = task.collector.collect(task.sampled_actions, task.rollout_steps)
        samples = task.algorithm.samples(task.net, rollout)
        for minibatch in task.algorithm.minibatches_of(samples):
            optimizer.zero_grad()
            sum(task.loss(task.net, minibatch).values()).backward()
            optimizer.step()
    return time.process_time() - start, torch.nn.utils.parameters_to_vector(task.net.parameters()).detach()


def main(repetitions: int = 7) -> None:
    """Run and report."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    same = torch.equal(by_bare_loop()[1], by_trainer()[1])
    bits = "parameters bit for bit those of the bare loop" if same else "PARAMETERS DIFFER from the bare loop's"
    kinds = (Unread, Unwatched, PolicyGradient)
    runs = [(by_bare_loop()[0], *(by_trainer(kind)[0] for kind in kinds)) for _ in range(repetitions)]
    for i, name in enumerate(("Lightning's share", "the share of the agent's own readings", "the monitor's share")):
        shares = [100 * (run[i + 1] - run[i]) / run[-1] for run in runs]
        middle = statistics.median(shares)
        note = f"PPO, CartPole, {ROLLOUTS} rollouts of 2,048 steps, median {middle:.1f}, {bits}"
        bar, met = ("<= 3 %, same bits", middle <= 3 and same) if i == 0 else ("none: beside it", True)
        report(f"rl, {name}", bar, shares, met, "%", note)


if __name__ == "__main__":
    main()
