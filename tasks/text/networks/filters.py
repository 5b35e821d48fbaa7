"""Filters over windows of tokens, and the largest answer of each with the derivative through its winning window alone.

Legend: B = sentences, T = tokens, E = size of a token's vector, F = filters, h = tokens of a window, S = T + h - 1
windows, X = B T tokens, R = F h rows of weights. Window s holds the tokens s - h + 1 .. s.
"""

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.functional import embedding_bag


class RegionFilters(nn.Conv1d):
    """F filters over windows of h tokens, which reach over both ends of a sentence by h - 1 zero vectors.

    Called with vectors_BTE it gives all answers, maps_BFS; with lengths_B too the largest one of each map, [B, F].

    >>> filters = RegionFilters(vector_size=1, feature_maps=1, h=1)
    >>> filters.weight.data.fill_(2.0), filters.bias.data.fill_(0.0)
    (tensor([[[2.]]]), tensor([0.]))
    >>> filters(torch.tensor([[[1.0], [3.0], [9.0]]]), lengths_B=torch.tensor([2])).item()
    6.0
    """

    def __init__(self, vector_size: int, feature_maps: int, h: int):
        super().__init__(vector_size, feature_maps, h, padding=h - 1)

    def forward(self, vectors_BTE: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Maps, or the largest value of each within the sentence."""
        if lengths_B is None:
            return super().forward(vectors_BTE.transpose(1, 2))
        if _transformed():  # vmap, jvp and their like do not see through a Function
            maps_BFS = super().forward(vectors_BTE.transpose(1, 2))
            return maps_BFS.masked_fill(
                ~inside(lengths_B, maps_BFS.shape[2], self.kernel_size[0])[:, None], -torch.inf
            ).amax(2)
        largest_BF, ends_BF = _largest(vectors_BTE, self.weight, lengths_B)
        found_BF = _ByVectors.apply(vectors_BTE, (self.weight,), largest_BF, ends_BF)
        return found_BF + _ByWeight.apply(self.weight, (vectors_BTE,), ends_BF) + self.bias


def inside(lengths_B: Tensor, windows: int, h: int) -> Tensor:
    """Windows of size h that hold a token of the sentence, bool [B, S]."""
    return torch.arange(windows, device=lengths_B.device) < (lengths_B + h - 1)[:, None]


@torch.no_grad()
def _largest(vectors_BTE: Tensor, weight_FEh: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
    """max_s sum_j w_fj . x_(s-h+1+j) over the windows of a sentence, and where; of equal ones the first."""
    (b, t, e), (f, _, h) = vectors_BTE.shape, weight_FEh.shape
    answers_BThF = (vectors_BTE.reshape(-1, e) @ weight_FEh.permute(1, 2, 0).reshape(e, -1)).view(b, t, h, f)
    maps_BSF = answers_BThF.new_zeros(b, t + h - 1, f)
    for j in range(h):  # token t is number j of the window that ends at t + h - 1 - j
        maps_BSF[:, h - 1 - j : h - 1 - j + t] += answers_BThF[:, :, j]
    maps_BSF.masked_fill_(~inside(lengths_B, t + h - 1, h)[:, :, None], -torch.inf)
    return maps_BSF.max(1)


# Only B F of the B F S answers have a derivative: the backward pass reads h tokens a filter and sentence instead of
# convolving twice. Vectors and weights have a Function each, which gets the other one inside a tuple, where autograd
# does not see it: a saliency then pays for no weight's derivative. Second derivatives go through plain operations with
# the winners held, and see both.


class _ByVectors(torch.autograd.Function):
    """The largest answers, with their derivative in the vectors."""

    @staticmethod
    def forward(ctx, vectors_BTE: Tensor, weight: tuple[Tensor], largest_BF: Tensor, ends_BF: Tensor) -> Tensor:
        ctx.held = vectors_BTE, *weight, ends_BF
        return largest_BF.clone()

    @staticmethod
    def backward(ctx, gradient_BF: Tensor) -> tuple[Tensor | None, ...]:
        vectors_BTE, weight_FEh, ends_BF = ctx.held
        winners = _winning_tokens(ends_BF, vectors_BTE.shape[1], weight_FEh.shape[2])
        if torch.is_grad_enabled():
            return _again(vectors_BTE, vectors_BTE, weight_FEh, winners, gradient_BF), None, None, None
        return _vector_gradient(vectors_BTE, weight_FEh, winners, gradient_BF), None, None, None


class _ByWeight(torch.autograd.Function):
    """Zero, with the derivative of the largest answers in the weights."""

    @staticmethod
    def forward(ctx, weight_FEh: Tensor, vectors: tuple[Tensor], ends_BF: Tensor) -> Tensor:
        ctx.held = *vectors, weight_FEh, ends_BF
        return weight_FEh.new_zeros(ends_BF.shape)

    @staticmethod
    def backward(ctx, gradient_BF: Tensor) -> tuple[Tensor | None, ...]:
        vectors_BTE, weight_FEh, ends_BF = ctx.held
        winners = _winning_tokens(ends_BF, vectors_BTE.shape[1], weight_FEh.shape[2])
        if torch.is_grad_enabled():
            return _again(weight_FEh, vectors_BTE, weight_FEh, winners, gradient_BF), None, None
        return _weight_gradient(vectors_BTE, weight_FEh, winners, gradient_BF), None, None


Winners = tuple[Tensor, Tensor]  # tokens_FhB, inside_FhB


def _winning_tokens(ends_BF: Tensor, t: int, h: int) -> tuple[Tensor, Tensor]:
    """Places of the winners' tokens among all X of the batch, and which of them are no zero vectors beyond an end."""
    places_FhB = ends_BF.t()[:, None] + torch.arange(1 - h, 1, device=ends_BF.device)[:, None]
    inside_FhB = (places_FhB >= 0) & (places_FhB < t)
    return places_FhB.clamp(0, t - 1) + t * torch.arange(len(ends_BF), device=ends_BF.device), inside_FhB


def _again(wanted: Tensor, vectors_BTE: Tensor, weight_FEh: Tensor, winners: Winners, gradient_BF: Tensor) -> Tensor:
    tokens_FhB, inside_FhB = winners
    windows_FhBE = vectors_BTE.flatten(0, 1)[tokens_FhB] * inside_FhB[..., None]
    largest_BF = torch.einsum("fhbe,feh->bf", windows_FhBE, weight_FEh)
    return torch.autograd.grad(largest_BF, wanted, gradient_BF, create_graph=True)[0]


def _weight_gradient(vectors_BTE: Tensor, weight_FEh: Tensor, winners: Winners, gradient_BF: Tensor) -> Tensor:
    # Row (f, j): the sum over sentences of the winner's token j, weighted.
    tokens_FhB, inside_FhB = winners
    parts_FhB = gradient_BF.to(vectors_BTE).t()[:, None] * inside_FhB
    rows_RE = embedding_bag(
        tokens_FhB.flatten(0, 1), vectors_BTE.flatten(0, 1), per_sample_weights=parts_FhB.flatten(0, 1), mode="sum"
    )
    return rows_RE.view(*tokens_FhB.shape[:2], -1).permute(0, 2, 1).contiguous()


def _vector_gradient(vectors_BTE: Tensor, weight_FEh: Tensor, winners: Winners, gradient_BF: Tensor) -> Tensor:
    """Of each token x: the sum over the winning windows that hold it of the filter's weights at its place, weighted."""
    tokens_FhB, inside_FhB = winners
    parts_FhB = gradient_BF.to(vectors_BTE).t()[:, None] * inside_FhB
    rows_RE = weight_FEh.permute(0, 2, 1).reshape(parts_FhB.shape[:2].numel(), -1)
    tokens, order = tokens_FhB.flatten().int().sort()
    everywhere_X = torch.arange(vectors_BTE.shape[:2].numel(), dtype=torch.int32, device=tokens.device)
    starts_X = torch.searchsorted(tokens, everywhere_X)
    weighted = parts_FhB.flatten()[order]
    rows_XE = embedding_bag(order // len(vectors_BTE), rows_RE, starts_X, per_sample_weights=weighted, mode="sum")
    return rows_XE.view_as(vectors_BTE)


def _transformed() -> bool:
    """Whether vmap, jvp or their like are at work, which do not see through a Function."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
