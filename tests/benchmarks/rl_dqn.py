"""DQN on CartPole-v1 over seeds: how steady it is to 50,000 steps, and CPU seconds of training, evaluations not counted.

python tests/benchmarks/rl_dqn.py [--seeds N] [--first SEED] [--peer SEEDS]
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import Curve, curve_of
from tests.benchmarks.seeds import seeds_of, words_of_seeds

LEAST, SHARE, SECONDS, STEPS = 475, 0.8, 25, 50_000


def steadiness(curve: Curve) -> float:
    """Share of the evaluations of the second half with at least 475."""
    second = curve.returns[len(curve.returns) // 2 :]
    return sum(value >= LEAST for value in second) / len(second)


def main(seeds: range) -> None:
    """Run and report."""
    curves = []
    for seed in seeds:
        curves.append(curve_of("cartpole_dqn", seed))
        print(seed, curves[-1].steps[-1], round(curves[-1].seconds[-1], 1), [round(r) for r in curves[-1].returns])
    last = [curve.returns[-1] for curve in curves]
    shares = [steadiness(curve) for curve in curves]
    seconds = [curve.seconds[-1] for curve in curves]
    within = max(curve.steps[-1] for curve in curves) <= STEPS
    note = f"mean of 20 greedy episodes, seeds {seeds[0]} to {seeds[-1]}, {max(c.steps[-1] for c in curves)} steps"
    report("rl/cartpole_dqn, return at the end", f">= {LEAST}", last, within and min(last) >= LEAST, "", note)
    bar = f">= {SHARE} of the second half's evaluations >= {LEAST}"
    report("rl/cartpole_dqn, steadiness", bar, shares, within and min(shares) >= SHARE, "", note)
    report("rl/cartpole_dqn, CPU seconds", f"<= {SECONDS} s", seconds, max(seconds) <= SECONDS, "s", note)


def peer_curve(seed: int) -> Curve:
    """stable-baselines3's DQN with the settings that rl-baselines3-zoo tuned for CartPole-v1."""
    import gymnasium
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    torch.set_num_threads(1)
    options = {"learning_rate": 2.3e-3, "batch_size": 64, "buffer_size": 100_000, "learning_starts": 1000}
    options |= {"gamma": 0.99, "target_update_interval": 10, "train_freq": 256, "gradient_steps": 128}
    options |= {"exploration_fraction": 0.16, "exploration_final_eps": 0.04, "policy_kwargs": {"net_arch": [256, 256]}}
    agent = DQN("MlpPolicy", gymnasium.make("CartPole-v1"), seed=seed, device="cpu", **options)
    judge = Monitor(gymnasium.make("CartPole-v1"))

    class Judge(BaseCallback):
        curve, started = Curve(), time.process_time()

        def _on_step(self) -> bool:
            if self.num_timesteps % (STEPS // 20) == 0:
                self.curve.seconds.append((self.curve.seconds or [0.0])[-1] + time.process_time() - self.started)
                self.curve.steps.append(self.num_timesteps)
                self.curve.returns.append(float(evaluate_policy(self.model, judge, 20)[0]))
                self.started = time.process_time()
            return True

    watch = Judge()
    agent.learn(STEPS, callback=watch)
    return watch.curve


def peer(seeds: range) -> None:
    """Run and report the peer."""
    curves = [peer_curve(seed) for seed in seeds]
    shares, seconds = [steadiness(curve) for curve in curves], [curve.seconds[-1] for curve in curves]
    note = f"return at the end {[round(c.returns[-1]) for c in curves]}, {min(seconds):.0f} to {max(seconds):.0f} CPU s"
    report("stable-baselines3 DQN on CartPole-v1, steadiness", "none: a peer", shares, True, "", note)


if __name__ == "__main__":
    words = words_of_seeds(10)
    words.add_argument("--peer", type=int, default=0, help="seeds of stable-baselines3 beside ours")
    given = words.parse_args()
    if given.seeds:
        main(seeds_of(given))
    if given.peer:
        peer(range(given.first, given.first + given.peer))
