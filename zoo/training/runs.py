"""What happens in a run: folder, training, test, figures, report; and how a finished run is read again."""

import resource
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback

from zoo.errors import InputError
from zoo.reports import run_sections, write_report
from zoo.training.checkpoints import AtomicCheckpointIO, Checkpointer, read_checkpoint, save_atomically
from zoo.training.config_cli import Parts, make
from zoo.training.configuration import Tree, read_yaml
from zoo.training.progress import FitProgress
from zoo.training.record import Record
from zoo.training.run_folder import RunFolder, new_run, open_run, versions

INTERRUPTED = 130  # what a shell expects after Ctrl-C

# What may change when a run goes on: how long and how loud, not what is trained on what.
RESUMABLE = ("trainer.max_epochs", "trainer.max_steps", "trainer.max_time", "trainer.logger", "trainer.callbacks")


def fit(name: str, tree: Tree, overrides: list[tuple[str, str]], root: str | Path = "runs") -> int:
    """Train a recipe in a new run folder, test it and write the report; returns the exit code.

    Args:
        name: task/recipe, which names the folder.
        tree: the configuration, recipe and overlays merged.
        overrides: keys and values of the command line.
        root: folder of all runs.
    """
    parts = make(tree, overrides)
    parts.data.setup("fit")  # bad data end here, before a folder is made
    run = new_run(root, name)
    if parts.trainer.is_global_zero:
        run.write(run.config, parts.config)
        run.write(run.versions, {**versions(), "data_hash": _data_hash(parts)})
    try:
        return _train(parts, run, resume=False)
    except InputError:
        if parts.trainer.global_step == 0:
            shutil.rmtree(run.path, ignore_errors=True)  # nothing half-written stays behind
        raise


def resume(where: str | Path, overrides: list[tuple[str, str]], root: str | Path = "runs") -> int:
    """Go on with a run from its last checkpoint, to the same bits as if it had never stopped.

    The command line beats the run's configuration, and may change only how long the run is; a checkpoint holds
    state and no settings.

    Raises:
        InputError: no such run, nothing to go on from, or an override that would make it another run.
    """
    run = open_run(where, root)
    for key, _ in overrides:
        if key not in RESUMABLE:
            raise InputError(
                f"--resume: expected one of {', '.join(RESUMABLE)}, got {key}; start a new run to change anything else"
            )
    if not (run.checkpoints / "last.ckpt").is_file():
        raise InputError(f"--resume: expected {run.path}/checkpoints/last.ckpt, got none; start the run anew")
    read_checkpoint(run.checkpoints / "last.ckpt")
    parts = make(read_yaml(run.config), overrides)
    return _train(parts, run, resume=True)


def _train(parts: Parts, run: RunFolder, resume: bool) -> int:
    if not parts.trainer.is_global_zero:  # another rank of the same run
        return _train_and_test(parts, run, Record(), resume)
    lock = run.lock()
    record = Record(run.record)
    try:
        return _train_and_test(parts, run, record, resume)
    finally:
        record.close()
        lock.release()


def _train_and_test(parts: Parts, run: RunFolder, record: Record, resume: bool) -> int:
    task, data, trainer = parts.task, parts.data, parts.trainer
    task.write_readings_to(record)
    trainer.precision_plugin.convert_module(task)  # before a checkpoint is loaded: Lightning would round it to float32
    checkpointer = Checkpointer(run.checkpoints, *task.best_metric, config=parts.config)
    trainer.callbacks += [checkpointer, *([] if trainer.progress_bar_callback else [FitProgress()])]
    trainer.strategy.checkpoint_io = AtomicCheckpointIO()
    if resume:
        trainer.callbacks.append(_KeepConfig(run, parts.config))
    if trainer.is_global_zero:
        parameters = sum(p.numel() for p in task.net.parameters() if p.requires_grad)
        print(f"{run.name}: {type(task.net).__name__}, {parameters:,} parameters, {trainer.precision}", flush=True)
    try:
        with warnings.catch_warnings():
            _quiet_lightning()
            trainer.fit(task, datamodule=data, ckpt_path=str(checkpointer.last) if resume else None, weights_only=True)
    except MisconfigurationException as error:  # what only Lightning can notice, such as a run that is further already
        raise InputError(f"trainer: {' '.join(str(error).split())} Mend the trainer's settings") from error
    except SystemExit:  # Lightning's answer to Ctrl-C
        return _stopped(run, checkpointer, trainer.global_step)
    spent = checkpointer.spent()
    figures = _test(parts)
    if trainer.is_global_zero:
        _finish(parts, run, record, figures, spent)
    return 0


class _KeepConfig(Callback):
    """A run that is made longer stays so when it is stopped again; one whose resumption is refused stays as it was."""

    def __init__(self, run: RunFolder, config: str):
        self._run, self._config = run, config

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The checkpoint is loaded and accepted."""
        if trainer.is_global_zero:
            self._run.write(self._run.config, self._config)


def _finish(parts: Parts, run: RunFolder, record: Record, figures: dict[str, float], spent: dict[str, float]) -> None:
    facts = {
        **figures,
        "epochs": parts.trainer.current_epoch,
        "steps": parts.trainer.global_step,
        "parameters": sum(p.numel() for p in parts.task.net.parameters()),
        "fit_seconds": round(spent["seconds"], 2),
        "fit_cpu_seconds": round(spent["cpu_seconds"], 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    run.write(run.metrics, facts)
    sections = [*run_sections(record), *parts.task.report_sections(parts.data)]
    subtitle = f"{type(parts.task.net).__name__} on {type(parts.data).__name__}, {_machine()}"
    page = write_report(run.path, run.name, subtitle, facts, sections, parts.config)
    for name, value in figures.items():
        print(f"{name}: {_figure(value)}")
    print(f"run:    {_shown(run.path)}\nreport: {_shown(page)}", flush=True)


def _test(parts: Parts) -> dict[str, float]:
    has_test = getattr(parts.data, "test_dataloader", None) is not None
    if not has_test or parts.trainer.fast_dev_run:
        return {}
    with warnings.catch_warnings():
        _quiet_lightning()
        results = parts.trainer.test(parts.task, datamodule=parts.data, verbose=False)
    return {name: float(value) for result in results for name, value in result.items()}


def evaluate(where: str | Path, split: str, overrides: list[tuple[str, str]], root: str | Path = "runs") -> int:
    """Print the figures of a run on its "validation" or "test" split."""
    parts = read_run(where, overrides, root)
    with warnings.catch_warnings():
        _quiet_lightning()
        judge = parts.trainer.validate if split == "validation" else parts.trainer.test
        results = judge(parts.task, datamodule=parts.data, verbose=False)
    if not results:
        raise InputError(f"{split}: expected examples, got none; the run keeps no {split} split")
    for result in results:
        for name, value in result.items():
            print(f"{name}: {_figure(value)}")
    return 0


def predict(where: str | Path, overrides: list[tuple[str, str]], options: dict[str, Any]) -> int:
    """Write what a run predicts for its predict split, as tensors; or let its task answer what is asked.

    Args:
        where: run or checkpoint.
        overrides: keys and values that change the configuration.
        options: root, output (a file), and what the task understands, such as text or files.
    """
    root = options.get("root", "runs")
    parts = read_run(where, overrides, root)
    _refuse_others(options, parts.task.predict_options)
    if asked := {key: options[key] for key in parts.task.predict_options if key in options}:
        output = {"output": options["output"]} if "output" in options else {}
        parts.task.answer(parts.data, asked | output, folder_of(where, root))
        return 0
    path = Path(options.get("output") or folder_of(where, root) / "predictions.pt")
    with warnings.catch_warnings():
        _quiet_lightning()
        batches = parts.trainer.predict(parts.task, datamodule=parts.data)
    if not batches:
        raise InputError("predict: expected examples, got none; raise trainer.limit_predict_batches")
    joined = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    save_atomically(joined, path)
    print(f"{', '.join(f'{name} {list(value.shape)}' for name, value in joined.items())}: {_shown(path)}")
    return 0


def explain(where: str | Path, overrides: list[tuple[str, str]], options: dict[str, Any]) -> int:
    """Write explain.html: what the answers of a run depend on.

    Args:
        where: run or checkpoint.
        overrides: keys and values that change the configuration.
        options: root, output (a folder), methods (names with commas), choose, examples, steps, at (a point),
            rollouts (of an agent), text (the user's own), swap (a file of templates).
    """
    root = options.get("root", "runs")
    parts = read_run(where, overrides, root)
    _refuse_others(options, parts.task.explain_options)
    if "text" not in options:
        parts.data.setup("test")
    wanted: dict[str, Any] = {key: options[key] for key in ("choose", "at", "swap") if key in options}
    if "text" in options:
        wanted["texts"] = options["text"]
    if "methods" in options:
        wanted["names"] = tuple(name.strip() for name in options["methods"].split(","))
    wanted |= {
        ours: _whole(key, options[key])
        for key, ours in (("examples", "count"), ("steps", "steps"), ("rollouts", "rollouts"))
        if key in options
    }
    folder = Path(options["output"]) if "output" in options else folder_of(where, root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output: expected a folder, got {folder} ({error.strerror}); choose another") from error
    sections = parts.task.explain_sections(parts.data, **wanted)
    subtitle = f"{type(parts.task.net).__name__} on {type(parts.data).__name__}, {_machine()}"
    page = write_report(folder, f"What the answers of {where} rest on", subtitle, {}, sections, stem="explain")
    print(f"page: {_shown(page)}")
    return 0


def folder_of(where: str | Path, root: str | Path) -> Path:
    """Where results of a run go: its folder, or beside a checkpoint that was moved out of one."""
    try:
        return open_run(where, root).path
    except InputError:
        if Path(where).is_file():
            return Path(where).parent
        raise


def _refuse_others(options: dict[str, Any], known: tuple[str, ...]) -> None:
    if others := set(options) - {"root", "output", *known}:
        wanted = ", ".join(f"--{one}" for one in ("output", *known))
        raise InputError(f"--{min(others)}: expected an option of this task's ({wanted}), got another; leave it out")


def _whole(key: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"--{key}: expected a whole number of 1 or more, got {text!r}; mend the command")
    return int(text)


def read_run(where: str | Path, overrides: list[tuple[str, str]] = (), root: str | Path = "runs") -> Parts:
    """The task of a run with its trained weights, its data and a trainer.

    Args:
        where: a run folder or recipe name (its last checkpoint is taken), or a checkpoint, in its folder or alone.
        overrides: keys and values that change the configuration.
        root: folder of all runs.

    Raises:
        InputError: no such run, or weights that do not fit the net.
    """
    path = Path(where)
    if path.is_file():
        checkpoint = read_checkpoint(path)
        tree = _tree_of(checkpoint, path)
    else:
        run = open_run(where, root)
        checkpoint, tree = read_checkpoint(run.checkpoints / "last.ckpt"), read_yaml(run.config)
    parts = make(tree, list(overrides))
    parts.trainer.precision_plugin.convert_module(parts.task)
    try:
        parts.task.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"checkpoint: expected weights of this net, got others ({reason}); check --model.net"
        ) from error
    if state := checkpoint.get(_data_class(tree)):  # where Lightning keeps what the data of the fit remember
        parts.data.load_state_dict(state)
    parts.task.eval()
    return parts


def read_config(text: str) -> Tree:
    """A resolved configuration as a tree."""
    return yaml.safe_load(text)


def _data_class(tree: Tree) -> str:
    return str((tree.get("data") or {}).get("class_path", "")).rpartition(".")[2]


def _tree_of(checkpoint: dict[str, Any], path: Path) -> Tree:
    text = checkpoint.get("config")
    if not text:
        raise InputError(f"checkpoint: expected a configuration inside {path}, got none; use one that `zoo fit` wrote")
    return read_config(text)


def _stopped(run: RunFolder, checkpointer: Checkpointer, step: int) -> int:
    if checkpointer.last.is_file():
        kept = read_checkpoint(checkpointer.last)["global_step"]
        print(f"\nstopped at step {step}, kept up to step {kept}; go on with: zoo fit --resume {_shown(run.path)}")
    else:
        print(f"\nstopped at step {step}, before the first checkpoint; start again")
    return INTERRUPTED


def _machine() -> str:
    packages = versions()["packages"]
    return f"gradient-zoo {packages['gradient-zoo']}, torch {packages['torch']}"


def _data_hash(parts: Parts) -> str | None:
    data_hash = getattr(parts.data, "data_hash", None)
    return data_hash() if data_hash else None


def _figure(value: float) -> str:
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}"


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _quiet_lightning() -> None:
    # Advice about workers and intervals that does not apply to loaders in memory.
    warnings.filterwarnings("ignore", module="pytorch_lightning")
