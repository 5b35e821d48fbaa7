"""Configuration -> objects, by LightningCLI; whatever is wrong with it is said in one line that names the mend."""

import logging
import warnings
from argparse import ArgumentError
from dataclasses import dataclass
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning import LightningDataModule
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from zoo.errors import InputError
from zoo.training.config_errors import in_one_line
from zoo.training.configuration import Tree, with_new_classes
from zoo.training.task import TaskModule
from zoo.training.trainer import DEFAULTS, Trainer


@dataclass(frozen=True)
class Parts:
    """What a recipe describes, made."""

    task: TaskModule
    data: LightningDataModule
    trainer: Trainer
    config: str  # YAML with every value that is really used


class RecipeCLI(LightningCLI):
    """LightningCLI without sub-commands; a checkpoint never changes the configuration."""

    def add_arguments_to_parser(self, parser: ArgumentParser) -> None:
        """Nothing beyond the trainer, the model and the data."""

    def parse_arguments(self, parser: ArgumentParser, args: Any) -> None:
        """Parse, and give every error to `in_one_line`."""
        try:
            self.config: Namespace = parser.parse_args(args)
        except (ArgumentError, TypeError, ValueError) as error:
            raise InputError(in_one_line(str(error), parser)) from error

    def instantiate_classes(self) -> None:
        """Make the objects; what one of them says about its arguments comes through."""
        try:
            super().instantiate_classes()
        except InputError:
            raise
        except (ValueError, MisconfigurationException) as error:  # jsonargparse wraps what a constructor raises
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, InputError):
                cause = cause.__cause__ or cause.__context__
            raise cause or InputError(in_one_line(str(error), self.parser)) from None


def make(tree: Tree, overrides: list[tuple[str, str]]) -> Parts:
    """The objects of a configuration.

    Args:
        tree: recipe and overlays, merged.
        overrides: keys and values of the command line, which win.

    Raises:
        InputError: a key, a value or a class that does not fit.
    """
    quiet()
    for section in ("trainer", "model", "data"):
        if not isinstance(tree.get(section, {}), dict | str):
            raise InputError(f"{section}: expected a mapping, got {tree[section]!r}; mend the recipe or the overlay")
    tree, overrides = with_new_classes(tree, overrides)
    arguments = ["--config", yaml.safe_dump(tree), *(f"--{key}={value}" for key, value in overrides)]
    with warnings.catch_warnings():
        # Lightning proposes to save hyper-parameters or to add workers; neither fits what is done here.
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        cli = RecipeCLI(
            TaskModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            run=False,
            save_config_callback=None,  # it refuses a folder that holds a config.yaml; runs write their own
            auto_configure_optimizers=False,
            trainer_class=Trainer,
            trainer_defaults=dict(DEFAULTS),
            seed_everything_default=0,
            parser_kwargs={"exit_on_error": False, "allow_abbrev": False},
            args=arguments,
        )
    config = cli.config.clone()
    config.pop("config", None)
    return Parts(cli.model, cli.datamodule, cli.trainer, cli.parser.dump(config, skip_none=False))


def quiet() -> None:
    """Lightning's notices (seed, devices, tips) off; its warnings and errors stay."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
