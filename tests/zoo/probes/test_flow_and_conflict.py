"""Gradients of layers against backpropagation by hand; cosines between gradients that are known."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from zoo.derivatives import by_hand
from zoo.probes import cosines, flow_norms, gradient_cosines, gradient_flow, task_gradients


@pytest.mark.parametrize("inplace", [False, True])
def test_flow_is_backpropagation_by_hand(inplace):
    net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU(inplace), nn.Linear(4, 3)).double()
    inputs, labels = torch.randn(7, 5, dtype=torch.float64), torch.randint(0, 3, (7,))
    found = gradient_flow(net, lambda: functional.cross_entropy(net(inputs), labels))
    _, expected = by_hand.backpropagate(by_hand.layers_of(net), inputs, labels, by_hand.softmax_cross_entropy)
    assert list(found) == ["0", "1", "2", "3", "4"]
    for layer, one in zip(("0", "2", "4"), expected, strict=True):
        torch.testing.assert_close(found[layer].z, [one.z_NG], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found[layer].parameters["weight"], one.weight_GF, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found[layer].parameters["bias"], one.bias_G, rtol=1e-12, atol=1e-14)
    for layer, one in zip(("1", "3"), expected, strict=False):
        torch.testing.assert_close(found[layer].a, [one.a_NG], rtol=1e-12, atol=1e-14)
    norms = flow_norms(found)
    assert norms["z"]["2"].item() == pytest.approx(expected[1].z_NG.norm().item(), rel=1e-12)
    assert list(norms["weight"]) == ["0", "2", "4"]
    assert all(p.grad is None for p in net.parameters())


def test_a_layer_called_twice_has_two_deltas_in_the_order_of_the_calls():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 3.0)
    found = gradient_flow(nn.Sequential(layer), lambda: layer(layer(torch.ones(1, 1))).sum())["0"]
    assert [one.item() for one in found.z] == [3.0, 1.0]  # the first call is followed by the weight, the second by none
    assert found.parameters["weight"].item() == 6.0


def test_a_parameter_that_a_loss_does_not_know_has_no_share():
    shared, head = nn.Parameter(torch.tensor([1.0, 0.0])), nn.Parameter(torch.tensor([2.0]))

    def losses():
        return {"one": (shared * torch.tensor([3.0, 4.0])).sum(), "two": shared[1] * -1 + head[0]}

    net = nn.ParameterList([shared, head])
    found = task_gradients(net, losses)
    assert found["one"].tolist() == [3, 4, 0] and found["two"].tolist() == [0, -1, 1]
    assert gradient_cosines(net, losses, [shared])["one", "two"].item() == pytest.approx(-4 / 5)
    norms, between = cosines(found)
    assert norms["two"].item() == pytest.approx(2**0.5) and between["one", "two"].item() == pytest.approx(-4 / 50**0.5)


def test_three_tasks_and_a_gradient_of_zero():
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    found = gradient_cosines(nn.ParameterList([w]), lambda: {"a": w[0], "b": w[1], "c": 0 * w.sum()})
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found["a", "b"].item() == 0 and found["a", "c"].isnan()
