"""The logits of a sentence CNN, with a derivative by the embedded words that reads the winning windows alone.

The same numbers as `net.classify` and autograd give, for explaining: weights get no derivative, there is no second one,
and the graph is one node, which counts where a single sentence is explained.

Legend: B = sentences, T = tokens, E = size of a token's vector, F = maps of all region sizes, C = classes.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv1d

from tasks.text.networks import MaxPooling, SentenceCNN
from tasks.text.networks.filters import inside, vector_gradient, winning_tokens
from tasks.text.networks.sentence_cnn import INCREASING


def has_winners(net: nn.Module) -> bool:
    """Whether each map of a net has one window that all of its derivative goes through."""
    return type(net) is SentenceCNN and type(net.pooling) is MaxPooling and isinstance(net.activation, INCREASING)


def winning_logits(net: SentenceCNN, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
    """logits_BC of a net in eval mode that `has_winners`."""
    return _Logits.apply(vectors_BTE, present_BT.sum(1), net)


class _Logits(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vectors_BTE: Tensor, lengths_B: Tensor, net: SentenceCNN) -> Tensor:
        vectors_BET = vectors_BTE.transpose(1, 2)
        largest, ctx.ends = zip(*(_largest(vectors_BET, lengths_B, one) for one in net.filters), strict=True)
        with torch.enable_grad():
            ctx.answers_BF = torch.cat(largest, 1).requires_grad_()
            ctx.logits_BC = net.output(net.hidden(net.activation(ctx.answers_BF)))
        ctx.net = net
        ctx.save_for_backward(vectors_BTE)
        return ctx.logits_BC.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient_BC: Tensor) -> tuple[Tensor, None, None]:
        (vectors_BTE,) = ctx.saved_tensors
        with torch.enable_grad():
            slopes_BF = torch.autograd.grad(ctx.logits_BC, ctx.answers_BF, gradient_BC)[0]
        slopes = slopes_BF.split([len(filters.weight) for filters in ctx.net.filters], 1)
        per_size = zip(ctx.net.filters, ctx.ends, slopes, strict=True)
        return sum(_through_winners(vectors_BTE, *parts) for parts in per_size), None, None


def _largest(vectors_BET: Tensor, lengths_B: Tensor, filters: nn.Conv1d) -> tuple[Tensor, Tensor]:
    """Largest answer of each filter within the sentence, and the window that gave it."""
    h = filters.kernel_size[0]
    maps_BFS = conv1d(vectors_BET, filters.weight, filters.bias, padding=h - 1)
    outside_BS = ~inside(lengths_B, maps_BFS.shape[2], h)
    return maps_BFS.masked_fill_(outside_BS[:, None], -torch.inf).max(2)


def _through_winners(vectors_BTE: Tensor, filters: nn.Conv1d, ends_BF: Tensor, slopes_BF: Tensor) -> Tensor:
    winners = winning_tokens(ends_BF, vectors_BTE.shape[1], filters.kernel_size[0])
    return vector_gradient(vectors_BTE, filters.weight, winners, slopes_BF)
