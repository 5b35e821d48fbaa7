"""HalfCheetah-v5 to 200 thousand steps beside stable-baselines3 and sb3-contrib: greedy returns at the same steps.

python tests/benchmarks/rl_mujoco.py [--seeds N] [--first SEED] [ppo | trpo ...]

The peers have their own default hyper-parameters in 8 environments, and the normalisation of observations and rewards
(VecNormalize) that ours has too.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import curve_of
from tests.benchmarks.seeds import seeds_of, words_of_seeds

EVERY, STEPS, EPISODES = 20_480, 204_800, 5


def peers_returns(name: str, seed: int) -> list[float]:
    """Greedy mean returns at every EVERY steps."""
    from sb3_contrib import TRPO
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import VecNormalize

    environments = VecNormalize(make_vec_env("HalfCheetah-v5", 8, seed=seed))
    judged = VecNormalize(make_vec_env("HalfCheetah-v5", EPISODES, seed=1), training=False, norm_reward=False)
    judged.obs_rms = environments.obs_rms
    model = {"ppo": PPO, "trpo": TRPO}[name]("MlpPolicy", environments, n_steps=256, seed=seed, device="cpu")
    returns = []
    for _ in range(STEPS // EVERY):
        model.learn(EVERY, reset_num_timesteps=False)
        returns.append(float(evaluate_policy(model, judged, EPISODES)[0]))
    return returns


def main(names: list[str], seeds: range) -> None:
    """Run and report the last returns; the curves' means stand in the note."""
    for name in names or ["ppo", "trpo"]:
        ours_SE = np.array([curve_of(f"half_cheetah_{name}", seed).returns for seed in seeds])
        theirs_SE = np.array([peers_returns(name, seed) for seed in seeds])
        ours_E, theirs_E = ours_SE.mean(0), theirs_SE.mean(0)
        note = f"means every {EVERY} steps: ours {ours_E.round().tolist()}, the peer's {theirs_E.round().tolist()}"
        met = bool((ours_E[1:] > theirs_E[1:]).all())
        bar = "above the peer's mean at every evaluation but the first"
        report(f"rl/half_cheetah_{name}, return after {STEPS} steps", bar, ours_SE[:, -1].tolist(), met, "", note, 0)


if __name__ == "__main__":
    words = words_of_seeds(3)
    words.add_argument("names", nargs="*", choices=["ppo", "trpo", []])
    given = words.parse_args()
    main(given.names, seeds_of(given))
