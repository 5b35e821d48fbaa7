"""Verdicts of planted runs, and that nothing which leaves the run the same changes them."""

from functools import partial

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from tests.benchmarks.diagnosis import healthy, plants
from tests.benchmarks.diagnosis.loop import record_of
from tests.benchmarks.diagnosis.score import is_found
from tests.conftest import Regression
from zoo.data import TensorLoader
from zoo.diagnosis import KINDS, Finding, Mend, diagnose
from zoo.diagnosis.depth import deltas_in_order
from zoo.diagnosis.overlay import overlay_of
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.verdict import conclude
from zoo.optim import ByGlobalNorm
from zoo.training.configuration import merged
from zoo.training.live_diagnosis import LiveDiagnosis
from zoo.training.monitor import MonitorOptions
from zoo.training.record import Record

PLANTED = [
    (plants.vanishing, "mlp"), (plants.exploding, "mlp"), (plants.dead, "mlp"), (plants.saturated, "actor_critic"),
    (plants.rate_high, "mlp"), (plants.rate_low, "mlp"), (plants.spike, "mlp"), (plants.clipped_always, "mlp"),
    (plants.clipped_never, "mlp"), (plants.batch_large, "mlp"), (plants.initial_scale, "mlp"), (plants.frozen, "mlp"),
    (plants.unused, "mlp"), (plants.epsilon, "mlp"), (plants.weight_decay, "mlp"), (plants.conflict, "actor_critic"),
    (plants.nonfinite, "mlp"), (plants.memorising, "mlp"), (plants.norm_statistics, "cnn"), (plants.batch_small, "mlp"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "architecture"), PLANTED, ids=lambda one: getattr(one, "__name__", one))
def test_what_is_planted_is_found(plant, architecture):
    run = plant(architecture, 0 if plant is plants.vanishing else 1)  # Adam mends seed 1's within four steps
    findings = diagnose(record_of(run))
    assert is_found(run, findings), [(one.kind, one.layer, one.step) for one in findings]


def test_every_kind_is_planted():
    assert {plant(architecture, 1).kind for plant, architecture in PLANTED} == set(KINDS)


@pytest.mark.parametrize("optimiser", list(healthy.OPTIMISERS))
def test_nothing_is_said_of_a_healthy_run(optimiser):
    assert diagnose(record_of(healthy.plain("mlp", optimiser, 0))) == []


INVARIANT = [
    lambda: plants.dead("mlp", 1), lambda: plants.saturated("actor_critic", 0), lambda: plants.vanishing("mlp", 0),
    lambda: plants.spike("mlp", 0), lambda: plants.initial_scale("mlp", 0), lambda: plants.rate_low("mlp", 0),
    lambda: plants.frozen("cnn", 0), lambda: healthy.plain("mlp", "sgd", 1), lambda: healthy.plain("mlp", "momentum", 2),
]  # fmt: skip


def verdicts(run, **options) -> list[tuple]:
    """Kinds and layers."""
    return sorted((one.kind, one.layer) for one in diagnose(record_of(run, **options)))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("make", INVARIANT)
def test_the_unit_of_the_loss_does_not_matter(make, scale):
    scaled = make()
    rate = torch.optim.SGD([nn.Parameter(torch.zeros(1))], **scaled.optimizer.keywords).defaults
    decay = rate["weight_decay"] * scale
    scaled.optimizer = partial(torch.optim.SGD, lr=rate["lr"] / scale, momentum=rate["momentum"], weight_decay=decay)
    plain = make()
    assert verdicts(scaled, scale=scale) == verdicts(plain)


@pytest.mark.parametrize("options", [{"bf16": True}, {"accumulate": 4}], ids=str)
@pytest.mark.parametrize("make", INVARIANT)
def test_precision_and_accumulation_do_not_matter(make, options):
    assert verdicts(make(), **options) == verdicts(make())


def test_depth_ratio_is_that_of_a_linear_chain(quick):
    """Identity weights times 0.1: each layer passes on a tenth of its delta."""
    net = nn.Sequential(*[nn.Linear(4, 4, bias=False) for _ in range(6)])
    for layer in net:
        nn.init.eye_(layer.weight).data.mul_(0.1)
    x = torch.randn(64, 4)
    task = Regression(net, partial(torch.optim.SGD, lr=1e-9), monitor=MonitorOptions(diagnose=False))
    quick(max_epochs=12).fit(task, TensorLoader((x, x), 64))
    layers, _, deltas_DS = deltas_in_order(Readings(task.monitor.record))
    assert layers == [str(i) for i in range(6)]
    assert deltas_DS[:-1, 0] / deltas_DS[1:, 0] == pytest.approx(np.full(5, 0.1), rel=1e-4)
    found = {one.kind: one for one in diagnose(task.monitor.record)}
    assert found["vanishing"].evidence["factor a layer"] == pytest.approx(0.1, rel=0.3)


def test_a_finding_is_said_once():
    said = []
    live = LiveDiagnosis(said.append)
    record = record_of(plants.dead("mlp", 0))
    for step in (50, 60, 149):
        live.look(record, step)
    live.finish(record)
    assert [one.kind for one in said].count("dead") == 1


def test_clipping_ratio_is_that_of_the_record():
    record = Record()
    record.write([(s, "", "gradient_norm", 8.0) for s in range(60)])
    record.write([(s, "", "clipped_gradient_norm", 2.0) for s in range(60)])
    (found,) = diagnose(record)
    assert (found.kind, found.step, found.evidence["norm to clipped norm"]) == ("clipping_always", 0, 4.0)
    record.write([(s, "", "clipped_gradient_norm", 4.0) for s in range(60)])
    assert diagnose(record) == []


def test_the_overlay_merges_into_the_configuration():
    config = yaml.safe_load(
        """
        model:
          class_path: a.Task
          init_args: {optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.5, weight_decay: 0.1}}}
        data: {class_path: a.Data, init_args: {batch_size: 4}}
        """
    )
    mends = [
        Mend("a", {"model.optimizer.init_args.lr": 0.1}), Mend("b", {"data.init_args.batch_size": 8.0}),
        Mend("c", {"model.optimizer.init_args.lr": 0.3}),
    ]  # fmt: skip
    findings = [Finding("learning_rate_high", "", 0, "", {}, 0.9, mend) for mend in mends]
    tree, left = overlay_of(findings, config)
    result = merged(config, tree)
    assert result["model"]["init_args"]["optimizer"]["init_args"] == {"lr": 0.05, "weight_decay": 0.1}
    assert result["data"]["init_args"]["batch_size"] == 32
    assert len(left) == 1


def test_the_verb_writes_the_page_and_the_overlay(tmp_path, capsys):
    folder = tmp_path / "a" / "b" / "1"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("model: {class_path: T, init_args: {optimizer: {init_args: {lr: 50.0}}}}")
    record = Record(folder / "record.sqlite")
    source = record_of(plants.rate_high("mlp", 0))
    rows = source._db.execute("SELECT step, layer, quantity, value FROM record").fetchall()
    record.write([(s, layer, q, float("nan") if v is None else v) for s, layer, q, v in rows])
    record.close()
    assert conclude(folder, apply=True) == 0
    assert "learning rate too high" in capsys.readouterr().out
    mend = yaml.safe_load((folder / "mend.yaml").read_text())
    assert mend == {"model": {"init_args": {"optimizer": {"init_args": {"lr": 5.0}}}}}
    assert "Learning rate too high" in (folder / "diagnosis.html").read_text()
    assert conclude(folder, before=str(folder)) == 0
    assert "did not help: 0 findings gone" in (folder / "diagnosis.html").read_text()


def test_a_limit_is_read_by_the_door(data, adam, quick):
    task = Regression(nn.Linear(3, 2), adam, clipping=ByGlobalNorm(7.0), monitor=MonitorOptions(diagnose=False))
    quick(max_epochs=1).fit(task, TensorLoader(data, 16))
    assert set(task.monitor.record.series("clipping_limit")[""].values) == {7.0}


def staircase(noise: float, moving: bool = False) -> Record:
    """Losses of 8 epochs of 20 batches that fall from one epoch to the next and not within one."""
    draw = np.random.default_rng(0)
    losses = np.repeat(0.6 ** np.arange(8), 20) * (1 + noise * draw.standard_normal(160))
    record = Record()
    record.write([(step, "", "loss", float(one)) for step, one in enumerate(losses)])
    record.write([(step, "", "gradient_norm", 1.0) for step in range(160)])
    record.write([(0, "", "batches_per_epoch", 20.0), *([(0, "", "moving_objective", 1.0)] if moving else [])])
    return record


def test_a_staircase_of_the_loss_is_told_from_noise_and_from_a_moving_objective():
    assert [one.kind for one in diagnose(staircase(0.02))] == ["memorising"]
    assert diagnose(staircase(0.4)) == []
    assert diagnose(staircase(0.02, moving=True)) == []


@pytest.mark.parametrize(("inputs", "trained", "said"), [(20, 1.0, ["initial_scale"]), (2, 1.0, []), (20, 0.0, [])])
def test_a_large_first_scale_is_a_fault_unless_it_is_a_bandwidth_or_stays_as_drawn(inputs, trained, said):
    record, name = Record(), "hidden.weight"
    facts = {"fan_in": inputs, "fan_out": 10, "units": 10, "weight_norm": 8 * 10**0.5, "trained": trained}
    record.write([(0, name, quantity, float(value)) for quantity, value in facts.items()])
    record.write([(step, name, "gradient_norm", 1.0) for step in range(3)])
    assert [one.kind for one in diagnose(record) if one.kind != "frozen"] == said
