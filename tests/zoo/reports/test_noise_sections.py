"""What a report says of gradient noise and of examples, from a run whose truth is known."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from zoo.data import TensorLoader
from zoo.reports import run_sections
from zoo.reports.noise_sections import noise_scales
from zoo.training.monitor import MonitorOptions
from zoo.training.record import Record
from zoo.training.task import TaskModule


class Offset(TaskModule):
    """|w - x|^2 / 2 at a fixed w: the closed form of its noise scale is 100."""

    def loss(self, net, batch):
        return {"fit": (net(torch.ones(len(batch[0]), 1)) - batch[0]).square().sum(1).mean() / 2}


@pytest.mark.parametrize("examples", [False, True])
def test_the_noise_scale_on_the_page_is_the_runs(quick, examples):
    torch.manual_seed(3)
    net = nn.Linear(1, 50, bias=False)
    nn.init.constant_(net.weight, 0.1)  # |G|^2 = 50 x 0.01, tr Cov = 50 x 1
    x = torch.randn(6400, 50)
    task = Offset(net, partial(torch.optim.SGD, lr=1e-12), monitor=MonitorOptions(sample_every=1, examples=examples))
    quick(max_epochs=1, accumulate_grad_batches=4).fit(task, TensorLoader((x,), 16))
    section = next(one for one in run_sections(task.monitor.record) if one.title == "Gradient noise")
    assert section.data["noise scale in examples"] == pytest.approx(100, rel=0.25)
    assert "the batch of 64" in section.lead


def test_no_signal_is_said():
    record = Record(":memory:")
    record.write([(0, "", "gradient_signal", -1.0), (0, "", "gradient_noise", 2.0), (0, "", "batch_examples", 8.0)])
    section = next(one for one in run_sections(record) if one.title == "Gradient noise")
    assert "No signal" in section.lead
    # Pooled over a quarter of the readings, not the mean of single ratios.
    assert noise_scales(np.array([1.0, 3.0] * 4), np.full(8, 4.0), np.full(8, 10.0)).tolist() == [40.0] + [20.0] * 7


def test_examples_are_ranked_by_what_all_steps_say():
    record = Record(":memory:")
    for step, (a, b) in enumerate([(4.0, 9.0), (7.0, None)]):
        record.write([(step, "", f"example_gradient_norm/{q}", 1.0 + step) for q in ("median", "largest")])
        record.write([(step, "example 5", "example_outlier_score", a)])
        record.write([(step, "example 8", "example_outlier_score", b)] if b else [])
    section = next(one for one in run_sections(record) if one.title == "Examples")
    assert section.data["examples that stand out"] == {"example 5": 11.0, "example 8": 9.0}
    assert section.figures[1].table.rows[0][0] == "example 5"
