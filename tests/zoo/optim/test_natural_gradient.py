"""Natural gradients and trust regions against the dense Fisher matrix, float64."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev

from zoo.errors import InputError
from zoo.optim import NaturalGradient, TrustRegion
from zoo.optim.conjugate_gradients import conjugate_gradients
from zoo.optim.fisher import fisher_products
from zoo.optim.flat import gradient_vector, parameter_vector


class Policy(nn.Module):
    """Three outputs from four inputs; a Gaussian's log standard deviation is a parameter beside the layers."""

    def __init__(self, gaussian: bool, hidden: bool = True):
        super().__init__()
        torch.manual_seed(3)
        layers = [nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)] if hidden else [nn.Linear(4, 3)]
        self.layers = nn.Sequential(*layers).double()
        self.log_std_A = nn.Parameter(torch.tensor([-0.5, 0.0, 0.4], dtype=torch.float64)) if gaussian else None
        self.inputs_ND = torch.randn(20, 4, dtype=torch.float64)

    def forward(self):
        return self.layers(self.inputs_ND)

    def divergence(self):
        """() -> mean KL from the distribution as it is now."""
        start = self().detach()
        if self.log_std_A is None:
            before = start.log_softmax(-1)
            return lambda: (before.exp() * (before - self().log_softmax(-1))).sum(-1).mean()
        old = self.log_std_A.detach().clone()

        def gaussian_kl():
            ratio = ((2 * old).exp() + (self() - start).square()) / (2 * (2 * self.log_std_A).exp())
            return (self.log_std_A - old + ratio - 0.5).sum(-1).mean()

        return gaussian_kl

    def dense_fisher(self):
        """Mean over inputs of the expected outer product of scores: by enumeration, or 1/sigma^2 and 2 (Gaussian)."""
        params = {name: p.detach() for name, p in self.named_parameters()}
        jacobians = jacrev(lambda values: functional_call(self, values, ()))(params)
        slope_NAP = torch.cat([jacobians[name].flatten(2) for name, _ in self.named_parameters()], 2)
        if self.log_std_A is None:
            probs_NA = self().detach().softmax(-1)
            score_NAP = slope_NAP - torch.einsum("na,nap->np", probs_NA, slope_NAP)[:, None]  # d log pi(a)
            return torch.einsum("na,nap,naq->pq", probs_NA, score_NAP, score_NAP) / 20
        scaled_NAP = slope_NAP / self.log_std_A.detach().exp()[:, None]
        fisher_PP = torch.einsum("nap,naq->pq", scaled_NAP, scaled_NAP) / 20
        # named_parameters lists the module's own parameter first
        fisher_PP[:3, :3] += 2 * torch.eye(3)
        return fisher_PP


def problem(gaussian, hidden=True):
    """(policy, closure of a loss linear in means or probabilities, gradient of it)."""
    policy = Policy(gaussian, hidden)
    weights = torch.randn(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    divergence = policy.divergence()

    def closure():
        # of the distribution alone: what the distribution does not see has no natural gradient
        outputs = policy() if gaussian else policy().softmax(-1)
        loss = (outputs * weights).mean()
        if policy.log_std_A is not None:
            loss = loss + 0.1 * policy.log_std_A.sum()
        if torch.is_grad_enabled():
            policy.zero_grad()
            loss.backward()
        return loss, divergence

    closure()
    return policy, closure, gradient_vector(list(policy.parameters()))


@pytest.mark.parametrize("gaussian", [False, True])
def test_fisher_vector_products_are_the_dense_matrix(gaussian):
    policy = Policy(gaussian)
    parameters, dense_PP = list(policy.parameters()), policy.dense_fisher()
    product = fisher_products(policy.divergence(), parameters)
    columns = torch.stack([product(unit) for unit in torch.eye(len(dense_PP), dtype=torch.float64)], 1)
    torch.testing.assert_close(columns, dense_PP, atol=1e-10, rtol=1e-10)
    assert dense_PP.norm() > 0.1


def test_unused_parameters_have_no_information():
    used, unused = (nn.Parameter(torch.zeros(2)) for _ in range(2))
    product = fisher_products(lambda: used.square().sum(), [used, unused])
    assert product(torch.ones(4)).tolist() == [2, 2, 0, 0]


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("kind", [NaturalGradient, TrustRegion])
def test_the_step_is_the_dense_solution_on_the_trust_region(kind, gaussian):
    policy, closure, gradient_P = problem(gaussian)
    parameters = list(policy.parameters())
    damped_PP = policy.dense_fisher() + 1e-3 * torch.eye(len(gradient_P))
    x_P = torch.linalg.solve(damped_PP, gradient_P)
    before_P = parameter_vector(parameters)
    optimizer = kind(parameters, kl=1e-6, damping=1e-3, iterations=200, tolerance=1e-12)
    optimizer.step(closure)
    length = (2e-6 / (x_P @ damped_PP @ x_P)).sqrt() * 0.8 ** optimizer.readings.get("backtracks", 0)
    torch.testing.assert_close(parameter_vector(parameters) - before_P, -length * x_P, rtol=1e-6, atol=1e-12)
    assert optimizer.readings["cg_residual"] < 1e-9
    assert optimizer.readings["predicted"] == pytest.approx(float(length * gradient_P @ x_P), rel=1e-6)
    assert optimizer.readings["actual"] == pytest.approx(optimizer.readings["predicted"], rel=1e-2)


@pytest.mark.parametrize("gaussian", [False, True])
def test_the_divergence_of_a_step_is_the_asked_one(gaussian):
    """Its error is of third order: a hundred times less KL, ten times less relative error."""
    errors = []
    for kl in (1e-3, 1e-5):
        policy, closure, _ = problem(gaussian, hidden=False)
        optimizer = NaturalGradient(policy.parameters(), kl=kl, damping=1e-9, iterations=300, tolerance=1e-10)
        optimizer.step(closure)
        errors.append(abs(optimizer.readings["step_kl"] / kl - 1))
    assert errors[0] < 0.1 and errors[1] < 0.2 * errors[0]


def test_the_step_is_the_same_whatever_the_loss_is_scaled_by():
    ends = []
    for scale in (1.0, 8192.0):
        policy, closure, _ = problem(False)

        def scaled(policy=policy, closure=closure, scale=scale):
            loss, divergence = closure()
            for parameter in policy.parameters():
                parameter.grad *= scale
            return scale * loss, divergence

        NaturalGradient(policy.parameters(), iterations=50).step(scaled)
        ends.append(parameter_vector(list(policy.parameters())))
    assert torch.equal(*ends)


def test_without_a_region_least_squares_take_one_whole_step():
    """Normal noise of variance 1 around A w, maximum likelihood: F is the Hessian, Amari's step is Newton's."""
    torch.manual_seed(0)
    a, b = torch.randn(12, 4, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    w = nn.Parameter(torch.zeros(4, dtype=torch.float64))

    def closure():
        w.grad = (a.t() @ (a @ w.detach() - b)) / 12
        return (a @ w.detach() - b).square().mean() / 2, lambda: (a @ (w - start)).square().mean() / 2

    start = w.detach().clone()
    first = NaturalGradient([w], kl=None, damping=0.0, iterations=10, tolerance=1e-12).step(closure)
    torch.testing.assert_close(w.detach(), torch.linalg.lstsq(a, b[:, None]).solution[:, 0])
    assert float(first) == pytest.approx(float(b.square().mean() / 2))


def test_a_trust_region_shortens_until_the_loss_falls_within_the_divergence():
    """loss = |w| - like: the whole step goes from 1 to -1.4, the loss is lower only from the third trial on."""
    w = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))

    def closure():
        w.grad = torch.ones_like(w)
        return (w.detach() + 2 * (-w.detach()).clamp_min(0)).sum(), lambda: (w - 1).square().sum() / 2

    optimizer = TrustRegion([w], kl=2.88, damping=0.0, shrink=0.5)
    optimizer.step(closure)
    assert float(w.detach()) == pytest.approx(1 - 1.2)
    assert optimizer.readings | {"step_kl": 0} == pytest.approx(
        {
            "predicted": 1.2,
            "actual": 0.8,
            "step_kl": 0,
            "accepted": 1,
            "backtracks": 1,
            "cg_residual": 0,
            "cg_iterations": 1,
        }
    )
    assert optimizer.readings["step_kl"] == pytest.approx(0.72)


@pytest.mark.parametrize("failing", ["loss", "divergence", "nan"])
def test_a_failed_search_restores_the_parameters_bitwise(failing):
    policy, closure, _ = problem(True)
    before = [parameter.detach().clone() for parameter in policy.parameters()]
    memory = [parameter.data_ptr() for parameter in policy.parameters()]

    def refused():
        loss, divergence = closure()
        if torch.is_grad_enabled():
            return loss, (lambda: divergence() + 1) if failing == "divergence" else divergence
        return {"loss": loss + 1, "divergence": loss - 1, "nan": loss * float("nan")}[failing], divergence

    optimizer = TrustRegion(policy.parameters())
    optimizer.step(refused)
    assert optimizer.readings["accepted"] == 0 and optimizer.readings["backtracks"] == 9
    assert all(torch.equal(now, then) for now, then in zip(policy.parameters(), before, strict=True))
    assert [parameter.data_ptr() for parameter in policy.parameters()] == memory


@pytest.mark.parametrize("kind", [NaturalGradient, TrustRegion])
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_no_gradient_no_step(kind, value):
    policy, closure, _ = problem(False)
    before_P = parameter_vector(list(policy.parameters()))

    def flat():
        result = closure()
        for parameter in policy.parameters():
            parameter.grad.fill_(value)
        return result

    optimizer = kind(policy.parameters())
    optimizer.step(flat)
    assert optimizer.readings["accepted"] == 0
    assert torch.equal(parameter_vector(list(policy.parameters())), before_P)


@pytest.mark.parametrize("kind", [NaturalGradient, TrustRegion])
def test_a_resumed_run_goes_on_bit_for_bit(kind):
    policy, closure, _ = problem(True)
    optimizer = kind(policy.parameters(), kl=1e-3)
    optimizer.step(closure)
    twin, twin_closure, _ = problem(True)
    again = kind(twin.parameters())
    twin.load_state_dict(policy.state_dict())
    again.load_state_dict(optimizer.state_dict())
    optimizer.step(closure)
    again.step(twin_closure)
    # the twin's divergence is from the first start: the same numbers, since only its value depends on the start
    assert all(torch.equal(a, b) for a, b in zip(policy.parameters(), twin.parameters(), strict=True))


def test_conjugate_gradients_solve_and_say_what_is_left():
    torch.manual_seed(1)
    root = torch.randn(12, 12, dtype=torch.float64)
    a, b = root @ root.t() + torch.eye(12), torch.randn(12, dtype=torch.float64)
    whole = conjugate_gradients(lambda v: a @ v, b, 1e-12, 50)
    torch.testing.assert_close(whole.x_P, torch.linalg.solve(a, b))
    part = conjugate_gradients(lambda v: a @ v, b, 1e-12, 4)
    assert part.iterations == 4 and float(part.residual_P.norm()) > 1e-3
    torch.testing.assert_close(part.residual_P, b - a @ part.x_P)
    # the best of the Krylov space in the norm of A
    krylov = torch.linalg.qr(torch.stack([torch.linalg.matrix_power(a, k) @ b for k in range(4)], 1))[0]
    best = krylov @ torch.linalg.solve(krylov.t() @ a @ krylov, krylov.t() @ b)
    torch.testing.assert_close(part.x_P, best, rtol=1e-6, atol=1e-9)


def test_no_curvature_ends_the_iterations():
    assert conjugate_gradients(torch.zeros_like, torch.ones(3)).iterations == 0


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(NaturalGradient, {"kl": 0.0}), (NaturalGradient, {"damping": -1.0}), (NaturalGradient, {"lr": 0.0})]
    + [(TrustRegion, wrong) for wrong in ({"shrink": 1.0}, {"trials": 0}, {"accept": 1.0}, {"tolerance": 0.0})],
)
def test_settings_out_of_range_are_refused(kind, wrong):
    with pytest.raises(InputError, match=kind.__name__):
        kind([nn.Parameter(torch.zeros(1))], **wrong)


@pytest.mark.parametrize("kind", [NaturalGradient, TrustRegion])
def test_a_step_without_closure_is_refused(kind):
    with pytest.raises(InputError, match="closure"):
        kind([nn.Parameter(torch.zeros(1))]).step()
