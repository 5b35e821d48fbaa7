"""Learning-rate schedules of agents move once a batch, that is once a rollout with all its updates."""

from pytorch_lightning import Trainer

from zoo.errors import InputError


def refuse_epoch_schedule(trainer: Trainer) -> None:
    """Refuse a schedule that waits for epochs, which manual optimisation would never move.

    Raises:
        InputError: there is one.
    """
    if any(one.interval != "step" for one in trainer.lr_scheduler_configs):
        raise InputError("model.scheduler: expected one that moves every batch, got one of epochs; take another")
