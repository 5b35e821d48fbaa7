"""Rewards scaled by the spread of the discounted return, and figures that stay in the environment's own rewards."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from tasks.rl.environments.environment import Environment
from tasks.rl.reward_scale import RewardScale
from tasks.rl.rollout import Collector
from zoo.cli.main import main
from zoo.training.record import Record


def rollouts(count):
    torch.manual_seed(4)
    environment = Environment("CartPole-v1", count=3, time_limit=17)
    collector = Collector(environment.vector(), environment.spaces, 0.9, 1, environment.id)
    for _ in range(count):
        rollout, _ = collector.collect(lambda obs_B: torch.randint(2, (3,)), 25)
        yield replace(rollout, rewards_TB=torch.randn(25, 3) * 7 * rollout.valid_TB)


def test_the_scale_is_the_standard_deviation_of_all_discounted_returns_so_far():
    scale, seen, running = RewardScale(0.9), [], np.zeros(3)
    for rollout in rollouts(4):
        found = scale(rollout)
        for t in range(25):  # reward by reward, environment by environment
            for b in range(3):
                if not rollout.valid_TB[t, b]:
                    continue
                running[b] = rollout.rewards_TB[t, b].item() + 0.9 * running[b]
                seen.append(running[b])
                if not rollout.continues_TB[t, b]:
                    running[b] = 0.0
        expected = rollout.rewards_TB / np.sqrt(np.var(seen) + 1e-8)
        assert torch.allclose(found.rewards_TB, expected.clamp(-10, 10).float(), rtol=1e-5)
        assert found.rewards_TB.abs().max() < 10 and found.discount_TB is rollout.discount_TB


def test_scaled_rewards_are_clipped():
    first = next(rollouts(1))
    rewards_TB = torch.zeros(25, 3)
    rewards_TB[3, 0] = 1e6
    assert RewardScale(0.9, clip=2.0)(replace(first, rewards_TB=rewards_TB)).rewards_TB.max() == 2.0


@pytest.mark.parametrize("scaled", [True, False])
def test_figures_are_in_true_rewards_and_zoo_test_repeats_them(tmp_path, capsys, scaled):
    recipe = {
        "seed_everything": 1,
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "threads": 1},
        "model": {
            "class_path": "tasks.rl.task.PolicyGradient",
            "init_args": {
                "environment": {"id": "CartPole-v1", "count": 4},
                "net": {
                    "class_path": "tasks.rl.networks.ActorCritic",
                    "init_args": {"hidden_sizes": [8], "normalise_observations": True},
                },
                "algorithm": {"class_path": "tasks.rl.algorithms.PPO", "init_args": {"epochs": 2, "minibatches": 2}},
                "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}},
                "rollout_steps": 32,
                "scale_rewards": scaled,
            },
        },
        "data": {"class_path": "tasks.rl.data.Rollouts", "init_args": {"per_epoch": 3}},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["fit", str(tmp_path / "small.yaml"), "--root", str(tmp_path / "runs")]) == 0
    run = next((tmp_path / "runs").rglob("metrics.json")).parent
    figures = json.loads((run / "metrics.json").read_text())
    assert figures["test/return"] == figures["test/length"] >= 8  # CartPole's reward is 1 a step
    record = Record(run / "record.sqlite")
    for of in ("return", "val/return"):
        pairs = record.series(of)[""].values, record.series(of.replace("return", "length"))[""].values
        assert (pairs[0] == pairs[1]).all() and pairs[0].min() >= 8
    capsys.readouterr()
    # A test may play with another count of environments than the run was trained with.
    assert main(["test", str(run), "--model.environment.count", "2"]) == 0
    assert f"test/return: {figures['test/return']:.4f}" in capsys.readouterr().out
