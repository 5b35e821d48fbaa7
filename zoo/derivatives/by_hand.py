"""Backpropagation written out for a feed-forward net: the equations of docs/backpropagation.md, one line each.

Legend: N = examples of a batch, F = units that a layer gets, G = units that it gives, K = outputs; l counts layers.

    z_l = a_(l-1) W_l' + b_l          a_l = f_l(z_l)          a_0 = inputs
    dL/dz_l = J_f(z_l)' dL/da_l       (f elementwise: dL/da_l * f_l'(z_l))
    dL/dW_l = (dL/dz_l)' a_(l-1)      dL/db_l = sum over examples of dL/dz_l
    dL/da_(l-1) = dL/dz_l W_l

Rumelhart, Hinton and Williams (1986), "Learning representations by back-propagating errors", for a whole batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.errors import InputError


@dataclass(frozen=True)
class Activation:
    """A function z -> a, and (z, a, dL/da) -> dL/dz, the product with its transposed Jacobian."""

    value: Callable[[Tensor], Tensor]
    pull_back: Callable[[Tensor, Tensor, Tensor], Tensor]


def elementwise(value: Callable[[Tensor], Tensor], slope: Callable[[Tensor, Tensor], Tensor]) -> Activation:
    """An activation of every unit alone, from f and (z, a) -> f'(z): its Jacobian is diagonal.

    >>> square = elementwise(lambda z: z**2, lambda z, a: 2 * z)
    >>> square.pull_back(torch.tensor(3.0), torch.tensor(9.0), torch.tensor(1.0)).item()
    6.0
    """
    return Activation(value, lambda z, a, gradient: gradient * slope(z, a))


IDENTITY = elementwise(lambda z: z, lambda z, a: torch.ones_like(z))
RELU = elementwise(lambda z: z.clamp(min=0), lambda z, a: (z > 0).to(z))  # 0 at the kink, as torch has it
TANH = elementwise(torch.tanh, lambda z, a: 1 - a**2)
SIGMOID = elementwise(torch.sigmoid, lambda z, a: a * (1 - a))
SOFTPLUS = elementwise(lambda z: torch.logaddexp(z, torch.zeros_like(z)), lambda z, a: torch.sigmoid(z))
SILU = elementwise(lambda z: z * torch.sigmoid(z), lambda z, a: torch.sigmoid(z) * (1 + z - a))
# Units of a softmax depend on each other: dL/dz_k = a_k (dL/da_k - sum_j a_j dL/da_j), not dL/da * f'(z).
SOFTMAX = Activation(lambda z: torch.softmax(z, -1), lambda z, a, g: a * (g - (a * g).sum(-1, keepdim=True)))


@dataclass(frozen=True)
class Layer:
    """Weights and activation of one layer; the weight lies as torch.nn.Linear keeps it."""

    weight_GF: Tensor
    bias_G: Tensor
    activation: Activation = IDENTITY


@dataclass(frozen=True)
class LayerGradients:
    """dL/dz, dL/da, dL/dW and dL/db of one layer."""

    z_NG: Tensor
    a_NG: Tensor
    weight_GF: Tensor
    bias_G: Tensor


def forward(layers: Sequence[Layer], inputs_NF: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(z, a) of every layer.

    >>> layer = Layer(torch.tensor([[2.0]]), torch.tensor([1.0]), RELU)
    >>> [(z.item(), a.item()) for z, a in forward([layer, layer], torch.tensor([[-1.0]]))]
    [(-1.0, 0.0), (1.0, 1.0)]
    """
    found, a_NF = [], inputs_NF
    for layer in layers:
        z_NG = a_NF @ layer.weight_GF.t() + layer.bias_G
        a_NF = layer.activation.value(z_NG)
        found.append((z_NG, a_NF))
    return found


def backward(
    layers: Sequence[Layer], inputs_NF: Tensor, passed: Sequence[tuple[Tensor, Tensor]], gradient_NK: Tensor
) -> list[LayerGradients]:
    """Gradients of every layer, the first layer first.

    Args:
        layers: the net.
        inputs_NF: what the first layer got.
        passed: what `forward` returned.
        gradient_NK: dL/da of the last layer, the mean over the examples included.
    """
    found = []
    for index in reversed(range(len(layers))):
        layer, (z_NG, a_NG) = layers[index], passed[index]
        below_NF = passed[index - 1][1] if index else inputs_NF
        delta_NG = layer.activation.pull_back(z_NG, a_NG, gradient_NK)
        found.append(LayerGradients(delta_NG, gradient_NK, delta_NG.t() @ below_NF, delta_NG.sum(0)))
        gradient_NK = delta_NG @ layer.weight_GF
    return found[::-1]


def mean_squared_error(outputs_NK: Tensor, targets_NK: Tensor) -> tuple[Tensor, Tensor]:
    """(mean of (a - y)^2 over examples and outputs, its gradient 2 (a - y) / (N K)).

    >>> [one.tolist() for one in mean_squared_error(torch.tensor([[3.0], [1.0]]), torch.ones(2, 1))]
    [2.0, [[2.0], [0.0]]]
    """
    if outputs_NK.shape != targets_NK.shape:
        raise InputError(
            f"targets: expected shape {list(outputs_NK.shape)}, got {list(targets_NK.shape)}; reshape one of them"
        )
    gap_NK = outputs_NK - targets_NK
    return gap_NK.square().mean(), 2 * gap_NK / gap_NK.numel()


def softmax_cross_entropy(logits_NK: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(mean of -sum_k y_k log p_k over the examples, its gradient (p sum_k y_k - y) / N), p = softmax(logits).

    Args:
        logits_NK: outputs of a last layer without an activation.
        labels: classes [N], or targets y [N, K], which need not sum to 1.

    >>> [one.tolist() for one in softmax_cross_entropy(torch.zeros(1, 2), torch.tensor([0]))]
    [0.6931471824645996, [[-0.5, 0.5]]]
    """
    y_NK = labels if labels.is_floating_point() else nn.functional.one_hot(labels, logits_NK.shape[1])
    y_NK = y_NK.to(logits_NK)
    log_p_NK = logits_NK - logits_NK.logsumexp(1, keepdim=True)
    loss = -(y_NK * log_p_NK).sum() / len(y_NK)
    return loss, (log_p_NK.exp() * y_NK.sum(1, keepdim=True) - y_NK) / len(y_NK)


Loss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # (outputs, targets) -> (value, gradient to the outputs)


def backpropagate(
    layers: Sequence[Layer], inputs_NF: Tensor, targets: Tensor, loss: Loss
) -> tuple[Tensor, list[LayerGradients]]:
    """Loss and gradients of every layer, without autograd.

    >>> layers = [Layer(torch.tensor([[2.0]]), torch.tensor([0.0]))]
    >>> value, found = backpropagate(layers, torch.tensor([[3.0]]), torch.tensor([[5.0]]), mean_squared_error)
    >>> value.item(), found[0].weight_GF.item(), found[0].bias_G.item()
    (1.0, 6.0, 2.0)
    """
    with torch.no_grad():
        passed = forward(layers, inputs_NF)
        value, gradient_NK = loss(passed[-1][1], targets)
        return value, backward(layers, inputs_NF, passed, gradient_NK)


WRITTEN_OUT = {
    nn.Identity: IDENTITY,
    nn.ReLU: RELU,
    nn.Tanh: TANH,
    nn.Sigmoid: SIGMOID,
    nn.Softplus: SOFTPLUS,
    nn.SiLU: SILU,
    nn.Softmax: SOFTMAX,
}


def layers_of(net: nn.Sequential) -> list[Layer]:
    """The layers of a Sequential of Linear modules, each followed by an activation or by none.

    Raises:
        InputError: another module, or options whose equations are not written here.
    """
    found: list[Layer] = []
    fresh = False  # whether the newest layer may still get an activation
    for module in net:
        if type(module) is nn.Linear:
            bias_G = torch.zeros_like(module.weight[:, 0]) if module.bias is None else module.bias
            found.append(Layer(module.weight.detach(), bias_G.detach()))
            fresh = True
        elif fresh and type(module) in WRITTEN_OUT and _has_usual_options(module):
            found[-1] = Layer(found[-1].weight_GF, found[-1].bias_G, WRITTEN_OUT[type(module)])
            fresh = False
        else:
            raise InputError(f"layers_of: expected Linear layers and activations written out here, got {module}; "
                             "give Layer an `elementwise` activation of your own")  # fmt: skip
    return found


def _has_usual_options(module: nn.Module) -> bool:
    if isinstance(module, nn.Softplus):
        return module.beta == 1.0 and module.threshold >= 20.0
    return not isinstance(module, nn.Softmax) or module.dim in (1, -1)
