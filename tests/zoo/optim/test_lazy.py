"""Lazy optimisers against torch's own: the same where all rows are touched, still where none is."""

import copy

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.optim import LazyAdadelta, LazyAdam

PAIRS = [
    (LazyAdam, torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.0}),
    (LazyAdam, torch.optim.AdamW, {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-5, "weight_decay": 0.3}),
    (LazyAdadelta, torch.optim.Adadelta, {}),
    (LazyAdadelta, torch.optim.Adadelta, {"lr": 0.5, "rho": 0.95, "eps": 1e-5, "weight_decay": 0.1}),
]


def table() -> nn.Parameter:
    return nn.Parameter(torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))


def gradient(rows: list[int], seed: int) -> torch.Tensor:
    values = torch.randn(len(rows), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.sparse_coo_tensor([rows], values, (6, 3), check_invariants=True)


@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
@pytest.mark.parametrize(("lazy", "usual", "options"), PAIRS)
def test_equals_torch_where_every_row_is_touched(lazy, usual, options, sparse):
    ours, twin = table(), table()
    optimizer, usual_optimizer = lazy([ours], **options), usual([twin], **options)
    for step in range(20):
        given = gradient([3, 0, 5, 1, 1, 2, 4], step)  # row 1 twice: its parts add up
        ours.grad, twin.grad = given if sparse else given.to_dense(), given.to_dense()
        optimizer.step(), usual_optimizer.step()
    assert torch.allclose(ours, twin, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("lazy", "usual", "options"), PAIRS)
def test_rows_without_gradient_do_not_move_and_keep_their_averages(lazy, usual, options):
    ours = table()
    optimizer = lazy([ours], **options)
    ours.grad = gradient([0, 1], 0)
    optimizer.step()
    before, averages = ours.detach().clone(), copy.deepcopy(optimizer.state[ours])
    ours.grad = gradient([1, 4], 1)
    optimizer.step()
    still = [0, 2, 3, 5]
    assert torch.equal(ours[still], before[still]) and not (ours[[1, 4]] == before[[1, 4]]).any()
    for name in lazy.averages:
        assert torch.equal(optimizer.state[ours][name][still], averages[name][still])


@pytest.mark.parametrize(("lazy", "usual", "options"), PAIRS)
def test_state_resumes_to_the_bit(lazy, usual, options):
    def run(steps, parameter, optimizer):
        for step in steps:
            parameter.grad = gradient([step % 6, (2 * step + 1) % 6], step)
            optimizer.step()

    whole = table()
    run(range(8), whole, lazy([whole], **options))
    part = table()
    optimizer = lazy([part], **options)
    run(range(5), part, optimizer)
    state = copy.deepcopy(optimizer.state_dict())
    resumed = lazy([part], **options)
    resumed.load_state_dict(state)
    run(range(5, 8), part, resumed)
    assert torch.equal(whole, part)


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"betas": (0.9, 1.0)}, {"eps": 0.0}])
def test_impossible_settings_are_refused_in_one_line(options):
    with pytest.raises(InputError, match="expected"):
        LazyAdam([table()], **options)
