"""Every clipping rule against a plain loop, and one suite for all of them."""

import pytest
import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.optim import Adaptive, AutoClip, ByGlobalNorm, ByParameterNorm, ByValue, ZClip
from zoo.training.monitor import gradient_norms

RULES = [
    ByValue(0.5),
    ByGlobalNorm(0.5),
    ByParameterNorm(0.5),
    Adaptive(0.05),
    AutoClip(10.0, history=5),
    ZClip(warmup=2),
]


def tensors(scale: float = 1.0, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(4, 3), (4,), (2, 3, 3, 3), ()]
    parameters = [torch.randn(shape, generator=generator) for shape in shapes]
    return [scale * torch.randn(shape, generator=generator) for shape in shapes], parameters


def clip(rule, gradients, parameters, observe=True):
    return rule(gradients, parameters, *gradient_norms(gradients), observe=observe)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_the_norm_that_is_told_is_the_norm_that_is_left(rule):
    for seed, scale in enumerate((1.0, 1.0, 1.0, 30.0, 1e-3, 1.0)):
        gradients, parameters = tensors(scale, seed)
        after, fraction = clip(rule, gradients, parameters)
        assert after.item() == pytest.approx(gradient_norms(gradients)[1].item(), rel=1e-4)
        assert 0 <= fraction.item() <= 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_no_rule_waits_for_the_device(rule, monkeypatch):
    """Reading a number off a tensor, or branching on it, would wait for the device."""
    gradients, parameters = tensors(5.0)
    norms = gradient_norms(gradients)

    def refuse(*_):
        raise AssertionError("waits for the device")

    for name in ("item", "__bool__", "__float__", "__int__", "tolist"):
        monkeypatch.setattr(Tensor, name, refuse)
    rule(gradients, parameters, *norms, observe=True)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_state_goes_through_a_checkpoint(rule):
    for seed in range(4):
        clip(rule, *tensors(1.0, seed))
    twin = type(rule)(**{"ByValue": {"limit": 0.5}, "ByGlobalNorm": {"max_norm": 0.5},
                         "ByParameterNorm": {"max_norm": 0.5}, "Adaptive": {"clip_factor": 0.05},
                         "AutoClip": {"percentile": 10.0, "history": 5}, "ZClip": {"warmup": 2}}[type(rule).__name__])  # fmt: skip
    twin.load_state_dict(rule.state_dict())
    (a, parameters), (b, _) = tensors(9.0, 7), tensors(9.0, 7)
    clip(rule, a, parameters)
    clip(twin, b, parameters)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("make", [lambda: AutoClip(50.0, history=8), lambda: ZClip(warmup=2)])
def test_a_bad_gradient_does_not_poison_the_history(make):
    rule = make()
    for seed in range(4):
        clip(rule, *tensors(1.0, seed))
    before = {name: value.clone() for name, value in rule.state_dict().items()}
    for bad in (float("nan"), float("inf")):
        gradients, parameters = tensors()
        gradients[0][0, 0] = bad
        clip(rule, gradients, parameters)
    for name, value in rule.state_dict().items():
        assert torch.equal(value.nan_to_num(-1.0), before[name].nan_to_num(-1.0)), name


@pytest.mark.parametrize("make", [lambda: AutoClip(50.0, history=8), lambda: ZClip(warmup=2)])
def test_later_evaluations_of_a_step_are_not_remembered(make):
    rule = make()
    clip(rule, *tensors())
    before = repr(rule.state_dict())
    clip(rule, *tensors(7.0), observe=False)
    assert repr(rule.state_dict()) == before


def test_by_value_is_a_clamp():
    gradients, parameters = tensors()
    expected = [g.clamp(-0.5, 0.5) for g in gradients]
    share = sum((g.abs() > 0.5).sum().item() for g in gradients) / sum(g.numel() for g in gradients)
    assert clip(ByValue(0.5), gradients, parameters)[1].item() == pytest.approx(share)
    assert all(torch.equal(a, b) for a, b in zip(gradients, expected, strict=True))


def test_global_norm_is_torchs():
    gradients, parameters = tensors(3.0)
    layers = [nn.Parameter(p.clone()) for p in parameters]
    for layer, gradient in zip(layers, gradients, strict=True):
        layer.grad = gradient.clone()
    nn.utils.clip_grad_norm_(layers, 0.7)
    clip(ByGlobalNorm(0.7), gradients, parameters)
    assert all(torch.allclose(a, b.grad, rtol=1e-6) for a, b in zip(gradients, layers, strict=True))


def test_parameter_norm_limits_each_tensor():
    gradients, parameters = tensors(3.0)
    before = [g.clone() for g in gradients]
    clip(ByParameterNorm(0.7), gradients, parameters)
    for a, b in zip(gradients, before, strict=True):
        assert torch.allclose(a, b * min(1.0, 0.7 / b.norm().item()), rtol=1e-5)


def test_adaptive_is_the_papers_loop():
    gradients, parameters = tensors(1.0)
    expected = [g.clone() for g in gradients]
    for gradient, weight in zip(expected, parameters, strict=True):
        units = range(gradient.shape[0]) if gradient.dim() > 1 else [...]  # a vector is one unit
        for i in units:
            limit = 0.05 * max(weight[i].norm().item(), 1e-3)
            if gradient[i].norm().item() > limit:
                gradient[i] *= limit / (gradient[i].norm() + 1e-6)
    clip(Adaptive(0.05, 1e-3), gradients, parameters)
    assert all(torch.allclose(a, b, rtol=1e-4) for a, b in zip(gradients, expected, strict=True))


def test_autoclip_limits_to_the_percentile_of_the_last_norms():
    rule, history = AutoClip(25.0, history=4), []
    for seed in range(9):
        gradients, parameters = tensors(1 + seed % 3, seed)
        history = [*history, gradient_norms(gradients)[1].item()][-4:]
        after, _ = clip(rule, gradients, parameters)
        limit = torch.tensor(history).quantile(0.25).item()
        assert after.item() == pytest.approx(min(history[-1], limit), rel=1e-4)


def test_zclip_cuts_a_spike_and_nothing_else():
    rule = ZClip(threshold=2.5, warmup=20)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        g = [torch.full((1,), 1 + 0.01 * torch.randn((), generator=generator).item())]
        clip(rule, g, g)
    spike = [torch.full((1,), 10.0)]
    mean, deviation = rule.mean.item(), rule.variance.sqrt().item()
    z = (10.0 - mean) / (deviation + 1e-6)
    after, share = clip(rule, spike, spike)
    assert share.item() == 1
    assert after.item() == pytest.approx(mean + 2.5**2 / z * deviation, rel=1e-3)
    calm = [torch.full((1,), 1.0)]
    assert clip(rule, calm, calm)[1].item() == 0


@pytest.mark.parametrize(
    "wrong",
    [lambda: ByValue(0), lambda: ByGlobalNorm(-1), lambda: AutoClip(0), lambda: AutoClip(101), lambda: ZClip(decay=1)],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError, match=r"expected .* got"):
        wrong()
