"""stable-baselines3's PPO on CartPole-v1 beside ours, in one run: CPU seconds to a mean of 475, three evaluations in a row.

python tests/benchmarks/rl_peer.py [--seeds N]

The peer has the settings of rl-baselines3-zoo for CartPole; both are judged by the same 20 greedy episodes, not counted.
"""

import argparse
import logging
import statistics
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tasks.rl.environments import Environment
from tasks.rl.evaluation import played
from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import Curve, curve_of

EVERY, MOST, LEAST = 6_144, 100_000, 475.0  # ours is judged every 6,144 steps, too


def peers_seconds(seed: int) -> float:
    """CPU seconds of training until the third evaluation in a row; infinity where it does not get there."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    settings = {"n_steps": 32, "batch_size": 256, "n_epochs": 20, "gamma": 0.98, "gae_lambda": 0.8}
    model = PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", 8, seed=seed),
        learning_rate=lambda left: 1e-3 * left,
        clip_range=lambda left: 0.2 * left,
        seed=seed,
        device="cpu",
        **settings,
    )
    curve, spent, environment = Curve(), 0.0, Environment("CartPole-v1")
    model._setup_learn(MOST)
    while model.num_timesteps < MOST and curve.solved_at(LEAST) is None:
        started = time.process_time()
        reached = model.num_timesteps + EVERY
        while model.num_timesteps < reached:
            model.collect_rollouts(model.env, _silent(model), model.rollout_buffer, model.n_steps)
            model._update_current_progress_remaining(model.num_timesteps, MOST)
            model.train()
        spent += time.process_time() - started

        def act(obs: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(model.predict(obs.numpy(), deterministic=True)[0])

        curve.returns.append(float(played(environment, act, 20, 1).returns_E.mean()))
    return spent if curve.solved_at(LEAST) is not None else float("inf")


def _silent(model):
    from stable_baselines3.common.callbacks import ConvertCallback
    from stable_baselines3.common.logger import Logger

    model.set_logger(Logger(None, []))
    callback = ConvertCallback(lambda *_: True)
    callback.init_callback(model)
    return callback


def main(seeds: int) -> None:
    """Run and report."""
    torch.set_num_threads(1)
    theirs = [peers_seconds(seed) for seed in range(seeds)]
    curves = [curve_of("cartpole", seed, {}, LEAST) for seed in range(seeds)]
    found = [(curve, curve.solved_at(LEAST)) for curve in curves]
    ours = [c.seconds[i + 2] if i is not None else float("inf") for c, i in found]
    ratio = statistics.median(theirs) / statistics.median(ours)
    shown = ", ".join(f"{seconds:.2g}" for seconds in theirs)
    note = f"medians; ours {statistics.median(ours):.2g} s, the peer's {shown} s, seeds 0-{seeds - 1}"
    report("rl/cartpole, PPO of stable-baselines3 over ours, CPU seconds", ">= 2", [ratio], ratio >= 2, "x", note)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=5)
    main(words.parse_args().seeds)
