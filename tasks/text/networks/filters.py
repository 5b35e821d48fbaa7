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
        if transformed():  # vmap, jvp and their like do not see through a Function
            maps_BFS = super().forward(vectors_BTE.transpose(1, 2))
            return maps_BFS.masked_fill(
                ~inside(lengths_B, maps_BFS.shape[2], self.kernel_size[0])[:, None], -torch.inf
            ).amax(2)
        return _LargestAnswer.apply(vectors_BTE, self.weight, lengths_B) + self.bias


def inside(lengths_B: Tensor, windows: int, h: int) -> Tensor:
    """Windows of size h that hold a token of the sentence, bool [B, S]."""
    return torch.arange(windows, device=lengths_B.device) < (lengths_B + h - 1)[:, None]


class _LargestAnswer(torch.autograd.Function):
    """max_s sum_j w_fj . x_(s-h+1+j) over the windows of a sentence; of equal ones the first wins.

    Only B F of the B F S answers have a derivative: the backward pass reads h tokens a filter and sentence instead of
    convolving twice. A second derivative goes through plain operations with the winners held.
    """

    @staticmethod
    def forward(ctx, vectors_BTE: Tensor, weight_FEh: Tensor, lengths_B: Tensor) -> Tensor:
        (b, t, e), (f, _, h) = vectors_BTE.shape, weight_FEh.shape
        answers_BThF = (vectors_BTE.reshape(-1, e) @ weight_FEh.permute(1, 2, 0).reshape(e, -1)).view(b, t, h, f)
        maps_BSF = answers_BThF.new_zeros(b, t + h - 1, f)
        for j in range(h):  # token t is number j of the window that ends at t + h - 1 - j
            maps_BSF[:, h - 1 - j : h - 1 - j + t] += answers_BThF[:, :, j]
        maps_BSF.masked_fill_(~inside(lengths_B, t + h - 1, h)[:, :, None], -torch.inf)
        largest_BF, ends_BF = maps_BSF.max(1)
        ctx.save_for_backward(vectors_BTE, weight_FEh, ends_BF)
        return largest_BF

    @staticmethod
    def backward(ctx, gradient_BF: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        vectors_BTE, weight_FEh, ends_BF = ctx.saved_tensors
        tokens_FhB, inside_FhB = winning_tokens(ends_BF, vectors_BTE.shape[1], weight_FEh.shape[2])
        if torch.is_grad_enabled():
            wanted = [x for x, asked in zip((vectors_BTE, weight_FEh), ctx.needs_input_grad, strict=False) if asked]
            largest_BF = _answers(vectors_BTE, weight_FEh, tokens_FhB, inside_FhB)
            found = iter(torch.autograd.grad(largest_BF, wanted, gradient_BF, create_graph=True))
            return *(next(found) if asked else None for asked in ctx.needs_input_grad[:2]), None
        parts_FhB = gradient_BF.to(vectors_BTE).t()[:, None] * inside_FhB
        needs_vectors, needs_weight, _ = ctx.needs_input_grad
        return (
            vector_gradient(vectors_BTE, weight_FEh, tokens_FhB, parts_FhB) if needs_vectors else None,
            _weight_gradient(vectors_BTE, weight_FEh, tokens_FhB, parts_FhB) if needs_weight else None,
            None,
        )


def winning_tokens(ends_BF: Tensor, t: int, h: int) -> tuple[Tensor, Tensor]:
    """Places of the winners' tokens among all X of the batch, and which of them are no zero vectors beyond an end."""
    places_FhB = ends_BF.t()[:, None] + torch.arange(1 - h, 1, device=ends_BF.device)[:, None]
    inside_FhB = (places_FhB >= 0) & (places_FhB < t)
    return places_FhB.clamp(0, t - 1) + t * torch.arange(len(ends_BF), device=ends_BF.device), inside_FhB


def _answers(vectors_BTE: Tensor, weight_FEh: Tensor, tokens_FhB: Tensor, inside_FhB: Tensor) -> Tensor:
    windows_FhBE = vectors_BTE.flatten(0, 1)[tokens_FhB] * inside_FhB[..., None]
    return torch.einsum("fhbe,feh->bf", windows_FhBE, weight_FEh)


def _weight_gradient(vectors_BTE: Tensor, weight_FEh: Tensor, tokens_FhB: Tensor, parts_FhB: Tensor) -> Tensor:
    # Row (f, j): the sum over sentences of the winner's token j, weighted.
    rows_RE = embedding_bag(
        tokens_FhB.flatten(0, 1), vectors_BTE.flatten(0, 1), per_sample_weights=parts_FhB.flatten(0, 1), mode="sum"
    )
    return rows_RE.view(*tokens_FhB.shape[:2], -1).permute(0, 2, 1).contiguous()


def vector_gradient(vectors_BTE: Tensor, weight_FEh: Tensor, tokens_FhB: Tensor, parts_FhB: Tensor) -> Tensor:
    # Token x: the sum over the winning windows that hold it of the filter's weights at its place, weighted.
    f, h, b = tokens_FhB.shape
    rows_RE = weight_FEh.permute(0, 2, 1).reshape(f * h, -1)
    tokens, order = tokens_FhB.flatten().int().sort()
    everywhere_X = torch.arange(vectors_BTE.shape[:2].numel(), dtype=torch.int32, device=tokens.device)
    starts_X = torch.searchsorted(tokens, everywhere_X)
    return embedding_bag(
        order // b, rows_RE, starts_X, per_sample_weights=parts_FhB.flatten()[order], mode="sum"
    ).view_as(vectors_BTE)


def transformed() -> bool:
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
