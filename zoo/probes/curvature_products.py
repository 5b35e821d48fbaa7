"""Matrices of second derivatives as products v [P] -> A v [P]: Hessian, Gauss-Newton and Fisher.

Pearlmutter (1994); Schraudolph (2002). Legend: P = parameters.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoo.probes.parameter_vectors import Parameters, parts_of, vector_of

Product = Callable[[Tensor], Tensor]
LossAt = Callable[[dict[str, Tensor]], Tensor]
Losses = LossAt | Sequence[LossAt]  # of micro-batches; what is meant is their mean


def hessian_products(losses: Losses, params: Parameters) -> Product:
    """v -> H v, H the Hessian of the loss, or of the mean of several losses (micro-batches).

    Of one loss the gradient's graph is made once and serves every product: a product costs a backward pass through it.
    Of several the graph is made anew for each, so that memory is that of one of them.

    Args:
        losses: parameters by name -> a scalar, differentiable twice, such as `Step.loss_at`.
        params: where; the vector is in the order of their names.

    >>> hessian_products(lambda p: (p["x"] ** 3).sum(), {"x": torch.tensor([1.0, 2.0])})(torch.ones(2))
    tensor([ 6., 12.])
    """
    leaves = {name: part.detach().requires_grad_() for name, part in params.items()}
    if callable(losses):
        kept = _slopes(losses, leaves)
        return lambda vector_P: _along(kept, leaves, vector_P, keep=True)

    def product(vector_P: Tensor) -> Tensor:
        total_P = torch.zeros_like(vector_P)
        for loss_at in losses:
            total_P += _along(_slopes(loss_at, leaves), leaves, vector_P, keep=False)
        return total_P / len(losses)

    return product


def mean_loss(losses: Losses, params: Parameters) -> Tensor:
    """The loss, or the mean of several, without a graph.

    >>> mean_loss([lambda p: p["x"].sum(), lambda p: 3 * p["x"].sum()], {"x": torch.ones(2)}).item()
    4.0
    """
    with torch.no_grad():
        return torch.stack([loss_at(dict(params)).detach() for loss_at in several(losses)]).mean()


def loss_and_gradient(losses: Losses, params: Parameters) -> tuple[Tensor, Tensor]:
    """(loss, its gradient [P]), of the mean of several; memory is that of one of them.

    >>> loss_and_gradient(lambda p: (p["x"] ** 3).sum(), {"x": torch.tensor([1.0, 2.0])})
    (tensor(9.), tensor([ 3., 12.]))
    """
    leaves = {name: part.detach().requires_grad_() for name, part in params.items()}
    values, total_P = [], torch.zeros_like(vector_of(params))
    for loss_at in several(losses):
        with torch.enable_grad():
            loss = loss_at(leaves)
            slopes = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
        values.append(loss.detach())
        total_P += torch.cat([one.to_dense().reshape(-1) for one in slopes])
    return torch.stack(values).mean(), total_P / len(values)


def several(losses: Losses) -> Sequence[LossAt]:
    """One loss as a list of one."""
    return [losses] if callable(losses) else losses


def gauss_newton_products(
    outputs_at: Callable[[dict[str, Tensor]], Tensor], loss_of: Callable[[Tensor], Tensor], params: Parameters
) -> Product:
    """v -> J' L J v, J the Jacobian of a net's outputs and L the Hessian of the loss in them: positive semidefinite
    where the loss is convex in the outputs, and the Hessian without the curvature of the net itself.

    For cross-entropy it is the Fisher information too (Martens 2020); for a sum of squares it is 2 J'J.

    Args:
        outputs_at: parameters by name -> outputs, of any shape.
        loss_of: outputs -> a scalar.
        params: where.

    >>> of = gauss_newton_products(lambda p: p["x"] ** 2, lambda y: y.square().sum(), {"x": torch.tensor([1.0, 2.0])})
    >>> of(torch.ones(2))
    tensor([ 8., 32.])
    """
    leaves = {name: part.detach().requires_grad_() for name, part in params.items()}
    with torch.enable_grad():
        outputs = outputs_at(leaves)
        at = outputs.detach().requires_grad_()
        (slope,) = torch.autograd.grad(loss_of(at), at, create_graph=True)
        # J v is the derivative of v'J'u in u: backward passes alone, so that custom ones need no forward mode.
        u = torch.zeros_like(outputs, requires_grad=True)
        pulled = torch.autograd.grad(outputs, list(leaves.values()), u, create_graph=True, materialize_grads=True)

    def product(vector_P: Tensor) -> Tensor:
        parts = list(parts_of(vector_P, params).values())
        (tangent,) = torch.autograd.grad(pulled, u, parts, retain_graph=True, materialize_grads=True)
        (bent,) = torch.autograd.grad(slope, at, tangent, retain_graph=True, materialize_grads=True)
        parts = torch.autograd.grad(outputs, list(leaves.values()), bent, retain_graph=True, materialize_grads=True)
        return torch.cat([part.reshape(-1) for part in parts])

    return product


def empirical_fisher_products(gradients_NP: Tensor) -> Product:
    """v -> sum_n g_n (g_n . v) / N of per-example gradients, as `zoo.derivatives.per_example_jacobian` gives them.

    It is the Fisher information of the labels at hand, not of the model's own; the two differ away from a perfect fit
    (Kunstner et al. 2019). `zoo.optim.fisher.fisher_products` is the latter, from a divergence.

    >>> empirical_fisher_products(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))(torch.ones(2))
    tensor([2., 3.])
    """
    return lambda vector_P: gradients_NP.t() @ (gradients_NP @ vector_P) / len(gradients_NP)


def dense(product: Product, like_P: Tensor) -> Tensor:
    """The matrix itself [P, P], a product a column: for tiny nets and tests.

    >>> dense(lambda v: 2 * v, torch.zeros(2)).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    eye_PP = torch.eye(len(like_P), dtype=like_P.dtype, device=like_P.device)
    return torch.stack([product(column) for column in eye_PP], 1)


def _slopes(loss_at: LossAt, leaves: dict[str, Tensor]) -> list[Tensor]:
    with torch.enable_grad():
        loss = loss_at(leaves)
        return list(torch.autograd.grad(loss, list(leaves.values()), create_graph=True, materialize_grads=True))


def _along(slopes: list[Tensor], leaves: dict[str, Tensor], vector_P: Tensor, keep: bool) -> Tensor:
    parts = parts_of(vector_P, leaves)
    bent = [(slope, parts[name]) for name, slope in zip(leaves, slopes, strict=True) if slope.requires_grad]
    if not bent:  # linear in every parameter
        return torch.zeros_like(vector_P)
    found = torch.autograd.grad(
        [slope for slope, _ in bent],
        list(leaves.values()),
        [part for _, part in bent],
        retain_graph=keep,
        materialize_grads=True,
    )
    return torch.cat([part.reshape(-1) for part in found])


def start_vector(gradient_P: Tensor, generator: torch.Generator) -> Tensor:
    """A unit vector of which half is the gradient, which lies mostly in the span of the top eigenvectors (Gur-Ari et
    al. 2018), and half is random, so that no eigenvector is missed.

    >>> start_vector(torch.tensor([3.0, 4.0]), torch.Generator().manual_seed(0)).norm()
    tensor(1.0000)
    """
    random_P = torch.randn(len(gradient_P), generator=generator, dtype=gradient_P.dtype).to(gradient_P.device)
    unit_P = random_P / random_P.norm()
    if gradient_P.norm() > 0:
        unit_P = unit_P + gradient_P / gradient_P.norm()
    return unit_P / unit_P.norm()
