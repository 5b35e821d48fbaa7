"""Sparse gradients through the one door: the same readings, the same clipping, the same run as with dense ones."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from tests.conftest import Regression
from zoo.data import TensorLoader
from zoo.errors import InputError
from zoo.optim import SAM, Adaptive, AutoClip, ByGlobalNorm, ByParameterNorm, ByValue, LazyAdam, ZClip
from zoo.training.monitor import MonitorOptions

RULES = [
    None,
    ByValue(0.01),
    ByGlobalNorm(0.05),
    ByParameterNorm(0.05),
    Adaptive(0.05),
    AutoClip(50.0),
    ZClip(warmup=1),
]

SGD = partial(torch.optim.SGD, lr=0.5)


class Words(nn.Module):
    """Mean of two words' vectors, and a linear layer."""

    def __init__(self, sparse: bool):
        super().__init__()
        torch.manual_seed(1)
        self.embedding, self.output = nn.Embedding(9, 4, sparse=sparse), nn.Linear(4, 2)

    def forward(self, tokens):
        return self.output(self.embedding(tokens).mean(1))


def fitted(quick, sparse, rule, optimizer=SGD, **options):
    generator = torch.Generator().manual_seed(0)
    words, targets = torch.randint(0, 8, (40, 2), generator=generator), torch.randn(40, 2, generator=generator)
    monitor = MonitorOptions(sample_every=1, flush_every=3)
    rule = copy.deepcopy(rule)  # some have a history
    task = Regression(Words(sparse), optimizer, clipping=rule, monitor=monitor, **options)
    quick(max_epochs=2).fit(task, TensorLoader((words, targets), 5))
    record = task.monitor.record
    return task, {(q, layer): s.values for q in record.quantities() for layer, s in record.series(q).items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_run_with_sparse_gradients_reads_and_moves_as_one_with_dense_ones(rule, quick):
    (sparse, read), (dense, expected) = fitted(quick, True, rule), fitted(quick, False, rule)
    for one, other in zip(sparse.net.parameters(), dense.net.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    assert read.keys() == expected.keys()
    # Shares are of the touched rows' elements and units.
    for key in expected.keys() - {("clipped_fraction", "")}:
        assert list(read[key]) == pytest.approx(list(expected[key]), rel=1e-3, abs=1e-5), key


def test_only_touched_rows_are_counted_as_clipped(quick):
    _, read = fitted(quick, True, ByValue(1e-9))
    assert min(read["clipped_fraction", ""]) > 0.99
    _, read = fitted(quick, False, ByValue(1e-9))
    assert max(read["clipped_fraction", ""]) < 0.99  # row 8 has no gradient ever


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(torch.optim.Adam, lr=0.1),
        partial(SAM, base_optimizer=partial(torch.optim.SGD, lr=0.1)),
        torch.optim.LBFGS,
    ],
)
def test_optimisers_of_dense_gradients_are_refused_in_one_line(optimizer, quick):
    with pytest.raises(InputError, match=r"model.optimizer: expected one that takes sparse gradients, got \w+; choose"):
        fitted(quick, True, None, optimizer)


def test_probes_see_all_rows(quick):
    def rows(step):
        return {"rows": torch.tensor(float(len(step.grads["embedding.weight"])))}

    _, read = fitted(quick, True, None, partial(LazyAdam, lr=0.01), probes=[rows])
    assert set(read["rows", ""]) == {9.0}
