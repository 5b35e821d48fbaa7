"""ALE/Pong-v5 by DQN on one core: transitions a CPU second once updates run, beside stable-baselines3 in the same run.

Both: four environments, one update of 32 transitions every vector step, no target updates within the measurement.

python tests/benchmarks/rl_pong.py [--seconds S]
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pytorch_lightning import Callback

from tests.benchmarks.results import ROOT, report
from zoo.training.config_cli import make
from zoo.training.configuration import read_yaml

WARMUP, ENVIRONMENTS = 1000, 4


class Meter(Callback):
    """Transitions a CPU second, from the third batch on, until `seconds` have passed."""

    def __init__(self, seconds: float):
        self.seconds, self.start, self.rate = seconds, (0.0, 0), 0.0

    def on_train_batch_end(self, trainer, task, outputs, batch, batch_idx) -> None:
        """Look at the clock."""
        now = time.process_time(), task.environment_steps
        if batch_idx == 2:
            self.start = now
        elif batch_idx > 2 and now[0] - self.start[0] > self.seconds:
            self.rate = (now[1] - self.start[1]) / (now[0] - self.start[0])
            trainer.should_stop = True
            trainer.limit_val_batches = 0


def ours(seconds: float, precision: str) -> float:
    """Transitions a CPU second of `zoo fit rl/pong_dqn`."""
    settings = {"model.warmup": WARMUP, "model.replay.capacity": 10_000, "trainer.precision": precision}
    settings |= {"trainer.threads": 1, "trainer.accelerator": "cpu", "trainer.limit_val_batches": 0}
    tree = read_yaml(Path(ROOT) / "configs" / "rl" / "pong_dqn.yaml")
    parts = make(tree, [(key, str(value)) for key, value in settings.items()])
    meter = Meter(seconds)
    parts.trainer.callbacks.append(meter)
    parts.trainer.fit(parts.task, datamodule=parts.data)
    return meter.rate


def theirs(seconds: float) -> float:
    """The same of stable-baselines3's DQN with its Atari wrappers."""
    import ale_py
    import gymnasium
    from stable_baselines3 import DQN
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)

    class Clock(BaseCallback):
        start: tuple[float, int] | None = None
        rate = 0.0

        def _on_step(self) -> bool:
            now = time.process_time(), self.num_timesteps
            if self.start is None and self.num_timesteps > WARMUP + 3 * ENVIRONMENTS:
                self.start = now
            if self.start and now[0] - self.start[0] > seconds:
                self.rate = (now[1] - self.start[1]) / (now[0] - self.start[0])
                return False
            return True

    made = make_atari_env("ALE/Pong-v5", n_envs=ENVIRONMENTS, env_kwargs={"frameskip": 1})
    clock, options = Clock(), {"buffer_size": 10_000, "learning_starts": WARMUP, "target_update_interval": 10_000}
    agent = DQN("CnnPolicy", VecFrameStack(made, 4), batch_size=32, train_freq=1, device="cpu", **options)
    agent.learn(10**7, callback=clock)
    return clock.rate


def main(seconds: float) -> None:
    """Run and report."""
    torch.set_num_threads(1)
    peer = theirs(seconds)
    for precision in ("auto", "32-true"):
        rate = ours(seconds, precision)
        note = f"{rate:.0f} against {peer:.0f} transitions a CPU second, each measured for {seconds:.0f} s"
        name = "rl/pong_dqn, speed beside stable-baselines3" + (", float32" if precision == "32-true" else "")
        report(name, ">= 1.5 times", [rate / peer], rate >= 1.5 * peer, "times", note)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seconds", type=float, default=60)
    main(words.parse_args().seconds)
