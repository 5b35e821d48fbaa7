"""Penalties: terms added to the loss, each under its own name.

Legend: N = examples, C = outputs an example.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.optim.clipping import positive
from zoo.optim.decay import undecayed_names

LossOfInputs = Callable[[Tensor], Tensor]


class Penalty(ABC):
    """One term: `name` labels it in the record, calling it gives the weighted value."""

    name: str

    @abstractmethod
    def __call__(self, net: nn.Module, inputs: Tensor, loss_of_inputs: LossOfInputs) -> Tensor:
        """The scalar term.

        Args:
            net: the net as it is.
            inputs: the batch's inputs, floating point.
            loss_of_inputs: the loss as a function of them, a mean over the batch.
        """


def refuse_twice(penalties: Sequence[Penalty]) -> None:
    """Two penalties of one kind, which would share a name in the record.

    Raises:
        InputError: there are.
    """
    names = [penalty.name for penalty in penalties]
    if len(set(names)) < len(names):
        raise InputError(f"model.penalties: expected each kind once, got {', '.join(names)}; add up their strengths")


class L1(Penalty):
    """weight * sum |w| over weights (norms and biases left out unless asked)."""

    name = "l1"

    def __init__(self, weight: float, norms_and_biases: bool = False):
        self.weight, self.norms_and_biases = positive("L1.weight", weight), norms_and_biases

    def __call__(self, net: nn.Module, inputs: Tensor, loss_of_inputs: LossOfInputs) -> Tensor:
        """See `Penalty`."""
        return self.weight * sum(p.abs().sum() for p in penalised(net, self.norms_and_biases))


class L2(Penalty):
    """weight / 2 * sum w^2, whose gradient is weight * w: what SGD calls weight decay, here inside the loss."""

    name = "l2"

    def __init__(self, weight: float, norms_and_biases: bool = False):
        self.weight, self.norms_and_biases = positive("L2.weight", weight), norms_and_biases

    def __call__(self, net: nn.Module, inputs: Tensor, loss_of_inputs: LossOfInputs) -> Tensor:
        """See `Penalty`."""
        return self.weight / 2 * sum(p.square().sum() for p in penalised(net, self.norms_and_biases))


class InputGradient(Penalty):
    """weight / 2 * mean over examples of ||dl_n/dx_n||^2, by double backpropagation. Drucker and LeCun (1992).

    l_n is an example's own loss, so the strength does not depend on the batch's size. The net runs a second time:
    batch normalisation moves its running statistics twice a step, and dropout draws another mask.
    """

    name = "input_gradient"

    def __init__(self, weight: float):
        self.weight = positive("InputGradient.weight", weight)

    def __call__(self, net: nn.Module, inputs: Tensor, loss_of_inputs: LossOfInputs) -> Tensor:
        """See `Penalty`."""
        # L = sum l_n / N, hence |dL/dx_n|^2 = |dl_n/dx_n|^2 / N^2: N times their sum is the mean over examples.
        return self.weight / 2 * len(inputs) * squared_input_gradient(loss_of_inputs, inputs)


class Jacobian(Penalty):
    """weight / 2 * mean over examples of ||dy/dx||_F^2, by random projections. Hoffman et al. (2019).

    The net runs a second time, as with `InputGradient`.
    """

    name = "jacobian"

    def __init__(self, weight: float, projections: int = 1):
        self.weight = positive("Jacobian.weight", weight)
        self.projections = int(positive("Jacobian.projections", projections))

    def __call__(self, net: nn.Module, inputs: Tensor, loss_of_inputs: LossOfInputs) -> Tensor:
        """See `Penalty`."""
        return self.weight / 2 * squared_jacobian_norm(net, inputs, self.projections)


def penalised(net: nn.Module, norms_and_biases: bool) -> list[Tensor]:
    """Trained parameters that a penalty on weights falls on.

    Raises:
        InputError: there are none.
    """
    exempt = set() if norms_and_biases else undecayed_names(net)
    chosen = [p for name, p in net.named_parameters() if p.requires_grad and name not in exempt]
    if not chosen:
        raise InputError("penalties: expected a net with trained weights, got none; leave L1 and L2 out")
    return chosen


def squared_input_gradient(loss_of_inputs: LossOfInputs, inputs: Tensor) -> Tensor:
    """||dL/dx||^2 summed over the batch, differentiable in the parameters.

    >>> squared_input_gradient(lambda x: (3 * x).sum(), torch.zeros(2)).item()
    18.0
    """
    leaf = inputs.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of_inputs(leaf), leaf, create_graph=True)
    return gradient.square().sum()


def squared_jacobian_norm(net: Callable[[Tensor], Tensor], inputs: Tensor, projections: int) -> Tensor:
    """Unbiased estimate of mean_n ||dy_n/dx_n||_F^2: C E_v ||v^T dy/dx||^2 over v uniform on the unit sphere of R^C.

    Args:
        net: inputs [N, ...] -> outputs [N, C].
        inputs: [N, ...].
        projections: directions v an example.
    """
    leaf = inputs.detach().clone().requires_grad_()
    outputs_NC = net(leaf).flatten(1)
    total = outputs_NC.new_zeros(())
    for _ in range(projections):
        v_NC = nn.functional.normalize(torch.randn_like(outputs_NC), dim=1)
        (gradient,) = torch.autograd.grad((outputs_NC * v_NC).sum(), leaf, create_graph=True)
        total = total + gradient.square().sum()
    return outputs_NC.shape[1] * total / (projections * len(inputs))
