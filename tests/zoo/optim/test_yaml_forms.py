"""Rules, penalties, constraints, optimisers and schedules by class path in YAML, as a recipe gives them."""

import importlib.util
import warnings

import pytest
import torch
import yaml

from tests.conftest import Regression, readings_of
from zoo.data import TensorLoader
from zoo.errors import InputError
from zoo.optim import (
    L1,
    L2,
    SAM,
    Adaptive,
    AutoClip,
    ByGlobalNorm,
    ByParameterNorm,
    ByValue,
    InputGradient,
    Jacobian,
    MaxNorm,
    WarmupDecay,
    ZClip,
)
from zoo.training.config_cli import make

RECIPE = """
trainer: {accelerator: cpu, max_epochs: 2}
model:
  class_path: tests.zoo.optim.test_yaml_forms.Small
  init_args:
    net: {class_path: torch.nn.Linear, init_args: {in_features: 3, out_features: 2}}
    optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1}}
data: {class_path: pytorch_lightning.demos.boring_classes.BoringDataModule}
"""


class Small(Regression):
    """A task that a recipe can name."""


def tree(**arguments: str) -> dict:
    """The recipe with arguments of the model, each a piece of YAML."""
    recipe = yaml.safe_load(RECIPE)
    recipe["model"]["init_args"] |= {key: yaml.safe_load(text) for key, text in arguments.items()}
    return recipe


def task_of(overrides: list[tuple[str, str]] | None = None, **arguments: str) -> Regression:
    """The task of that recipe."""
    return make(tree(**arguments), overrides or []).task


def fitted(data, *overrides, **arguments):
    """The task of that recipe and its trainer, after two epochs of four batches."""
    parts = make(tree(**arguments), list(overrides))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        parts.trainer.fit(parts.task, TensorLoader(data, 16), TensorLoader(data, 32))
    return parts.task, parts.trainer


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("{class_path: zoo.optim.ByValue, init_args: {limit: 0.5}}", ByValue, {"limit": 0.5}),
        ("{class_path: zoo.optim.ByGlobalNorm, init_args: {max_norm: 1}}", ByGlobalNorm, {"max_norm": 1.0}),
        ("{class_path: zoo.optim.ByParameterNorm, init_args: {max_norm: 2.0}}", ByParameterNorm, {"max_norm": 2.0}),
        ("{class_path: zoo.optim.Adaptive}", Adaptive, {"clip_factor": 0.01, "eps": 1e-3}),
        ("zoo.optim.AutoClip", AutoClip, {"share": 0.1}),
        ("{class_path: zoo.optim.ZClip, init_args: {warmup: 3}}", ZClip, {"warmup": 3, "threshold": 2.5}),
        ("{class_path: ByGlobalNorm, init_args: {max_norm: 1.0}}", ByGlobalNorm, {"max_norm": 1.0}),
    ],
)
def test_clipping(text, kind, expected):
    rule = task_of(clipping=text).clipping
    assert type(rule) is kind
    assert {name: getattr(rule, name) for name in expected} == expected


def test_no_clipping():
    assert task_of(clipping="null").clipping is None


def test_penalties_in_their_order():
    task = task_of(
        penalties="""
        - {class_path: zoo.optim.L1, init_args: {weight: 1.0e-4}}
        - {class_path: zoo.optim.L2, init_args: {weight: 1.0e-3, norms_and_biases: true}}
        - {class_path: zoo.optim.InputGradient, init_args: {weight: 0.1}}
        - {class_path: zoo.optim.Jacobian, init_args: {weight: 0.01, projections: 2}}
        """
    )
    assert [type(penalty) for penalty in task.penalties] == [L1, L2, InputGradient, Jacobian]
    assert [penalty.weight for penalty in task.penalties] == [1e-4, 1e-3, 0.1, 0.01]
    assert task.penalties[1].norms_and_biases
    assert task.penalties[3].projections == 2


def test_constraints():
    task = task_of(constraints="[{class_path: zoo.optim.MaxNorm, init_args: {max_norm: 3.0, parameters: '*weight'}}]")
    assert [(type(c), c.max_norm, c.parameters) for c in task.constraints] == [(MaxNorm, 3.0, "*weight")]


SAM_YAML = """
class_path: zoo.optim.SAM
init_args:
  rho: 0.1
  base_optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.05, momentum: 0.9, weight_decay: 0.01}}
"""


def test_sam_with_its_base_optimizer():
    optimizer = task_of(optimizer=SAM_YAML).configure_optimizers()["optimizer"]
    assert type(optimizer) is SAM
    assert type(optimizer.base) is torch.optim.SGD
    assert optimizer.rho == 0.1
    assert [(g["lr"], g["momentum"], g["weight_decay"]) for g in optimizer.param_groups] == [
        (0.05, 0.9, 0.01),
        (0.05, 0.9, 0.0),
    ]


def test_keys_of_the_command_line_reach_what_is_nested():
    task = task_of(
        [("model.optimizer.base_optimizer.lr", "0.3"), ("model.clipping.max_norm", "7")],
        optimizer=SAM_YAML,
        clipping="{class_path: zoo.optim.ByGlobalNorm, init_args: {max_norm: 1.0}}",
    )
    assert task.configure_optimizers()["optimizer"].param_groups[0]["lr"] == 0.3
    assert task.clipping.max_norm == 7


TORCH_OPTIMISERS = ["SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "NAdam", "RAdam", "AdamW", "Adamax", "LBFGS"]


@pytest.mark.parametrize("name", TORCH_OPTIMISERS)
def test_torch_optimisers(name):
    optimizer = task_of(optimizer=f"{{class_path: torch.optim.{name}, init_args: {{lr: 0.02}}}}").configure_optimizers()
    assert type(optimizer["optimizer"]) is getattr(torch.optim, name)
    assert optimizer["optimizer"].param_groups[0]["lr"] == 0.02


@pytest.mark.skipif(importlib.util.find_spec("pytorch_optimizer") is None, reason="extra [bench] is not installed")
def test_optimisers_of_another_package():
    text = "{class_path: pytorch_optimizer.Lion, init_args: {lr: 0.001, weight_decay: 0.1}}"
    optimizer = task_of(optimizer=text).configure_optimizers()["optimizer"]
    assert type(optimizer).__name__ == "Lion"
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("zoo.optim.WarmupDecay", WarmupDecay),
        ("{class_path: zoo.optim.WarmupDecay, init_args: {shape: linear}}", WarmupDecay),
        (
            "{class_path: torch.optim.lr_scheduler.OneCycleLR, init_args: {max_lr: 0.1}}",
            torch.optim.lr_scheduler.OneCycleLR,
        ),
    ],
)
def test_schedules_over_the_run_get_its_steps(data, text, kind):
    task, trainer = fitted(data, scheduler=text)
    schedule = trainer.lr_scheduler_configs[0].scheduler
    assert type(schedule) is kind
    assert schedule.total_steps == 8
    rates = task.monitor.record.series("learning_rate")[""].values
    assert rates[-1] < rates.max() / 2


@pytest.mark.parametrize(
    "text",
    [
        "{class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 2}}",
        "{class_path: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, init_args: {T_0: 2, T_mult: 2}}",
        "{class_path: torch.optim.lr_scheduler.MultiStepLR, init_args: {milestones: [2, 4]}}",
        "{class_path: zoo.optim.WarmupDecay, init_args: {total_steps: 2}}",
    ],
)
def test_schedules_that_know_their_own_length(data, text):
    _, trainer = fitted(data, scheduler=text, schedule_interval="epoch")
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == 2


def test_plateau(data):
    # `monitor` is an argument of Lightning's form of the class; the task's plateau_metric is what counts.
    text = "{class_path: pytorch_lightning.cli.ReduceLROnPlateau, init_args: {monitor: val/loss, patience: 0}}"
    config = fitted(data, scheduler=text)[1].lr_scheduler_configs[0]
    assert (config.interval, config.monitor) == ("epoch", "val/loss")


def test_a_schedule_over_all_steps_does_not_count_epochs(data):
    with pytest.raises(InputError, match="schedule_interval: expected step"):
        fitted(data, scheduler="zoo.optim.WarmupDecay", schedule_interval="epoch")


@pytest.mark.parametrize("optimizer", [SAM_YAML, "{class_path: torch.optim.LBFGS}"])
def test_several_evaluations_a_step_do_not_accumulate(data, optimizer):
    with pytest.raises(InputError, match="accumulate_grad_batches: expected 1"):
        fitted(data, ("trainer.accumulate_grad_batches", "2"), optimizer=optimizer)


def test_everything_at_once_trains_the_same_twice(data):
    arguments = {
        "net": "{class_path: torch.nn.Linear, init_args: {in_features: 3, out_features: 2}}",
        "optimizer": SAM_YAML,
        "scheduler": "zoo.optim.WarmupDecay",
        "clipping": "zoo.optim.AutoClip",
        "penalties": "[{class_path: zoo.optim.InputGradient, init_args: {weight: 0.1}}]",
        "constraints": "[{class_path: zoo.optim.MaxNorm, init_args: {max_norm: 0.2, parameters: '*weight'}}]",
    }
    one, two = fitted(data, **arguments)[0], fitted(data, **arguments)[0]
    assert readings_of(one.monitor.record) == readings_of(two.monitor.record)
    assert (one.net.weight.norm(dim=1) <= 0.2 + 1e-6).all()
    assert {"loss/input_gradient", "gradient_norm/input_gradient"} <= set(one.monitor.record.quantities())
    assert len(one.clipping.norms[~one.clipping.norms.isnan()]) == 8  # one of SAM's two evaluations a step


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"clipping": "{class_path: zoo.optim.ByGlobalNorm, init_args: {max_norm: 0}}"},
            "ByGlobalNorm.max_norm: expected",
        ),
        ({"clipping": "{class_path: zoo.optim.ByGlobalNorm, init_args: {maxnorm: 1}}"}, "max_norm"),
        ({"clipping": "zoo.optim.L1"}, "clipping"),
        ({"penalties": "[{class_path: zoo.optim.L1, init_args: {weight: -1}}]"}, "L1.weight: expected"),
        ({"optimizer": "{class_path: torch.optim.Adm}"}, "Adam"),
    ],
)
def test_a_wrong_form_is_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        task_of(**arguments)
    assert "\n" not in str(error.value)


def test_sams_own_errors_come_through_unwrapped():
    wrong = SAM_YAML.replace("rho: 0.1", "rho: -1")
    with pytest.raises(InputError, match=r"^SAM\.rho: expected"):
        task_of(optimizer=wrong).configure_optimizers()
