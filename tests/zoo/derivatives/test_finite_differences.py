"""Slopes against closed forms, and each kind of disagreement by its own name."""

import math

import numpy as np
import pytest
import torch

from zoo.derivatives.finite_differences import compared, differences, observed_order
from zoo.derivatives.gradient_check import check_gradients
from zoo.derivatives.in_float64 import in_float64


def smooth(x: float) -> float:
    return math.sin(3 * x) + 0.2


@pytest.mark.parametrize(
    ("f", "claimed", "verdict"),
    [
        (smooth, 3.0, "agrees"),
        (smooth, 3.00001, "wrong gradient"),
        (smooth, -3.0, "wrong gradient"),
        (smooth, 0.0, "wrong gradient"),
        (lambda x: 2 * x + 1, 2.0, "agrees"),
        (lambda x: 1.0, 0.0, "agrees"),
        (lambda x: abs(x) + 1, 0.0, "kink"),
        (lambda x: max(x, 0) + 1, 0.0, "kink"),
        (lambda x: max(x, 0) + 1, 0.5, "kink"),
        (lambda x: max(x, 0) + 1, 1.5, "wrong gradient"),
        (lambda x: smooth(x) + 1e-3 * max(x, 0), 3.0, "kink"),
        (lambda x: abs(x - 1e-5) + 1, -1.0, "agrees"),  # a kink nearby, which smaller steps do not meet
        (lambda x: smooth(x) + 0.01 * (x > 0), 3.0, "jump"),
        (lambda x: smooth(x) + 0.01 * (x > 1e-5), 3.0, "agrees"),
        (lambda x: float(np.float32(smooth(x))), 3.0, "staircase"),
        (lambda x: float(np.float16(smooth(x))), 3.0, "staircase"),
    ],
)
def test_what_a_disagreement_is(f, claimed, verdict):
    assert compared(f, claimed, f(0.0)).verdict == verdict


def test_richardson_is_of_fourth_order_and_central_differences_of_second():
    errors = [abs(differences(math.exp, h, 1.0).value - 1) for h in (0.4, 0.2)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.05)
    assert observed_order([differences(math.exp, 0.05, 1.0)], 1.0) == pytest.approx(2, abs=0.01)


def test_order_one_where_kinks_are_crossed():
    knots = np.random.default_rng(0).uniform(-0.01, 0.01, 20_000)

    def many(x: float) -> float:
        return float(np.maximum(x - knots, 0).sum() / 200 + 1)

    found = compared(many, 0.0, many(0.0))
    seen = [differences(many, 2e-3 / 4**level, many(0.0)) for level in range(3)]
    assert observed_order(seen, float((knots < 0).sum() / 200)) == pytest.approx(1, abs=0.6)
    assert found.verdict == "wrong gradient"


def planted(wrong: float) -> type[torch.autograd.Function]:
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, gradient):
            return (3 + wrong) * ctx.saved_tensors[0] ** 2 * gradient

    return Cube


TENSORS = {"weight": torch.linspace(-1, 1, 12).view(3, 4), "bias": torch.tensor([0.3, -0.2, 0.1])}


def loss_with(bias_part):
    x = torch.linspace(-1, 2, 20).view(5, 4)
    return lambda t: (x @ t["weight"].t()).sin().square().mean() + bias_part(t["bias"]).sum()


@pytest.mark.parametrize(
    ("part", "verdict"),
    [
        (planted(0.0).apply, "agrees"),
        (planted(1e-4).apply, "wrong gradient"),
        (lambda b: b.detach() ** 2, "wrong gradient"),
        (lambda b: (b - TENSORS["bias"].double()).relu(), "kink"),
        (lambda b: (b > TENSORS["bias"].double()).double(), "jump"),
        (lambda b: b.detach().numpy().astype("float32").sum() + 0 * b, "staircase"),
    ],
)
def test_a_planted_fault_is_named_at_its_tensor(part, verdict):
    found = check_gradients(loss_with(part), TENSORS)
    by_name = {name: {c.comparison.verdict for c in found.checks if c.name == name} for name in TENSORS}
    assert by_name["weight"] == {"agrees"}
    assert verdict in by_name["bias"] and by_name["bias"] <= {verdict, "agrees"}


def test_a_single_wrong_entry_among_thousands():
    class OneWrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.square()

        @staticmethod
        def backward(ctx, gradient):
            wrong = 2 * big.double() * gradient
            wrong.view(-1)[1234] *= 1.1
            return wrong

    big = torch.randn(50, 60)
    found = check_gradients(lambda t: OneWrong.apply(t["x"]).mean(), {"x": big}, seconds=0)
    assert [one.comparison.verdict for one in found.checks] == ["wrong gradient"]


def test_unsteady_loss_and_unsteady_gradient():
    generator = np.random.default_rng(0)

    class Noisy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient * (1 + 1e-3 * generator.random())

    noisy_loss = check_gradients(lambda t: t["x"].sum() + 1e-9 * generator.random(), {"x": torch.ones(3)})
    noisy_gradient = check_gradients(lambda t: Noisy.apply(t["x"]).sum(), {"x": torch.ones(3)})
    assert noisy_loss.unsteady_what == "loss" and noisy_gradient.unsteady_what == "gradient"
    assert not noisy_loss.passed and not noisy_gradient.passed and not noisy_loss.checks


def test_padding_rows_are_left_out():
    table, tokens = torch.randn(6, 3), torch.tensor([[0, 2, 0, 5]])

    def loss(t):
        return torch.nn.functional.embedding(tokens, t["table"], padding_idx=0).sin().sum()

    assert check_gradients(loss, {"table": table}).passed

    def unpadded(t):
        return loss(t) + t["table"][0].detach().square().sum()

    assert check_gradients(unpadded, {"table": table}).passed


def test_float64_inside_whatever_was_written():
    x = torch.tensor([1.0], dtype=torch.float32)
    with in_float64():
        assert {
            x.float().dtype,
            (x / 3).dtype,
            torch.zeros(1, dtype=torch.float32).dtype,
            x.to(torch.bfloat16).dtype,
        } == {torch.float64}
        assert torch.nn.functional.cross_entropy(torch.randn(2, 3).float(), torch.tensor([0, 1])).dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32 and (x / 3).dtype == torch.float32
