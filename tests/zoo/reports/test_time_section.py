"""Gradients through time on a run's page: a linear recurrence fades by its factor a step."""

from functools import partial

import pytest
import torch
from torch import nn

from zoo.data import TensorLoader
from zoo.probes.time_flow import through_time
from zoo.reports import run_sections
from zoo.training.monitor import MonitorOptions
from zoo.training.task import TaskModule


class Fading(nn.Module):
    """Gives the last state of h_t = h_(t-1) / 2 + x_t / 2."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 1, bias=False, nonlinearity="relu", batch_first=True)
        for weight in self.rnn.parameters():
            nn.init.constant_(weight, 0.5)

    def forward(self, x):
        return self.rnn(x)[0][:, -1]


class Mean(TaskModule):
    def loss(self, net, batch):
        return {"mean": net(batch[0]).mean()}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_picture_shows_the_factor(accumulate, quick):
    task = Mean(
        Fading(), partial(torch.optim.SGD, lr=1e-9), monitor=MonitorOptions(sample_every=1), probes=[through_time]
    )
    quick(max_epochs=1, accumulate_grad_batches=accumulate).fit(
        task, TensorLoader((torch.ones(8, 5, 1),), 8 // accumulate)
    )
    section = next(one for one in run_sections(task.monitor.record) if one.title == "Gradients through time")
    table = section.figures[0].table
    assert table.columns[1:] == ["0.0 %", "25.0 %", "50.0 %", "75.0 %", "100.0 %"]
    # dL/dh of the last step is 1/8 for each of 8 examples, however they are cut into micro-batches.
    assert table.rows[0][1:] == pytest.approx([8**-0.5 / 2**k for k in (4, 3, 2, 1, 0)], rel=1e-6)
