"""Running means and variances, kept in buffers so that every checkpoint has them."""

import torch
from torch import Tensor, nn


class RunningMoments(nn.Module):
    """Mean and variance of all numbers seen, exact however they were batched (Chan et al. 1979).

    Args:
        shape: of one example.
        clip: normalised values are clipped to [-clip, clip].

    >>> moments = RunningMoments((1,))
    >>> moments.update(torch.tensor([[1.0], [3.0]]))
    >>> moments(torch.tensor([[2.0], [3.0]]))[:, 0]
    tensor([0., 1.])
    """

    def __init__(self, shape: tuple[int, ...], clip: float = 10.0):
        super().__init__()
        self.clip = clip
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("shift", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    @torch.no_grad()
    def update(self, examples_N: Tensor) -> None:
        """Take up examples [N, *shape]."""
        if not len(examples_N):
            return
        examples_N = examples_N.double()
        count, mean = len(examples_N), examples_N.mean(0)
        total, gap = self.count + count, mean - self.mean
        self.squares += (examples_N - mean).square().sum(0) + gap.square() * self.count * count / total
        self.mean += gap * count / total
        self.count.copy_(total)
        self.shift.copy_(self.mean)
        self.scale.copy_((self.squares / total + 1e-8).rsqrt())

    def forward(self, examples_N: Tensor) -> Tensor:
        """(x - mean) / std, clipped."""
        return ((examples_N - self.shift) * self.scale).clamp(-self.clip, self.clip)
