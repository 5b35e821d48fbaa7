"""Clipping rules: what happens to the gradients between the backward pass and the optimiser's step.

Legend: K = parameter tensors; norms_K = their l2 norms; total_norm = the norm of all of them together.
A rule never waits for the device: no number leaves it, no branch depends on a tensor's value.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from zoo.errors import InputError

Tensors = list[Tensor]
TINY = 1e-6  # keeps 0 / 0 out of a quotient


class Clipping(nn.Module, ABC):
    """A rule; a module, so that a history rides in the checkpoint as a buffer."""

    def _apply(self, fn, recurse=True):
        # A history follows the net to its device and keeps its dtype: bf16 cannot count past 256.
        return super()._apply(lambda buffer: buffer.to(fn(buffer).device), recurse)

    @abstractmethod
    def forward(
        self, gradients: Tensors, parameters: Tensors, norms_K: Tensor, total_norm: Tensor, observe: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Change `gradients` in place.

        Args:
            gradients: dL/dtheta, one a parameter tensor.
            parameters: the tensors they belong to.
            norms_K: l2 norms of the gradients.
            total_norm: l2 norm of all gradients together.
            observe: whether a rule with a history takes this gradient into it; False at the later evaluations of
                one step (L-BFGS, SAM).

        Returns:
            The total norm after clipping, and the share that was clipped (of elements, tensors, units or steps).
        """


class ByValue(Clipping):
    """Each element on its own: g <- max(-limit, min(limit, g)).

    >>> rule, g = ByValue(1.0), [torch.tensor([3.0, -0.5])]
    >>> _ = rule(g, g, torch.tensor([3.04]), torch.tensor(3.04)); g[0].tolist()
    [1.0, -0.5]
    """

    def __init__(self, limit: float):
        super().__init__()
        self.limit = positive("ByValue.limit", limit)

    def forward(self, gradients, parameters, norms_K, total_norm, observe=True):
        """See `Clipping.forward`; the share is of elements."""
        beyond = sum((gradient.abs() > self.limit).sum() for gradient in gradients)
        elements = sum(gradient.numel() for gradient in gradients)
        torch._foreach_clamp_min_(gradients, -self.limit)
        torch._foreach_clamp_max_(gradients, self.limit)
        return norm_of(gradients), beyond / elements


class ByGlobalNorm(Clipping):
    """All gradients by one factor: g <- g min(1, max_norm / ||g||). Pascanu et al. (2013).

    >>> rule, g = ByGlobalNorm(1.0), [torch.tensor([3.0, 4.0])]
    >>> after, share = rule(g, g, torch.tensor([5.0]), torch.tensor(5.0)); round(float(after), 4)
    1.0
    """

    def __init__(self, max_norm: float):
        super().__init__()
        self.max_norm = positive("ByGlobalNorm.max_norm", max_norm)

    def forward(self, gradients, parameters, norms_K, total_norm, observe=True):
        """See `Clipping.forward`; the share is 0 or 1."""
        return scale_to(gradients, total_norm, torch.full_like(total_norm, self.max_norm))


class ByParameterNorm(Clipping):
    """Each parameter tensor on its own: g_k <- g_k min(1, max_norm / ||g_k||)."""

    def __init__(self, max_norm: float):
        super().__init__()
        self.max_norm = positive("ByParameterNorm.max_norm", max_norm)

    def forward(self, gradients, parameters, norms_K, total_norm, observe=True):
        """See `Clipping.forward`; the share is of tensors."""
        scales_K = shrinking(norms_K, torch.full_like(norms_K, self.max_norm))
        torch._foreach_mul_(gradients, list(scales_K.unbind()))
        return torch.linalg.vector_norm(norms_K * scales_K), (scales_K < 1).float().mean()


class Adaptive(Clipping):
    """Adaptive gradient clipping (AGC), relative to the weights, unit by unit. Brock et al. (2021), eq. 3.

    g_i <- g_i min(1, clip_factor max(||w_i||, eps) / ||g_i||) for every row i (unit) of a matrix or filter bank;
    a vector (biases, gains) counts as one unit, as in the paper's code. The paper spares the last linear layer;
    a rule does not know the names of layers, so here it is clipped too.
    """

    def __init__(self, clip_factor: float = 0.01, eps: float = 1e-3):
        super().__init__()
        self.clip_factor = positive("Adaptive.clip_factor", clip_factor)
        self.eps = positive("Adaptive.eps", eps)

    def forward(self, gradients, parameters, norms_K, total_norm, observe=True):
        """See `Clipping.forward`; the share is of units."""
        clipped, units = total_norm.new_zeros(()), 0
        for gradient, parameter in zip(gradients, parameters, strict=True):
            limits = unit_norms(parameter.detach()).clamp(min=self.eps) * self.clip_factor
            scales = shrinking(unit_norms(gradient), limits)
            gradient.mul_(scales)
            clipped = clipped + (scales < 1).sum()
            units += scales.numel()
        return norm_of(gradients), clipped / units


class AutoClip(Clipping):
    """Global norm, limited by a running percentile of its own history. Seetharaman et al. (2020).

    Args:
        percentile: of the norms seen, in (0, 100]; the paper uses 10.
        history: how many norms are remembered.
    """

    def __init__(self, percentile: float = 10.0, history: int = 1000):
        super().__init__()
        if not 0 < percentile <= 100:
            raise InputError(f"AutoClip.percentile: expected a number in (0, 100], got {percentile}; 10 is usual")
        self.share = percentile / 100
        self.register_buffer("norms", torch.full((int(positive("AutoClip.history", history)),), float("nan")))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, gradients, parameters, norms_K, total_norm, observe=True):
        """See `Clipping.forward`; the share is 0 or 1. A norm that is not finite stays out of the history."""
        if observe:
            finite = torch.isfinite(total_norm)
            at = (self.seen % len(self.norms)).unsqueeze(0)
            self.norms.index_copy_(0, at, torch.where(finite, total_norm, self.norms[at][0]).to(self.norms).reshape(1))
            self.seen += finite
        limit = torch.nanquantile(self.norms, self.share).to(total_norm)
        return scale_to(gradients, total_norm, torch.where(torch.isnan(limit), total_norm, limit))


class ZClip(Clipping):
    """Spikes only: norms whose z-score against a running mean and deviation is too high. Kumar et al. (2025).

    z = (||g|| - mean) / deviation; if z > threshold, ||g|| <- mean + (threshold^2 / z) deviation ("reciprocal"
    form of the paper). Mean and variance are exponential averages of the clipped norms, after a warm-up that
    clips nothing.
    """

    def __init__(self, threshold: float = 2.5, decay: float = 0.97, warmup: int = 25):
        super().__init__()
        self.threshold, self.warmup = positive("ZClip.threshold", threshold), int(warmup)
        if not 0 < decay < 1:
            raise InputError(f"ZClip.decay: expected a number in (0, 1), got {decay}; 0.97 is the paper's")
        self.decay = decay
        for name in ("mean", "variance", "seen"):
            self.register_buffer(name, torch.zeros(()))  # float32: not every accelerator has float64

    def forward(self, gradients, parameters, norms_K, total_norm, observe=True):
        """See `Clipping.forward`; the share is 0 or 1."""
        norm = total_norm.to(self.mean)
        deviation = self.variance.sqrt()
        z = (norm - self.mean) / (deviation + TINY)
        spike = (z > self.threshold) & (self.seen >= self.warmup)
        limit = torch.where(spike, self.mean + self.threshold**2 / z.clamp(min=TINY) * deviation, norm)
        if observe:
            self._observe(torch.where(spike, limit, norm), torch.isfinite(norm))
        return scale_to(gradients, total_norm, limit.to(total_norm))

    def _observe(self, norm: Tensor, finite: Tensor) -> None:
        # During warm-up plain averages, afterwards exponential ones: one update with a falling weight.
        weight = torch.where(self.seen < self.warmup, 1 / (self.seen + 1), torch.full_like(self.seen, 1 - self.decay))
        delta = torch.where(finite, norm - self.mean, torch.zeros_like(norm))
        self.mean += weight * delta
        self.variance += torch.where(finite, weight * (delta.square() * (1 - weight) - self.variance), 0.0)
        self.seen += finite


def scale_to(gradients: Tensors, total_norm: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Scale all gradients so that their norm is at most `limit`; returns the new norm and whether it was beyond."""
    scale = shrinking(total_norm, limit)
    torch._foreach_mul_(gradients, scale)
    return total_norm * scale, (total_norm > limit).float()


def shrinking(norms: Tensor, limits: Tensor) -> Tensor:
    """Factors that bring norms down to their limits; exactly 1 for a norm within its limit, however small.

    >>> shrinking(torch.tensor([4.0, 1e-9]), torch.tensor([1.0, 1e-9])).tolist()
    [0.25, 1.0]
    """
    return torch.where(norms > limits, limits / norms, torch.ones_like(norms))


def unit_norms(tensor: Tensor) -> Tensor:
    """l2 norm of each unit: rows of a matrix, filters of a convolution, a vector as a whole; broadcastable back."""
    if tensor.dim() <= 1:
        return torch.linalg.vector_norm(tensor)
    return torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.dim())), keepdim=True)


def norm_of(tensors: Tensors) -> Tensor:
    """l2 norm of all tensors together."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))


def positive(name: str, value: float) -> float:
    """`value` if it is above zero.

    Raises:
        InputError: it is not.
    """
    if not value > 0:
        raise InputError(f"{name}: expected a number above 0, got {value}; leave the rule out to switch it off")
    return value
