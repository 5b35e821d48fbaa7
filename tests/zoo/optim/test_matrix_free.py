"""Damped least squares without matrices: equal to the dense formulas, in both spaces."""

import pytest
import torch
from torch import nn

from zoo.derivatives import jacobian_products as products
from zoo.derivatives import jet_of, per_point, residual_jacobian
from zoo.derivatives.jacobian_products import Factor, JacobianProducts
from zoo.derivatives.space import JetSpace
from zoo.errors import InputError
from zoo.optim import MatrixFreeLevenbergMarquardt
from zoo.optim.damped_least_squares import KernelSystem, by_conjugate_gradients
from zoo.optim.nystrom import inverse_near, nystrom

SPACE = JetSpace(("t", "x"), frozenset({"t", "xx"}))


class Layered(nn.Module):
    """A layer used twice, a shared weight, a constant that is sought; two residuals a point."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 5), nn.Linear(5, 5), nn.Linear(5, 2)
        self.speed = nn.Parameter(torch.tensor(0.7))

    def residuals(self, points_ND):
        jet = jet_of(points_ND, SPACE)
        hidden = torch.tanh(self.second(torch.tanh(self.second(torch.tanh(self.first(jet))))))
        u = self.last(hidden)
        speed = per_point(self.speed, len(points_ND))[:, None]
        return u["t"] + speed * u[""] * u["xx"] - torch.sin(points_ND[:, :1])


@pytest.fixture
def case():
    torch.manual_seed(0)
    net, points = Layered().double(), torch.rand(30, 2, dtype=torch.float64)
    return net, points, lambda: net.residuals(points)


def test_products_are_those_of_the_matrix(case):
    net, _, residuals = case
    parameters = list(net.parameters())
    rows, dense = residual_jacobian(residuals, parameters)
    same, operator = products.jacobian_products(residuals, parameters)
    assert rows.equal(same) and operator.shape == dense.shape
    generator = torch.Generator().manual_seed(1)
    v, u = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (dense.shape[1], dense.shape[0]))
    torch.testing.assert_close(operator @ v, dense @ v)
    torch.testing.assert_close(operator.t() @ u, dense.t() @ u)
    torch.testing.assert_close(operator.t().t() @ v, dense @ v)
    torch.testing.assert_close(operator.column_squares(), dense.square().sum(0))
    whole = torch.zeros_like(dense)
    for columns, block in operator.column_blocks():
        whole[:, columns] = block
    torch.testing.assert_close(whole, dense)


def test_some_parameters_only_and_several_blocks(case):
    net, points, residuals = case
    chosen = [net.last.bias, net.speed, net.second.weight]
    blocks = [residuals, lambda: net.residuals(points[:7]) * 3]
    dense = torch.cat([residual_jacobian(block, chosen)[1] for block in blocks])
    operator = products.stacked([products.jacobian_products(block, chosen)[1] for block in blocks])
    v, u = torch.ones(dense.shape[1], dtype=torch.float64), torch.arange(len(dense), dtype=torch.float64)
    torch.testing.assert_close(operator @ v, dense @ v)
    torch.testing.assert_close(operator.t() @ u, dense.t() @ u)
    torch.testing.assert_close(operator.column_squares(), dense.square().sum(0))


def test_a_parameter_that_acts_otherwise_is_refused():
    bent, points = nn.Parameter(torch.ones(())), torch.rand(4, 2)
    with pytest.raises(InputError, match="per_point"):
        products.jacobian_products(lambda: bent * points[:, :1], [bent])


def dense_operator(matrix_RP):
    """A matrix as the operator of one linear layer with one output."""
    return JacobianProducts(
        tuple(matrix_RP.shape),
        (
            Factor(
                slice(0, len(matrix_RP), 1),
                slice(0, matrix_RP.shape[1]),
                matrix_RP.new_ones(1, len(matrix_RP), 1),
                matrix_RP[None],
            ),
        ),
    )


@pytest.mark.parametrize("shape", [(40, 9), (6, 20)])
def test_both_spaces_solve_the_normal_equations(shape):
    generator = torch.Generator().manual_seed(2)
    J, b = (torch.randn(s, generator=generator, dtype=torch.float64) for s in (shape, shape[:1]))
    J *= torch.logspace(-2, 1, shape[1], dtype=torch.float64)  # badly scaled columns
    scale, damping = J.square().sum(0), 0.03
    expected = torch.linalg.solve(J.t() @ J + torch.diag(damping * scale), J.t() @ b)
    operator = dense_operator(J)
    x, spent = by_conjugate_gradients(operator, b, damping * scale, lambda v: v / scale, 1e-12, 200)
    torch.testing.assert_close(x, expected, rtol=1e-8, atol=1e-12)
    assert spent <= min(shape) + 5  # Jacobi makes the spectrum 1 + damping at most min(shape) times apart
    torch.testing.assert_close(
        KernelSystem(operator, scale, shape[0]).solve(b, damping), expected, rtol=1e-8, atol=1e-12
    )


def test_conjugate_gradients_stop_where_told():
    generator = torch.Generator().manual_seed(3)
    J, b = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((60, 30), (60,)))
    damp, squares = torch.zeros(30, dtype=torch.float64), J.square().sum(0)

    def jacobi(v):
        return v / squares

    _, spent = by_conjugate_gradients(J, b, damp, jacobi, 1e-12, 7)
    assert spent == 7
    x, spent = by_conjugate_gradients(J, b, damp, jacobi, 1e-3, 100)
    slope = J.t() @ (b - J @ x)
    ratio = (slope.square() / squares).sum() / ((J.t() @ b).square() / squares).sum()
    assert ratio.sqrt() <= 1e-3 and 3 < spent < 30
    assert by_conjugate_gradients(J, torch.zeros(60, dtype=torch.float64), damp, jacobi, 1e-3, 9)[1] == 0


def decaying(size, seed=4):
    """A matrix [size, size] with eigenvalues 1, 1/2, 1/4, ..."""
    basis, _ = torch.linalg.qr(
        torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    )
    return basis @ torch.diag(0.5 ** torch.arange(size, dtype=torch.float64)) @ basis.t()


def test_nystrom_is_exact_on_a_matrix_of_its_rank():
    root = torch.randn(40, 7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    low = root @ root.t()
    vectors, values = nystrom(lambda v: low @ v, low[0], 9, torch.Generator().manual_seed(0))
    torch.testing.assert_close(vectors @ torch.diag(values) @ vectors.t(), low, rtol=0, atol=1e-11)
    torch.testing.assert_close(vectors.t() @ vectors, torch.eye(9, dtype=torch.float64))
    assert values[7:].max() < 1e-11


def test_nystrom_is_near_the_largest_eigenvalues_from_below():
    A = decaying(40)
    _, values = nystrom(lambda v: A @ v, A[0], 12, torch.Generator().manual_seed(1))
    exact = 0.5 ** torch.arange(12, dtype=torch.float64)
    assert (values <= exact + 1e-14).all()
    torch.testing.assert_close(values[:6], exact[:6], rtol=1e-2, atol=0)


def test_nystrom_preconditions():
    """For a square root J of the matrix: far fewer iterations to the same answer."""
    A, damping = decaying(60), 1e-9
    J, b = torch.linalg.cholesky(A + 1e-14 * torch.eye(60)).t(), torch.ones(60, dtype=torch.float64)
    damp = torch.full((60,), damping, dtype=torch.float64)
    near = nystrom(lambda v: J.t() @ (J @ v), b, 25, torch.Generator().manual_seed(0))
    _, slow = by_conjugate_gradients(J, b, damp, lambda v: v, 1e-10, 1000)
    quick, fast = by_conjugate_gradients(J, b, damp, inverse_near(*near, damping), 1e-10, 1000)
    expected = torch.linalg.solve(J.t() @ J + torch.diag(damp), J.t() @ b)
    assert (quick - expected).norm() < 1e-6 * expected.norm() and fast * 3 < slow, (fast, slow)


def two_terms(net, points):
    parameters = list(net.parameters())
    blocks = [lambda: net.residuals(points), lambda: net.residuals(points[:7]) * 3]
    return products.stacked([products.jacobian_products(block, parameters)[1] for block in blocks])


def test_as_many_sums_as_rows_are_the_rows_with_a_sign(case):
    net, points, _ = case
    operator = two_terms(net, points)
    dense = torch.stack([operator.t() @ unit for unit in torch.eye(operator.shape[0], dtype=torch.float64)])
    sums = operator.row_sums(operator.shape[0], torch.Generator().manual_seed(0))
    assert sums.shape == dense.shape and not sums.equal(dense)
    torch.testing.assert_close(sums.t() @ sums, dense.t() @ dense)


def test_sums_of_rows_are_the_gram_matrix_in_the_mean(case):
    """E (SJ)'(SJ) = J'J; the mean of 400 draws is off by what their spread allows."""
    net, points, _ = case
    operator = two_terms(net, points)
    every = torch.stack([operator.t() @ unit for unit in torch.eye(operator.shape[0], dtype=torch.float64)])
    exact = every.t() @ every
    drawn = [operator.row_sums(20, torch.Generator().manual_seed(seed)) for seed in range(400)]
    assert all(abs(len(one) - 20) <= 2 for one in drawn)
    grams = torch.stack([one.t() @ one for one in drawn])
    sizes = grams.std(0) / 400**0.5
    off = ((grams.mean(0) - exact) / sizes.clamp(min=1e-9 * float(exact.abs().max()))).abs()
    assert off.mean() < 1.2 and off.max() < 6  # 0.8 and about 4 for normal errors


def test_a_sketch_of_linear_rows_by_hand():
    """Rows 1, 2, 4 in two sums: the pair that shares one, its sum or difference, and the third alone."""
    operator = dense_operator(torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64))
    allowed = {(a, b) for a, b in [(3, 4), (1, 4), (5, 2), (3, 2), (6, 1), (2, 1)]}
    for seed in range(20):
        found = operator.row_sums(2, torch.Generator().manual_seed(seed))[:, 0].abs().tolist()
        assert tuple(sorted(found, reverse=True)) in {tuple(sorted(pair, reverse=True)) for pair in allowed}


@pytest.mark.parametrize(("rank", "steps", "most"), [(200, 16, 0.1), (60, 40, 0.4)])
def test_a_sketched_least_squares_goes_to_the_known_answer(rank, steps, most):
    """By the sketch's step alone, and badly scaled: the error falls by a factor a step, which more sums make smaller."""
    torch.manual_seed(0)
    A = torch.randn(400, 20, dtype=torch.float64) * torch.logspace(-3, 2, 20, dtype=torch.float64)
    truth = torch.linspace(1, 2, 20, dtype=torch.float64)
    w, b = nn.Parameter(torch.zeros(20, dtype=torch.float64)), A @ truth
    optimizer = MatrixFreeLevenbergMarquardt(
        [w], "parameters", damping=1e-12, accelerate=False, rank=rank, preconditioner="sketch", iterations=1
    )
    costs = [float(optimizer.step(lambda: (A @ w.detach() - b, dense_operator(A)))) for _ in range(steps)]
    assert optimizer.readings["trials"] == 1 and optimizer.readings["iterations"] <= 1
    torch.testing.assert_close(w.detach(), truth, rtol=1e-2, atol=0)
    rate = (costs[10] / costs[0]) ** (1 / 10)
    assert rate < most


def test_a_sketch_saves_iterations(case):
    net, _, residuals = case
    spent = {}
    for rank in (0, 40):
        optimizer = MatrixFreeLevenbergMarquardt(
            net.parameters(),
            "parameters",
            tolerance=1e-8,
            iterations=2000,
            rank=rank,
            preconditioner="sketch",
            trials=1,
        )
        before = [p.detach().clone() for p in net.parameters()]
        optimizer.step(closure_of(residuals, list(net.parameters())))
        spent[rank] = optimizer.readings["iterations"]
        for parameter, value in zip(net.parameters(), before, strict=True):
            parameter.data.copy_(value)
    assert spent[40] * 2 < spent[0], spent


def step_of_the_formulas(residuals, net, damping, accelerate):
    """w + delta + a / 2 by dense linear algebra."""
    parameters = list(net.parameters())
    rows, J = residual_jacobian(residuals, parameters)
    r, before = rows.flatten(), nn.utils.parameters_to_vector(parameters).detach().clone()
    scale = J.square().sum(0)
    matrix = J.t() @ J + torch.diag(damping * scale.clamp(min=1e-12 * scale.max()))
    delta = -torch.linalg.solve(matrix, J.t() @ r)
    if not accelerate:
        return before + delta
    with torch.no_grad():
        nn.utils.vector_to_parameters(before + 0.1 * delta, parameters)
        second = 20 * ((residuals().flatten() - r) / 0.1 - J @ delta)
        nn.utils.vector_to_parameters(before, parameters)
    return before + delta - 0.5 * torch.linalg.solve(matrix, J.t() @ second)


def closure_of(residuals, parameters):
    def closure():
        if not torch.is_grad_enabled():
            return residuals().flatten(), None
        rows, operator = products.jacobian_products(residuals, parameters)
        return rows.flatten(), operator

    return closure


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize(("space", "rank"), [("parameters", 0), ("parameters", 20), ("residuals", 0)])
def test_a_step_is_that_of_the_dense_formulas(case, space, rank, accelerate):
    net, _, residuals = case
    before = nn.utils.parameters_to_vector(net.parameters()).detach().clone()
    expected = step_of_the_formulas(residuals, net, 300.0, accelerate)
    optimizer = MatrixFreeLevenbergMarquardt(
        net.parameters(), space, damping=300.0, accelerate=accelerate, tolerance=1e-13, iterations=2000, rank=rank
    )
    optimizer.step(closure_of(residuals, list(net.parameters())))
    assert optimizer.readings["trials"] == 1
    found = nn.utils.parameters_to_vector(net.parameters()).detach()
    torch.testing.assert_close(found - before, expected - before, rtol=1e-8, atol=1e-14)
    assert (optimizer.readings["iterations"] > 0) == (space == "parameters")


@pytest.mark.parametrize("accelerate", [False, True])
def test_a_sketch_of_as_many_sums_as_residuals_is_the_dense_step_at_once(case, accelerate):
    net, _, residuals = case
    before = nn.utils.parameters_to_vector(net.parameters()).detach().clone()
    expected = step_of_the_formulas(residuals, net, 300.0, accelerate)
    optimizer = MatrixFreeLevenbergMarquardt(
        net.parameters(),
        "parameters",
        damping=300.0,
        accelerate=accelerate,
        iterations=1,
        rank=60,
        preconditioner="sketch",
    )
    optimizer.step(closure_of(residuals, list(net.parameters())))
    assert optimizer.readings["trials"] == 1 and optimizer.readings["iterations"] == 1 + accelerate
    found = nn.utils.parameters_to_vector(net.parameters()).detach()
    torch.testing.assert_close(found - before, expected - before, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("points", [8, 60])
def test_auto_takes_the_smaller_space(case, points):
    net, _, _ = case
    places = torch.rand(points, 2, dtype=torch.float64)
    optimizer = MatrixFreeLevenbergMarquardt(net.parameters())
    optimizer.step(closure_of(lambda: net.residuals(places), list(net.parameters())))
    assert (optimizer.readings["iterations"] == 0) == (points * 2 <= sum(p.numel() for p in net.parameters()))


@pytest.mark.parametrize("space", ["parameters", "residuals"])
def test_it_learns(case, space):
    net, _, residuals = case
    optimizer = MatrixFreeLevenbergMarquardt(net.parameters(), space, iterations=100)
    closure = closure_of(residuals, list(net.parameters()))
    costs = [float(optimizer.step(closure)) for _ in range(20)]
    assert costs[-1] < 1e-3 * costs[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"space": "both"}, "parameters, residuals or auto"),
        ({"rank": -1}, "rank >= 0"),
        ({"tolerance": 1.0}, "0 < tolerance < 1"),
        ({"preconditioner": "qr"}, "nystrom or sketch"),
        ({"damping": 0.0}, r"MatrixFreeLevenbergMarquardt\.damping"),
    ],
)
def test_common_mistakes(options, says):
    with pytest.raises(InputError, match=says):
        MatrixFreeLevenbergMarquardt([nn.Parameter(torch.ones(2))], **options)
