"""Weights that a net starts from: those of another run."""

from pathlib import Path

from torch import nn

from tasks.speech.alphabet import Alphabet
from zoo.errors import InputError
from zoo.training.checkpoints import read_checkpoint
from zoo.training.run_folder import open_run


def take_weights(net: nn.Module, alphabet: Alphabet, start: str) -> None:
    """Give the net the weights of a run or checkpoint.

    Args:
        net: whose weights are replaced.
        alphabet: of its outputs.
        start: run, recipe (its newest run under `runs`) or checkpoint; of a run the best checkpoint is taken.

    Raises:
        InputError: there is no such run, or it is of another net or alphabet.
    """
    path = checkpoint_of(start)
    checkpoint = read_checkpoint(path)
    kept = [part for part in checkpoint.values() if isinstance(part, dict) and {"units", "kind"} <= part.keys()]
    if any((tuple(one["units"]), one["kind"]) != (alphabet.units, alphabet.kind) for one in kept):
        raise InputError(f"model.start_from: expected the alphabet of the data, got another in {path}; mend data")
    state = checkpoint["state_dict"]
    weights = {key.removeprefix("net."): value for key, value in state.items() if key.startswith("net.")}
    shapes = {name: value.shape for name, value in net.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != shapes:
        raise InputError(
            f"model.start_from: expected a checkpoint of the same net, got another in {path}; take model.net from "
            "the config.yaml of its run"
        )
    net.load_state_dict(weights)


def checkpoint_of(start: str) -> Path:
    """The checkpoint that a run, a recipe's name or a path means.

    Raises:
        InputError: there is no such run.
    """
    if Path(start).is_file():
        return Path(start)
    try:
        folder = open_run(start).checkpoints
    except InputError as error:
        raise InputError(
            f"model.start_from: expected a run or checkpoint, got {start}, which is not there; make one with: "
            f"zoo fit {start}"
        ) from error
    return folder / "best.ckpt" if (folder / "best.ckpt").is_file() else folder / "last.ckpt"
