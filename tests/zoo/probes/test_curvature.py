"""Curvature of tiny nets against their dense Hessians, and closed forms; reading changes nothing."""

import copy

import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian
from torch.func import functional_call
from torch.nn.functional import cross_entropy, kl_div

from zoo.errors import InputError
from zoo.optim.fisher import fisher_products
from zoo.probes.curvature_products import (
    dense,
    empirical_fisher_products,
    gauss_newton_products,
    hessian_products,
    loss_and_gradient,
    mean_loss,
    start_vector,
)
from zoo.probes.diagonal import diagonal
from zoo.probes.lanczos import Unconverged, extreme_eigenvalues
from zoo.probes.landscape import filter_normalised, loss_line, loss_plane, path_between
from zoo.probes.parameter_vectors import moved, parts_of, vector_of
from zoo.probes.sharpness import keskar_sharpness, sam_sharpness, worst_case_sharpness
from zoo.probes.spectral_density import spectral_density
from zoo.probes.trace import hutch_plus_plus, hutchinson_trace
from zoo.training.random_state import torch_state
from zoo.training.step import loss_at


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def classifier():
    """(outputs at parameters, labels, parameters, loss at parameters, dense Hessian) of a net with 59 parameters."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3), nn.Softplus(), nn.Linear(3, 2)).double()
    x, y = torch.randn(20, 4, dtype=torch.float64), torch.randint(2, (20,))
    params = {name: p.detach() for name, p in net.named_parameters()}

    def outputs(p):
        return functional_call(net, p, (x,))

    def loss(p):
        return cross_entropy(outputs(p), y)

    flat = vector_of(params)
    return outputs, y, params, loss, hessian(lambda v: loss(parts_of(v, params)), flat)


def test_hessian_products_are_the_dense_hessian(classifier):
    _, _, params, loss, expected = classifier
    assert torch.allclose(dense(hessian_products(loss, params), vector_of(params)), expected, atol=1e-13)
    halves = [lambda p: 1.5 * loss(p), lambda p: 0.5 * loss(p)]
    assert torch.allclose(dense(hessian_products(halves, params), vector_of(params)), expected, atol=1e-13)
    for one, other in zip(loss_and_gradient(halves, params), loss_and_gradient(loss, params), strict=True):
        assert torch.allclose(one, other, atol=1e-15)
    assert mean_loss(halves, params) == pytest.approx(float(loss(params)))


def test_gauss_newton_is_the_fisher_information_of_softmax(classifier):
    outputs, y, params, _, _ = classifier
    jacobian = torch.cat([part.flatten(2) for part in torch.func.jacrev(outputs)(params).values()], 2)  # [20, 2, P]
    p = outputs(params).softmax(1)
    expected = (
        torch.einsum("nip,nij,njq->pq", jacobian, torch.diag_embed(p) - p[:, :, None] * p[:, None], jacobian) / 20
    )
    found = dense(gauss_newton_products(outputs, lambda z: cross_entropy(z, y), params), vector_of(params))
    assert torch.allclose(found, expected, atol=1e-13)
    leaves = {name: part.clone().requires_grad_() for name, part in params.items()}
    before = p.log()

    def kl():
        return kl_div(outputs(leaves).log_softmax(1), before, reduction="batchmean", log_target=True)

    assert torch.allclose(dense(fisher_products(kl, list(leaves.values())), vector_of(params)), expected, atol=1e-13)


def test_gauss_newton_of_a_sum_of_squares_and_the_empirical_fisher():
    jacobian = torch.randn(7, 4, dtype=torch.float64)
    params = {"x": torch.randn(4, dtype=torch.float64)}
    found = dense(gauss_newton_products(lambda p: jacobian @ p["x"], lambda r: r.square().sum(), params), params["x"])
    assert torch.allclose(found, 2 * jacobian.t() @ jacobian)
    assert torch.allclose(dense(empirical_fisher_products(jacobian), params["x"]), jacobian.t() @ jacobian / 7)


def test_a_loss_that_is_linear_has_no_curvature():
    params = {"x": torch.ones(3), "y": torch.ones(2)}
    assert not dense(hessian_products(lambda p: p["x"].sum(), params), torch.zeros(5)).any()


@pytest.mark.parametrize("held", [8, 12, 100])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-8])
def test_extreme_eigenvalues_lie_in_their_certified_intervals(classifier, held, tolerance):
    _, _, params, loss, matrix = classifier
    exact = torch.linalg.eigvalsh(matrix)
    found = extreme_eigenvalues(
        hessian_products(loss, params),
        torch.randn(59, dtype=torch.float64, generator=generator()),
        2,
        1,
        tolerance,
        400,
        held,
    )
    for pair, value in zip([*found.largest, *found.smallest], [exact[-1], exact[-2], exact[0]], strict=True):
        slack = 1e-13  # rounding of the dense Hessian
        assert abs(pair.value - value) <= pair.residual + slack
        assert (matrix @ pair.vector_P - pair.value * pair.vector_P).norm() == pytest.approx(pair.residual, abs=1e-12)
        assert pair.residual <= tolerance * max(abs(pair.value), 0.001 * exact.abs().max())


def test_what_has_no_certificate_is_refused(classifier):
    _, _, params, loss, _ = classifier
    with pytest.raises(Unconverged, match="within 3 products"):
        extreme_eigenvalues(hessian_products(loss, params), torch.randn(59, dtype=torch.float64), 2, limit=3)
    with pytest.raises(InputError, match="raise held"):
        extreme_eigenvalues(lambda v: v, torch.ones(9), 3, held=4)


def test_a_matrix_that_is_not_symmetric_gets_no_certificate():
    matrix = torch.diag(torch.arange(20.0)) + 0.5 * torch.randn(20, 20)
    with pytest.raises(Unconverged):
        extreme_eigenvalues(lambda v: matrix @ v, torch.randn(20), limit=15, held=15)


def test_a_space_that_closes_goes_on_elsewhere():
    values = torch.tensor([5.0, 1.0, 1.0, 1.0, -3.0])
    found = extreme_eigenvalues(lambda v: values * v, torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]), 1, 1, held=5)
    assert found.largest[0].value == pytest.approx(5, abs=1e-5) and found.smallest[0].value == pytest.approx(
        -3, abs=1e-5
    )


def test_half_of_the_start_is_the_gradient():
    gradient_P = torch.randn(50)
    cosine = start_vector(gradient_P, generator(5)) @ gradient_P / gradient_P.norm()
    assert 0.6 < cosine < 0.85 and start_vector(torch.zeros(50), generator()).norm() == pytest.approx(1)


def test_traces_within_their_errors_and_hutch_plus_plus_better(classifier):
    _, _, params, loss, matrix = classifier
    product, like = hessian_products(loss, params), vector_of(params)
    exact = float(matrix.trace())
    errors = {}
    for estimate in (hutchinson_trace, hutch_plus_plus):
        runs = [estimate(product, like, 30, generator(seed)) for seed in range(25)]
        deviations = torch.tensor([(one.value - exact) / one.standard_error for one in runs])
        assert 0.7 < deviations.square().mean().sqrt() < 1.6  # of 10 and 30 samples: Student's t is wider than 1
        errors[estimate] = torch.tensor([one.value - exact for one in runs]).square().mean().sqrt()
    assert errors[hutch_plus_plus] < 0.3 * errors[hutchinson_trace]
    assert hutch_plus_plus(product, like, 180, generator()).value == pytest.approx(exact, rel=1e-10)


def test_diagonal_within_its_errors(classifier):
    _, _, params, loss, matrix = classifier
    found_P, error_P = diagonal(hessian_products(loss, params), vector_of(params), 200, generator())
    deviations_P = (found_P - matrix.diagonal()) / error_P
    assert 0.8 < deviations_P.square().mean().sqrt() < 1.2
    variance_P = (matrix.square().sum(1) - matrix.diagonal().square()) / 200
    assert torch.allclose(error_P.square(), variance_P, rtol=0.4)


def test_spectral_density_has_the_moments_and_the_steps_of_the_spectrum(classifier):
    _, _, params, loss, matrix = classifier
    exact = torch.linalg.eigvalsh(matrix)
    found = spectral_density(
        hessian_products(loss, params), vector_of(params), steps=20, starts=30, generator=generator()
    )
    assert torch.allclose(found.weights_SK.sum(1), torch.ones(30, dtype=torch.float64))
    for power in (1, 2, 3):
        mean, error = found.moment(lambda x, power=power: x**power)
        assert abs(mean - exact.pow(power).mean()) < 3 * error
    assert found.share(0.05, 9) == pytest.approx(float((exact >= 0.05).double().mean()), abs=0.03)
    grid, width = torch.linspace(-1, 2, 600, dtype=torch.float64), 0.05
    density, error = found.on_grid(grid, width)
    expected = torch.exp(-0.5 * ((grid - exact[:, None]) / width) ** 2).mean(0) / (width * (2 * torch.pi) ** 0.5)
    assert ((density - expected).abs() <= 4 * error + 1e-3 * expected.max()).all()
    assert torch.trapezoid(density, grid) == pytest.approx(1, abs=1e-6)


def test_sharpness_of_a_quadratic_is_known():
    scale = torch.tensor([1.0, 10.0], dtype=torch.float64)

    def bowl(p):
        return 0.5 * (scale * p["x"].square()).sum()

    at = {"x": torch.tensor([1.0, 1e-3], dtype=torch.float64)}
    slope = scale * at["x"]
    e = 0.3 * slope / slope.norm()
    assert sam_sharpness(bowl, at, 0.3) == pytest.approx(float(bowl({"x": at["x"] + e}) - bowl(at)))
    # max |e| <= rho of a quadratic: e = (mu - A)^-1 g with |e| = rho, by a fine grid of angles
    angles = torch.linspace(0, 2 * torch.pi, 200_001, dtype=torch.float64)
    ring = at["x"] + 0.3 * torch.stack([angles.cos(), angles.sin()], 1)
    assert worst_case_sharpness(bowl, at, 0.3, steps=60) == pytest.approx(
        float((0.5 * (scale * ring.square()).sum(1)).max() - bowl(at)), rel=1e-6
    )
    box = 0.1 * (at["x"].abs() + 1)
    assert keskar_sharpness(bowl, at, 0.1) == pytest.approx(
        float(100 * (bowl({"x": at["x"] + box}) - bowl(at)) / (1 + bowl(at)))
    )
    bottom = {"x": torch.zeros(2, dtype=torch.float64)}
    assert worst_case_sharpness(bowl, bottom, 0.3, steps=60) == pytest.approx(0.5 * 10 * 0.09, rel=1e-6)


def test_adaptive_sharpness_is_blind_to_a_rescaling_that_the_net_is_blind_to():
    x, y = torch.randn(30, 3, dtype=torch.float64), torch.randn(30, 1, dtype=torch.float64)

    def loss(p):
        return ((x @ p["a"]).relu() @ p["b"] - y).square().mean()

    one = {"a": torch.randn(3, 5, dtype=torch.float64), "b": torch.randn(5, 1, dtype=torch.float64)}
    other = {"a": 10 * one["a"], "b": one["b"] / 10}
    for sharpness in (sam_sharpness, worst_case_sharpness):
        assert sharpness(loss, one, 0.2, adaptive=True) == pytest.approx(
            float(sharpness(loss, other, 0.2, adaptive=True)), rel=1e-9
        )
        assert abs(sharpness(loss, one, 0.2) / sharpness(loss, other, 0.2) - 1) > 0.5
        with pytest.raises(InputError, match="radius above 0"):
            sharpness(loss, one, 0.0)


def test_landscapes_are_the_loss_where_they_say():
    params = {"w": torch.randn(4, 3, 2), "b": torch.randn(4)}

    def loss(p):
        return p["w"].square().sum() + p["b"].sum()

    one, other = filter_normalised(params, generator(0)), filter_normalised(params, generator(1))
    assert torch.allclose(parts_of(one, params)["w"].flatten(1).norm(dim=1), params["w"].flatten(1).norm(dim=1))
    assert not parts_of(one, params)["b"].any()
    plane = loss_plane(loss, params, one, other, [-0.5, 0.0, 1.0])
    assert plane[2, 0] == pytest.approx(float(loss(moved(moved(params, one, 1.0), other, -0.5))), rel=1e-6)
    assert torch.allclose(plane[1], loss_line(loss, params, other, [-0.5, 0.0, 1.0]))
    end = {name: torch.zeros_like(part) for name, part in params.items()}
    assert loss_line(loss, params, path_between(params, end), [0.0, 1.0]).tolist() == pytest.approx(
        [float(loss(params)), 0.0], abs=1e-5
    )


PROBES = {
    "hessian": lambda loss, p: hessian_products(loss, p)(vector_of(p)),
    "hessian of micro-batches": lambda loss, p: hessian_products([loss, loss], p)(vector_of(p)),
    "gradient": lambda loss, p: loss_and_gradient([loss, loss], p)[1],
    "gauss-newton": lambda loss, p: gauss_newton_products(lambda q: loss(q)[None], lambda z: z.square().sum(), p)(
        vector_of(p)
    ),
    "eigenvalues": lambda loss, p: torch.tensor(
        extreme_eigenvalues(hessian_products(loss, p), vector_of(p), limit=80).largest[0].value
    ),
    "trace": lambda loss, p: torch.tensor(
        hutch_plus_plus(hessian_products(loss, p), vector_of(p), 6, generator()).value
    ),
    "diagonal": lambda loss, p: diagonal(hessian_products(loss, p), vector_of(p), 2, generator())[0],
    "density": lambda loss, p: spectral_density(hessian_products(loss, p), vector_of(p), 3, 2).nodes_SK,
    "sam": sam_sharpness,
    "worst case": lambda loss, p: worst_case_sharpness(loss, p, steps=3),
    "keskar": lambda loss, p: keskar_sharpness(loss, p, steps=3),
    "plane": lambda loss, p: loss_plane(loss, p, filter_normalised(p, generator()), vector_of(p), [0.0, 0.1]),
}


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("mode", [True, False])
def test_reading_changes_nothing_and_gives_the_same_twice(make_net, data, name, mode):
    net = make_net().train(mode)  # with batch norm and dropout
    for p in net.parameters():
        p.grad = torch.randn_like(p)
    hooked = net[0].register_forward_hook(lambda *_: None)
    before, kept, grads = torch_state(), copy.deepcopy(net.state_dict()), [p.grad.clone() for p in net.parameters()]
    loss = loss_at(net, lambda n, batch: {"fit": (n(batch[0]) - batch[1]).square().mean()}, [data], [torch_state()])
    params = {n: p.detach() for n, p in net.named_parameters()}
    first, second = PROBES[name](loss, params), PROBES[name](loss, params)
    assert torch.equal(first, second) and first.isfinite().all()
    assert all(torch.equal(value, kept[key]) for key, value in net.state_dict().items())
    assert all(torch.equal(p.grad, grad) for p, grad in zip(net.parameters(), grads, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(torch_state(), before, strict=True))
    assert all(p.requires_grad and p.is_leaf for p in net.parameters())
    assert [len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in net.modules()] == [
        0,
        1,
        0,
        0,
        0,
        0,
    ]
    assert all(module.training == mode for module in net.modules()) and not torch.is_inference_mode_enabled()
    hooked.remove()
