"""What the Jacobian feeds: kernel, leverage and error bars against textbook closed forms."""

import pytest
import torch
from torch import nn

from zoo.derivatives import per_example_jacobian
from zoo.errors import InputError
from zoo.probes import (
    leverage_scores,
    ntk,
    ntk_trace,
    ntk_weights,
    parameter_covariance,
    predictive_variance,
    residual_variance,
    ridge_leverage_scores,
)


def line(points: int = 30):
    """Design matrix [N, 2] of a straight line a + b x, and its x."""
    torch.manual_seed(0)
    x = torch.rand(points, dtype=torch.float64) * 3
    return torch.stack([torch.ones_like(x), x], 1), x


def test_covariance_of_a_straight_line_is_the_textbooks():
    design, x = line()
    covariance = parameter_covariance(design, 0.25)
    spread = (x - x.mean()).square().sum()
    slope, intercept = 0.25 / spread, 0.25 * (1 / len(x) + x.mean() ** 2 / spread)
    expected = torch.stack([torch.stack([intercept, -x.mean() * slope]), torch.stack([-x.mean() * slope, slope])])
    torch.testing.assert_close(covariance, expected, rtol=1e-12, atol=1e-14)
    at = torch.tensor([0.3, 5.0], dtype=torch.float64)
    rows = torch.stack([torch.ones_like(at), at], 1)
    bars = 0.25 * (1 / len(x) + (at - x.mean()) ** 2 / spread)
    torch.testing.assert_close(predictive_variance(rows, design, 0.25), bars, rtol=1e-12, atol=1e-14)


def test_intervals_cover_the_truth_as_often_as_they_say():
    design, x = line()
    truth, generator = torch.tensor([1.0, -2.0], dtype=torch.float64), torch.Generator().manual_seed(1)
    hits = torch.zeros(2)
    for _ in range(400):
        data = design @ truth + 0.3 * torch.randn(len(x), dtype=torch.float64, generator=generator)
        found = torch.linalg.lstsq(design, data[:, None]).solution[:, 0]
        variance = residual_variance(design @ found - data, 2)
        hits += ((found - truth).abs() < 1.96 * parameter_covariance(design, variance).diagonal().sqrt()).float()
    assert (hits / 400 - 0.94).abs().max() < 0.03  # 1.96 for a t distribution with 28 degrees of freedom: 94 %


def test_damping_is_a_gaussian_prior():
    design, _ = line(8)
    posterior = torch.linalg.inv(design.t() @ design / 0.25 + torch.eye(2, dtype=torch.float64) / 4.0)
    torch.testing.assert_close(parameter_covariance(design, 0.25, damping=0.25 / 4.0), posterior)
    twins = torch.cat([design, design[:, :1]], 1)  # two columns alike
    with pytest.raises(InputError, match="add damping"):
        parameter_covariance(twins, 1.0)
    assert torch.isfinite(predictive_variance(twins, twins, 1.0, damping=1e-6)).all()


@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_leverage_is_the_diagonal_of_the_hat_matrix(damping):
    jacobian = torch.randn(20, 6, dtype=torch.float64)
    hat = (
        jacobian
        @ torch.linalg.inv(jacobian.t() @ jacobian + damping * torch.eye(6, dtype=torch.float64))
        @ jacobian.t()
    )
    scores = leverage_scores(jacobian, damping)
    torch.testing.assert_close(scores, hat.diagonal(), rtol=1e-10, atol=1e-12)
    assert damping or abs(float(scores.sum()) - 6) < 1e-10


def test_ridge_leverage_by_cholesky_is_that_by_singular_values():
    torch.manual_seed(0)
    jacobian = torch.randn(30, 6, dtype=torch.float64) * torch.logspace(-4, 0, 6, dtype=torch.float64)
    for rows in (jacobian, jacobian[:4], torch.cat([jacobian, jacobian[:, :1]], 1)):  # wide, and with twin columns
        expected = leverage_scores(rows, 1e-7 * float(rows.square().sum()))
        torch.testing.assert_close(ridge_leverage_scores(rows, 1e-7), expected, rtol=1e-7, atol=1e-9)


def test_leverage_of_fewer_points_than_parameters_is_one():
    torch.testing.assert_close(leverage_scores(torch.randn(4, 9)), torch.ones(4), rtol=1e-5, atol=1e-5)


def test_leverage_is_what_leaving_a_point_out_changes():
    design, x = line()
    data = torch.sin(x)
    hat = leverage_scores(design)
    whole = design @ torch.linalg.lstsq(design, data[:, None]).solution[:, 0] - data
    rest = torch.arange(1, len(x))
    without = torch.linalg.lstsq(design[rest], data[rest, None]).solution[:, 0]
    torch.testing.assert_close(design[0] @ without - data[0], whole[0] / (1 - hat[0]), rtol=1e-10, atol=1e-12)


def test_kernel_of_a_net_is_its_gradients_inner_products():
    torch.manual_seed(0)
    net, inputs = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double(), torch.rand(5, 2).double()
    named = dict(net.named_parameters())
    _, jacobian = per_example_jacobian(lambda p, x: torch.func.functional_call(net, p, (x,)), named, inputs)
    kernel = ntk(jacobian)
    gradients = [torch.autograd.grad(net(x[None]).sum(), list(named.values())) for x in inputs]
    for i, one in enumerate(gradients):
        for j, other in enumerate(gradients):
            product = sum((a * b).sum() for a, b in zip(one, other, strict=True))
            torch.testing.assert_close(kernel[i, j], product, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(ntk(jacobian[:2], jacobian[2:]), kernel[:2, 2:])
    torch.testing.assert_close(ntk_trace(jacobian), kernel.trace())


def test_weights_make_all_terms_equally_fast():
    jacobians = {"residual": torch.randn(7, 5), "boundary": 30 * torch.randn(3, 5)}
    traces = {name: ntk_trace(one) for name, one in jacobians.items()}
    for rows in (None, {name: len(one) for name, one in jacobians.items()}):
        weights = ntk_weights(traces, rows)
        rates = [weights[name] * traces[name] / (rows[name] if rows else 1) for name in traces]
        torch.testing.assert_close(rates[0], rates[1])


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: leverage_scores(torch.rand(3, 2), -1.0), "expected 0 or more"),
        (lambda: ridge_leverage_scores(torch.rand(3, 2), 0.0), "expected more than 0"),
        (lambda: residual_variance(torch.rand(2), 2), "more residuals than parameters"),
    ],
)
def test_common_mistakes(act, says):
    with pytest.raises(InputError, match=says):
        act()
