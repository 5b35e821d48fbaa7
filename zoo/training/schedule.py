"""Learning-rate schedules as a recipe gives them, made to fit the length of the run."""

import inspect
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from zoo.errors import InputError


def scheduled(
    make_scheduler: Callable, optimizer: Optimizer, interval: str, steps_of_run: Callable[[], float]
) -> dict[str, Any]:
    """A schedule in the form in which Lightning takes it.

    Args:
        make_scheduler: makes it from the optimiser; an argument `total_steps` left at None is the run's steps.
        optimizer: whose rate it moves.
        interval: "step" or "epoch".
        steps_of_run: asked only where the schedule goes over all of them.

    Raises:
        InputError: a schedule over all steps that moves by epochs, or in a run without end.
    """
    wants_steps = takes_total_steps(make_scheduler)
    if wants_steps and interval == "epoch":
        raise InputError(
            "model.schedule_interval: expected step with a schedule over all steps of the run, got epoch; "
            "leave it out, or give the schedule total_steps in epochs"
        )
    steps = {"total_steps": whole_steps(steps_of_run())} if wants_steps else {}
    return {"scheduler": make_scheduler(optimizer, **steps), "interval": interval}


def on_plateau(schedule: dict[str, Any], metric: str, has_validation: Callable[[], bool]) -> dict[str, Any]:
    """A schedule as it is; one that waits for a plateau looks at a metric once an epoch.

    Raises:
        InputError: the metric is of a validation that does not take place.
    """
    if not isinstance(schedule["scheduler"], ReduceLROnPlateau):
        return schedule
    if metric.startswith("val/") and not has_validation():
        raise InputError(
            f"model.scheduler: expected validation, since ReduceLROnPlateau looks at {metric}, "
            "got none; set data.validation above 0"
        )
    return {"scheduler": schedule["scheduler"], "interval": "epoch", "monitor": metric}


def whole_steps(steps: float) -> int:
    """Optimiser steps of a run of known length.

    Raises:
        InputError: there is no end.
    """
    if steps == float("inf") or steps < 1:
        raise InputError(
            "model.scheduler: expected a run of known length, since the schedule goes over all its steps, got "
            f"{steps} steps; set trainer.max_epochs or trainer.max_steps"
        )
    return int(steps)


def takes_total_steps(make_scheduler: Callable) -> bool:
    """Whether the scheduler has an argument `total_steps` that the recipe left open.

    >>> import torch
    >>> from functools import partial
    >>> takes_total_steps(partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1))
    True
    >>> takes_total_steps(partial(torch.optim.lr_scheduler.StepLR, step_size=1))
    False
    """
    keywords = getattr(make_scheduler, "keywords", {})
    if keywords.get("epochs") is not None:  # OneCycleLR's other way to say its length
        return False
    if "total_steps" in keywords:
        return keywords["total_steps"] is None
    try:
        parameter = inspect.signature(make_scheduler).parameters.get("total_steps")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.default in (None, inspect.Parameter.empty)
