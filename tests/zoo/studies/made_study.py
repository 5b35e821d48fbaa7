"""A study whose truth is known: level B is better by 2 points, C by nothing, and no training takes place."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.studies import Claim, Conclusion, Factor, Level, Study

TRUTH = {"A": 0.0, "B": 0.02, "C": 0.0, "D": -0.03}
CONCLUSIONS = (
    Conclusion("B beats A", every=(Claim("letter", "B", "A", low=0),)),
    Conclusion("B is worse", every=(Claim("letter", "B", "A", high=0),)),
    Conclusion("C beats A", every=(Claim("letter", "C", "A", low=0),)),
    Conclusion("B and C are about A", every=(Claim("letter", "B", "A", -1, 1), Claim("letter", "C", "A", -1, 1))),
    Conclusion("one beats A", some=(Claim("letter", "D", "A", low=0), Claim("letter", "B", "A", low=0))),
    Conclusion("hue counts", every=(Claim("hue", "red", "blue", low=0),)),
)


def placed(tree, repetition, fold):
    return {**tree, "seed": [repetition, fold]}


def measure(tree):
    """A part of the data that is the same for all levels, the level's effect, and noise."""
    letter = tree["letter"]
    part = np.random.default_rng(tree["seed"]).normal(0, 0.05)
    noise = np.random.default_rng([*tree["seed"], ord(letter)]).normal(0, tree["noise"])
    return {"test/accuracy": 0.8 + part + TRUTH[letter] + noise}


def failing(tree):
    """Level D cannot be measured."""
    if tree["letter"] == "D":
        raise InputError("letter: expected A to C, got D; mend it")
    return measure(tree)


def logged(tree):
    """Slow, and every call is written down."""
    with Path(os.environ["MADE_LOG"]).open("a") as file:
        file.write(f"{tree['letter']}{tree['seed']}\n")
    time.sleep(0.05)
    return measure(tree)


def killed(tree):
    """The process is gone."""
    os.kill(os.getpid(), signal.SIGKILL)


def made(noise=0.004, folds=10, of=measure, letters="ABCD", **changes) -> Study:
    """The study, by default with noise of 0.4 points."""
    levels = tuple(Level(one, {} if one == "A" else {"letter": one}) for one in letters)
    return Study(
        name="made",
        subject="letters",
        title="Letters",
        lead="Made.",
        base={"letter": "A", "noise": noise},
        factors=(Factor("letter", "Letter", levels),),
        measure=of,
        placed=placed,
        metric="test/accuracy",
        folds=folds,
        scale=100,
        unit="points",
        conclusions=CONCLUSIONS,
        **changes,
    )


def study(options, overrides):
    """As an entry point of `zoo.studies`."""
    if options:
        raise InputError(f"--{min(options)}: expected no option of this study, got one; leave it out")
    noise = float(dict(overrides).get("made.noise", 0.004))
    return made(noise, of=logged if "MADE_LOG" in os.environ else measure)
