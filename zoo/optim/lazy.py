"""Adam and Adadelta that leave the rows of a table alone as long as no gradient touches them.

A batch of sentences touches a few hundred of the twenty thousand rows of a table of word vectors; an ordinary optimiser
passes over all of them and their averages at every step. Here, with a sparse gradient, a row that is not touched does
not move and its averages do not decay: a rare word keeps the averages of its last batches, where the ordinary
optimiser would go on moving it by what they leave. Weight decay too waits for the row's next batch. Where every row
is touched at every step, and for dense gradients, the numbers are those of torch's Adam, AdamW and Adadelta.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import positive
from zoo.optim.sparse import touched


class Lazy(Optimizer, ABC):
    """An optimiser of elements whose averages are tensors like the parameter."""

    takes_sparse = True
    averages: tuple[str, ...]

    @abstractmethod
    def update(self, parameter: Tensor, gradient: Tensor, averages: list[Tensor], steps: int, group: dict) -> None:
        """One step, in place, of a parameter or of some of its rows; `steps` counts this one."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """One step; returns the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group)
        return loss

    def _step(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update({name: torch.zeros_like(parameter) for name in self.averages}, steps=0)
        state["steps"] += 1
        whole = [parameter, *(state[name] for name in self.averages)]
        if not parameter.grad.is_sparse:
            self.update(parameter, parameter.grad, whole[1:], state["steps"], group)
            return
        gradient = parameter.grad.coalesce()
        rows_U = gradient.indices()[0]
        taken = [tensor.index_select(0, rows_U) for tensor in whole]
        self.update(taken[0], touched(gradient), taken[1:], state["steps"], group)
        for tensor, rows in zip(whole, taken, strict=True):
            tensor.index_copy_(0, rows_U, rows)


class LazyAdam(Lazy):
    """AdamW of dense gradients, of sparse ones row by row. Kingma and Ba (2015), Loshchilov and Hutter (2019).

    Args:
        params: parameters or groups.
        lr: step size.
        betas: decay of the averages of g and of g^2.
        eps: added to the root of the latter.
        weight_decay: decoupled, w <- (1 - lr weight_decay) w, of a row only when it is touched.
    """

    averages = ("mean", "square")

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        if not (0 <= betas[0] < 1 and 0 <= betas[1] < 1):
            raise InputError(f"LazyAdam.betas: expected two numbers in [0, 1), got {betas}; 0.9, 0.999 are usual")
        lr, eps = positive("LazyAdam.lr", lr), positive("LazyAdam.eps", eps)
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay})

    def update(self, parameter: Tensor, gradient: Tensor, averages: list[Tensor], steps: int, group: dict) -> None:
        """See `Lazy.update`."""
        mean, square = averages
        first, second = group["betas"]
        if group["weight_decay"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        root = square.sqrt().div_((1 - second**steps) ** 0.5).add_(group["eps"])
        parameter.addcdiv_(mean, root, value=-group["lr"] / (1 - first**steps))


class LazyAdadelta(Lazy):
    """Adadelta of dense gradients, of sparse ones row by row. Zeiler (2012), what Kim (2014) trained with.

    Args:
        params: parameters or groups.
        lr: factor of the step, 1 in the paper.
        rho: decay of the averages of g^2 and of the squared steps.
        eps: added to both.
        weight_decay: times the weight added to the gradient, of a row only when it is touched.
    """

    averages = ("square", "moved")

    def __init__(
        self, params: Iterable, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0
    ):
        if not 0 <= rho < 1:
            raise InputError(f"LazyAdadelta.rho: expected a number in [0, 1), got {rho}; 0.95 is the paper's")
        lr, eps = positive("LazyAdadelta.lr", lr), positive("LazyAdadelta.eps", eps)
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay})

    def update(self, parameter: Tensor, gradient: Tensor, averages: list[Tensor], steps: int, group: dict) -> None:
        """See `Lazy.update`."""
        square, moved = averages
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        square.mul_(rho).addcmul_(gradient, gradient, value=1 - rho)
        step = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(gradient)
        moved.mul_(rho).addcmul_(step, step, value=1 - rho)
        parameter.add_(step, alpha=-group["lr"])
