"""`zoo play RUN`: watch an agent in its environment, and know how good it is."""

import argparse
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.errors import InputError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise InputError(f"zoo play: expected its options, got {message}; `zoo play --help` lists them")


def _parser() -> _Parser:
    parser = _Parser(
        "zoo play", description="Play episodes with a trained agent; actions are greedy.", allow_abbrev=False
    )
    parser.add_argument("run", help="a run's folder, a checkpoint, or a recipe's name for its newest run")
    parser.add_argument("--env", metavar="ID", help="another environment with the same spaces")
    parser.add_argument("--episodes", type=int, default=20, help="how many (20)")
    parser.add_argument("--render", choices=("human", "none"), default="none", help="open a window")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write a video, *.mp4 or *.gif")
    parser.add_argument("--filmed", type=int, default=1, help="episodes in the video, the first ones (1)")
    parser.add_argument("--sample", action="store_true", help="draw actions from the policy instead of greedy ones")
    parser.add_argument("--seed", type=int, default=0, help="episode i starts from seed + i (0)")
    parser.add_argument("--root", default="runs", help="folder of all runs (runs)")
    return parser


def run(arguments: list[str]) -> int:
    """Play, print and, if asked, film; further `--key value` pairs change the run's configuration."""
    options, rest = _parser().parse_known_args(arguments)
    _refuse_counts(options)
    if options.record is not None:
        from tasks.rl.pages.video import refuse_path

        refuse_path(options.record)
    if options.render == "human":
        from tasks.rl.pages.drawing import refuse_no_display

        refuse_no_display()
    from zoo.training.configuration import pairs
    from zoo.training.runs import read_run

    task = read_run(options.run, pairs(rest), options.root).task
    if not hasattr(task, "agent"):
        raise InputError(f"zoo play: expected a run of an agent, got one of {type(task).__name__}; see `zoo list`")
    environment = task.environment
    if options.env is not None:
        environment = replace(environment, id=options.env)
        refuse_other_spaces(task.environment, environment)
    returns, lengths = _played(environment, task.agent(), options)
    how = "drawn" if options.sample else "greedy"
    print("\n".join(summary(environment.id, how, np.array(returns), np.array(lengths))))
    if options.record is not None:
        print(f"video:  {options.record}")
    return 0


def _played(environment, agent, options: argparse.Namespace) -> tuple[list[float], list[int]]:
    import torch

    from tasks.rl.pages.drawing import drawn, frame_of
    from tasks.rl.pages.episode import episode
    from tasks.rl.pages.video import video

    act = agent.sample if options.sample else agent.act
    if act is None:
        raise InputError("--sample: expected an agent with a distribution over actions, got a greedy one; leave it out")
    torch.manual_seed(options.seed)
    mode = "human" if options.render == "human" else "rgb_array" if options.record else None
    returns, lengths = [], []
    with drawn(environment, mode) as single:
        rate = single.metadata.get("render_fps") or 30
        with video(options.record, rate) if options.record else nullcontext() as film:
            for i in range(options.episodes):
                filming = film is not None and i < options.filmed
                watch = (lambda step: film.add(frame_of(single))) if filming else (lambda step: None)
                one = episode(single, environment.spaces, act, options.seed + i, watch)
                returns.append(float(one.rewards_T.sum()))
                lengths.append(len(one))
                if sys.stdout.isatty():
                    print(f"episode {i + 1}: return {returns[-1]:.5g}, {lengths[-1]} steps", flush=True)
    return returns, lengths


def summary(name: str, how: str, returns_E: np.ndarray, lengths_E: np.ndarray) -> list[str]:
    """Lines on the returns and lengths of episodes."""
    from tasks.rl.pages.interval import t_interval

    count = len(returns_E)
    low, high = t_interval(returns_E)
    spread = f", standard deviation {np.std(returns_E, ddof=1):.5g}" if count > 1 else ""
    interval = f", 95 % interval of the mean {low:.5g} to {high:.5g} (Student's t)" if count > 1 else ""
    return [
        f"{name}: {count} episode{'s' if count > 1 else ''}, {how} actions",
        f"return: mean {returns_E.mean():.5g}{spread}{interval}",
        f"        least {returns_E.min():.5g}, median {np.median(returns_E):.5g}, greatest {returns_E.max():.5g}",
        f"length: mean {lengths_E.mean():.5g}, {lengths_E.min()} to {lengths_E.max()} steps",
    ]


def _refuse_counts(options: argparse.Namespace) -> None:
    for name in ("episodes", "filmed"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name}: expected 1 or more, got {getattr(options, name)}; mend the command")
    if options.seed < 0:
        raise InputError(f"--seed: expected 0 or more, got {options.seed}; mend the command")
    if options.render == "human" and options.record is not None:
        raise InputError("--record: expected --render none beside it, got human; gymnasium draws one or the other")
    if options.filmed > 1 and options.record is None:
        raise InputError(f"--filmed: expected --record FILE beside it, got {options.filmed} alone; name a file")


def refuse_other_spaces(trained, asked) -> None:
    """A net fits the spaces it was made for.

    Raises:
        InputError: observations or actions are others.
    """
    for what in ("observation", "action"):
        ours, theirs = getattr(trained.spaces, what), getattr(asked.spaces, what)
        same = type(ours) is type(theirs) and ours.shape == theirs.shape and ours.dtype == theirs.dtype
        if not same or _choices(ours) != _choices(theirs):
            raise InputError(
                f"--env: expected the {what} space of {trained.id}, {_short(ours)}, got {_short(theirs)} of "
                f"{asked.id}; play the run in an environment with the same spaces"
            )


def _choices(space) -> str:
    return str(getattr(space, "n", getattr(space, "nvec", None)))


def _short(space) -> str:
    choices = getattr(space, "n", getattr(space, "nvec", None))
    return f"{type(space).__name__}({choices if choices is not None else list(space.shape)})"
