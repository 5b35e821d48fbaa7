"""Recipe, overlays and command line become one configuration; a mistake in any of them is one line."""

import pytest
import torch
import yaml
from pytorch_lightning import LightningDataModule
from torch import nn

from tests.conftest import Regression
from zoo.errors import InputError
from zoo.training.config_cli import make
from zoo.training.configuration import merged, pairs, read_yaml, with_new_classes


class Small(nn.Module):
    """A net with an argument to misspell."""

    def __init__(self, width: int = 4, sizes: list[int] | None = None):
        super().__init__()
        if width < 1:
            raise ValueError(f"no width of {width}.")
        self.layer = nn.Linear(3, width)


class Refusing(nn.Module):
    """A net that says itself what is wrong."""

    def __init__(self, width: int = 0):
        super().__init__()
        raise InputError(f"Refusing.width: expected 1 or more, got {width}; name another")


class Numbers(LightningDataModule):
    """Data with an argument."""

    def __init__(self, batch_size: int = 8):
        super().__init__()
        self.batch_size = batch_size


SGD = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.5, "momentum": 0.9, "weight_decay": 0.1}}


def recipe() -> dict:
    """A whole configuration."""
    net = {"class_path": f"{__name__}.Small", "init_args": {"width": 5}}
    return {
        "trainer": {"max_epochs": 3, "accelerator": "cpu"},
        "model": {"class_path": "tests.conftest.Regression", "init_args": {"net": net, "optimizer": SGD}},
        "data": {"class_path": f"{__name__}.Numbers"},
    }


def optimizer_of(parts) -> dict:
    """The optimiser's part of the resolved configuration."""
    return yaml.safe_load(parts.config)["model"]["init_args"]["optimizer"]


def overlay(tmp_path, text: str) -> dict:
    """The recipe with an overlay written as a file."""
    path = tmp_path / "overlay.yaml"
    path.write_text(text)
    return merged(recipe(), read_yaml(path))


ADAM = [
    "model: {class_path: tests.conftest.Regression, init_args: {optimizer: {class_path: torch.optim.AdamW}}}",
    "model: {init_args: {optimizer: torch.optim.AdamW}}",
    "model: {optimizer: {class_path: torch.optim.AdamW}}",
    "model.optimizer: torch.optim.AdamW",
    "model.init_args.optimizer.class_path: torch.optim.AdamW",
]


@pytest.mark.parametrize("text", ADAM)
def test_an_overlay_with_another_class_leaves_nothing_of_the_former(tmp_path, text):
    found = optimizer_of(make(overlay(tmp_path, text), []))
    assert found["class_path"] == "torch.optim.AdamW"
    assert found["init_args"]["weight_decay"] == 0.01 and found["init_args"]["lr"] == 0.001  # AdamW's own
    assert "momentum" not in found["init_args"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.optimizer", "torch.optim.AdamW"),
        ("model.optimizer", "AdamW"),
        ("model.init_args.optimizer", "torch.optim.AdamW"),
        ("model.optimizer.class_path", "torch.optim.AdamW"),
        ("model.optimizer", '{"class_path": "torch.optim.AdamW"}'),
    ],
)
def test_the_command_line_with_another_class_leaves_nothing_of_the_former(key, value):
    found = optimizer_of(make(recipe(), [(key, value), ("model.optimizer.eps", "1e-3")]))
    assert found["class_path"] == "torch.optim.AdamW" and found["init_args"]["weight_decay"] == 0.01
    assert found["init_args"]["eps"] == 1e-3 and found["init_args"]["lr"] == 0.001


@pytest.mark.parametrize(
    "text",
    [
        "model: {init_args: {optimizer: {init_args: {lr: 0.25}}}}",
        "model: {optimizer: {lr: 0.25}}",
        "model.optimizer.lr: 0.25",
        "model: {init_args: {optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.25}}}}",
        "model: {optimizer: {class_path: SGD, init_args: {lr: 0.25}}}",
    ],
)
def test_an_argument_alone_keeps_the_rest(tmp_path, text):
    found = optimizer_of(make(overlay(tmp_path, text), []))
    assert (found["init_args"]["lr"], found["init_args"]["momentum"]) == (0.25, 0.9)


@pytest.mark.parametrize("value", ["0.25", '{"lr": 0.25}'])
def test_an_argument_of_the_command_line_keeps_the_rest(value):
    key = "model.optimizer" + ("" if "{" in value else ".lr")
    found = optimizer_of(make(recipe(), [(key, value)]))
    assert (found["init_args"]["lr"], found["init_args"]["momentum"]) == (0.25, 0.9)


def test_the_same_class_by_its_short_name_keeps_its_arguments():
    assert optimizer_of(make(recipe(), [("model.optimizer", "SGD")]))["init_args"]["momentum"] == 0.9


def test_later_overlays_win_whatever_form_they_have():
    tree = {"o": {"class_path": "a.X", "init_args": {"p": 1, "q": 2}}}
    assert merged(merged(tree, {"o": {"p": 3}}), {"o": {"init_args": {"p": 4}}})["o"]["init_args"] == {"p": 4, "q": 2}
    assert merged({"o": "a.X"}, {"o": {"p": 3}}) == {"o": {"class_path": "a.X", "init_args": {"p": 3}}}
    assert merged({"t": {"strategy": "ddp"}}, {"t": {"strategy": {"class_path": "a.Y"}}})["t"]["strategy"]["class_path"]


def test_lists_are_replaced_and_plus_appends():
    base = {"a": {"l": [1, 2]}}
    assert merged(base, {"a": {"l": [3]}}) == {"a": {"l": [3]}}
    assert merged(base, {"a": {"l+": [3]}}) == {"a": {"l": [1, 2, 3]}}
    assert merged({"a": {"l": None}}, {"a": {"l+": 3}}) == {"a": {"l": [3]}}
    assert base == {"a": {"l": [1, 2]}}  # nothing is changed in place


def test_plus_appends_on_the_command_line():
    tree = recipe()
    tree["trainer"]["callbacks"] = [{"class_path": "pytorch_lightning.callbacks.LambdaCallback"}]
    trainer = make(tree, [("trainer.callbacks+", "pytorch_lightning.callbacks.ModelSummary")]).trainer
    assert [type(c).__name__ for c in trainer.callbacks][:2] == ["LambdaCallback", "ModelSummary"]


def test_a_class_can_be_switched_off():
    assert with_new_classes({"m": {"o": {"class_path": "X"}}}, [("m.o", "null")]) == ({"m": {"o": None}}, [])


def test_exponents_without_a_dot_are_numbers(tmp_path):
    (tmp_path / "x.yaml").write_text("a: 5e-4\nb: 1E5\nc: e5\nd: -1.e3")
    assert read_yaml(tmp_path / "x.yaml") == {"a": 5e-4, "b": 1e5, "c": "e5", "d": -1e3}


def test_pairs_take_negative_numbers_and_equals_signs():
    assert pairs(["--a", "-1", "--b=x=y", "--c="]) == [("a", "-1"), ("b", "x=y"), ("c", "")]
    for words in (["--a"], ["--a", "--b"], ["-a", "1"], ["a"]):
        with pytest.raises(InputError):
            pairs(words)


def test_the_resolved_configuration_says_every_value_and_makes_the_same(monkeypatch):
    first = make(recipe(), [("model.optimizer", "torch.optim.Adam"), ("model.net.width", "7")])
    tree = yaml.safe_load(first.config)
    assert tree["seed_everything"] == 0
    adam = tree["model"]["init_args"]["optimizer"]["init_args"]
    assert adam["betas"] == [0.9, 0.999] and adam["eps"] == 1e-8 and adam["weight_decay"] == 0  # torch's defaults
    assert tree["trainer"]["inference_mode"] is False and tree["data"]["init_args"] == {"batch_size": 8}
    second = make(tree, [])
    assert second.config == first.config
    weights = [parts.task.net.layer.weight for parts in (first, second)]
    assert weights[0].shape == (7, 3) and torch.equal(*weights)  # seeded before the net is made


def test_a_checkpoint_and_the_environment_do_not_change_the_configuration(tmp_path, monkeypatch):
    # Lightning 2.6 lets `hyper_parameters` of a checkpoint win over the command line (_parse_ckpt_path).
    parts = make(recipe(), [])
    assert "hyper_parameters" not in parts.trainer.__dict__ and not dict(parts.task.hparams)
    torch.save({"hyper_parameters": {"_instantiator": "x", "net": 1}, "state_dict": {}}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="expected a known key, got 'ckpt_path'"):
        make(recipe(), [("ckpt_path", str(tmp_path / "a.ckpt"))])
    assert not list(tmp_path.glob("**/config.yaml"))  # SaveConfigCallback is off
    assert not [c for c in parts.trainer.callbacks if type(c).__name__ == "SaveConfigCallback"]


NET = f"model.net: expected a class, got {__name__}.Smal; did you mean 'Small'?"
MISTAKES = [
    ("trainer.max_epoch", "3", "configuration: expected a known key, got 'trainer.max_epoch'; did you mean 'trainer.max_epochs'?"),
    ("modle.net", "3", "configuration: expected a known key, got 'modle.net'; did you mean 'model'?"),
    ("learning", "3", "configuration: expected a known key, got 'learning'; known: trainer, model, data, seed_everything"),
    ("model.net.widht", "3", "model.net (Small): expected one of its arguments, got 'widht'; did you mean 'width'?"),
    ("model.net.init_args.widht", "3", "model.net (Small): expected one of its arguments, got 'widht'; did you mean 'width'?"),
    ("model.optimizer.momentumm", "3", "model.optimizer (SGD): expected one of its arguments, got 'momentumm'; did you mean 'momentum'?"),
    ("model.monitor.sample_evry", "3", "model (Regression): expected one of its arguments, got 'monitor.sample_evry'; did you mean 'monitor.sample_every'?"),
    ("data.batch_sise", "3", "data (Numbers): expected one of its arguments, got 'batch_sise'; did you mean 'batch_size'?"),
    ("model.net.width", "wide", "model.net.width: expected int, got wide; mend the value"),
    ("model.net.sizes", "3", "model.net.sizes: expected list or null, got 3; mend the value"),
    ("model.optimizer.lr", "high", "model.optimizer.lr: expected float, got high; mend the value"),
    ("trainer.max_epochs", "many", "trainer.max_epochs: expected int or null, got many; mend the value"),
    ("model.schedule_interval", "hour", "model.schedule_interval: expected one of 'step', 'epoch', got hour; mend the value"),
    ("seed_everything", "abc", "seed_everything: expected bool or int, got abc; mend the value"),
    ("model.net", f"{__name__}.Smal", NET),
    ("model.optimizer", "torch.optim.Adamm", "model.optimizer: expected a class, got torch.optim.Adamm; did you mean 'Adam'?"),
    ("model.optimizer", "Adamm", "model.optimizer: expected a class, got 'Adamm'; did you mean 'torch.optim.Adam'?"),
    ("model.optimizer", "nowhere.Adam", "model.optimizer: expected a class of an installed module, got one of 'nowhere'; mend the path"),
    ("model.net", "torch.optim.Adam", "model.net: expected a Module, got torch.optim.Adam; name another class"),
    ("model", "torch.nn.Linear", "model: expected a TaskModule, got torch.nn.Linear; name another class"),
    ("model.scheduler", "torch.optim.lr_scheduler.StepLR", "model.scheduler.step_size: expected a value, got none; give one in the recipe or as --model.scheduler.step_size VALUE"),
    ("model.net", f"{__name__}.Refusing", "Refusing.width: expected 1 or more, got 0; name another"),
    ("model.net.width", "0", "configuration: expected settings that fit, got: no width of 0; mend it"),
    ("trainer.max_epochs", "-5", "configuration: expected settings that fit, got: `max_epochs` must be a non-negative integer or -1. You passed in -5; mend it"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "said"), MISTAKES, ids=[f"{key}={value}" for key, value, _ in MISTAKES])
def test_a_mistake_on_the_command_line_is_one_line(key, value, said):
    with pytest.raises(InputError) as caught:
        make(recipe(), [(key, value)])
    assert str(caught.value) == said


@pytest.mark.parametrize(("key", "value", "said"), MISTAKES, ids=[f"{key}={value}" for key, value, _ in MISTAKES])
def test_the_same_mistake_in_yaml_is_one_line_that_names_the_same(tmp_path, key, value, said):
    with pytest.raises(InputError) as caught:
        make(overlay(tmp_path, f"{key}: {value}"), [])
    got = str(caught.value)
    assert "\n" not in got and "expected" in got
    hint = said.partition("did you mean ")[2]
    assert hint.strip("'?").rpartition(".")[2] in got  # the nearest right name, or nothing to compare


@pytest.mark.parametrize("section", ["trainer", "model", "data"])
def test_an_empty_section_is_one_line(section):
    with pytest.raises(InputError, match=f"{section}: expected a mapping, got None"):
        make({**recipe(), section: None}, [])


@pytest.mark.parametrize("text", ["a: [1", "- 1", "", "3"])
def test_what_is_no_mapping_is_one_line(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"x\.yaml: expected"):
        read_yaml(tmp_path / "x.yaml")
    with pytest.raises(InputError, match="mend the path"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="mend the path"):
        read_yaml(tmp_path)


def test_an_optimiser_that_refuses_its_arguments_is_one_line(data, quick):
    from zoo.data import TensorLoader

    task = Regression(nn.Linear(3, 2), lambda params: torch.optim.SGD(params, lr=-1.0))
    with pytest.raises(InputError, match=r"optimizer: Invalid learning rate: -1\.0"):
        quick(max_epochs=1).fit(task, TensorLoader(data, 16))
