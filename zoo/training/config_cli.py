"""Configuration -> objects, by LightningCLI; whatever is wrong with it is said in one line that names the mend."""

import difflib
import importlib
import logging
import re
import warnings
from argparse import ArgumentError
from dataclasses import dataclass
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning import LightningDataModule
from pytorch_lightning.cli import LightningCLI

from zoo.errors import InputError
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
        except ValueError as error:  # jsonargparse wraps what a constructor raises
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


def in_one_line(message: str, parser: ArgumentParser) -> str:
    """jsonargparse's many lines about one mistake -> where, expected, got, the nearest right name.

    Args:
        message: text of the error.
        parser: the parser that raised it, which knows the keys.
    """
    keys = re.findall(r'Parser key "([^"]+)"', message)
    where = ".".join(keys)
    classes = re.findall(r"Problem with given class_path '([^']+)'", message)
    if found := re.search(r"Option '([^']+)' is not accepted|does not accept option '([^']+)'", message):
        name = found.group(1) or found.group(2)
        return _unknown_key(name, where, classes, parser, group=re.search(r"Group '([^']+)'", message))
    if found := re.search(r"[Uu]nrecognized arguments: (.*)", message):
        name = found.group(1).split()[0].lstrip("-").partition("=")[0]
        return _unknown_key(name, "", [], parser, None)
    if found := re.search(r"module '([^']+)' has no attribute '([^']+)'", message):
        module, name = found.groups()
        return f"{where}: expected a class, got {module}.{name}; {_nearest(name, dir(importlib.import_module(module)))}"
    if found := re.search(r"Expected an? <class '([^']+)'>\. Got value: (\S+)", message):
        return f"{where}: expected {found.group(1)}, got {found.group(2)}; mend the value"
    if found := re.search(r'Key "([^"]+)" is required but not included', message):
        missing = f"{where}.{found.group(1)}" if where else found.group(1)
        return f"{missing}: expected a value, got none; give one in the recipe or as --{missing} VALUE"
    return f"{where or 'configuration'}: {' '.join(message.split())[:400]}; mend the recipe or the argument"


def _unknown_key(name: str, where: str, classes: list[str], parser: ArgumentParser, group: re.Match | None) -> str:
    if classes:
        known = _arguments_of(classes[-1])
        place = f"{where} ({classes[-1].rpartition('.')[2]})"
        return f"{place}: expected one of its arguments, got {name!r}; {_nearest(name, known)}"
    known = [action.dest for action in parser._actions if action.dest not in ("help", "print_config")]
    full = f"{group.group(1)}.{name}" if group else name
    hint = _nearest(full, known) if "." in full and full.partition(".")[0] in known + ["trainer"] else ""
    hint = hint or _nearest(full.partition(".")[0], ["trainer", "model", "data", "seed_everything"])
    return f"configuration: expected a known key, got {full!r}; {hint}"


def _arguments_of(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    parser = ArgumentParser(exit_on_error=False)
    target = getattr(importlib.import_module(module), name)
    add = parser.add_class_arguments if isinstance(target, type) else parser.add_function_arguments
    add(target, "it", fail_untyped=False)
    return sorted({a.dest.split(".")[1] for a in parser._actions if a.dest.startswith("it.")})


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known[:12])}"
