"""What each word adds to an answer: a number a token, from gradients or from leaving words out.

Every method is a function (target, (tokens_BT, labels_B)) -> values_BT, zero behind the ends of the sentences;
`partial(class_logit, net)` is the target of a net. Signed values speak for the label where they are positive.

Legend: B = sentences, N = sentences of a split, T = tokens, E = size of a token's vector, M = tokens of all sentences,
R = sentences with one word left out.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from tasks.text.class_logit import Batch, Target, class_logit
from tasks.text.networks.embedding import PAD, UNKNOWN
from tasks.text.tokeniser import Encoded
from zoo.attribution import completeness_gap, gradient, integrated_gradients, smoothgrad
from zoo.errors import InputError

Method = Callable[[Target, Batch], Tensor]
Absence = Literal["pad", "unknown"]
TOKENS = 4096  # of one evaluation, padding included: small enough for the caches


def gradient_norm(target: Target, batch: Batch) -> Tensor:
    """||d logit / d x_t||, how far the answer moves with a word's vector. Li et al. (2016)."""
    vectors_BTE, score = target(batch)
    return _inside(gradient(score, vectors_BTE).norm(dim=2), batch)


def gradient_x_input(target: Target, batch: Batch) -> Tensor:
    """x_t . d logit / d x_t: the first-order effect of scaling a word's vector to [PAD]'s, which is zero."""
    vectors_BTE, score = target(batch)
    return _inside(torch.linalg.vecdot(vectors_BTE, gradient(score, vectors_BTE)), batch)


def smoothed_norm(target: Target, batch: Batch, noise_level: float = 0.15, samples: int = 25) -> Tensor:
    """Norm of the gradient's mean over noise on the vectors, SmoothGrad."""
    vectors_BTE, score = target(batch)
    return _inside(smoothgrad(score, vectors_BTE, noise_level, samples, signed=True).norm(dim=2), batch)


def integrated(target: Target, batch: Batch, absence: Absence = "pad", steps: int = 50) -> Tensor:
    """Integrated gradients, summed over a word's vector: they add up to logit(x) - logit(x').

    Args:
        target, batch: what is explained.
        absence: the baseline x'. "pad": zero vectors, what a net sees beyond both ends of every sentence, so that
            windows of them are nothing new to it; the default. "unknown": [UNK] in every place; its vector means
            something only where training read words as unknown (min_count above 1, or word_dropout).
        steps: nodes of the quadrature.
    """
    return _inside(integrated_map(target, batch, absence, steps).sum(2), batch)


def integrated_map(target: Target, batch: Batch, absence: Absence = "pad", steps: int = 50) -> Tensor:
    """Integrated gradients [B, T, E] before the sum over a word's vector."""
    vectors_BTE, score = target(batch)
    return integrated_gradients(score, vectors_BTE, absent(target, batch, absence), steps)


def absent(target: Target, batch: Batch, absence: Absence) -> Tensor:
    """Baseline [B, T, E]: what stands where no word is.

    Raises:
        InputError: another word.
    """
    tokens_BT, labels_B = batch
    if absence not in ("pad", "unknown"):
        raise InputError(f"absence: expected pad or unknown, got {absence!r}; pad is usual")
    other = PAD if absence == "pad" else UNKNOWN
    return target((tokens_BT.masked_fill(tokens_BT != PAD, other), labels_B))[0]


def gap(target: Target, batch: Batch, absence: Absence = "pad", steps: int = 50) -> Tensor:
    """What integrated gradients miss of logit(x) - logit(x'), [B]; exact ones miss nothing."""
    vectors_BTE, score = target(batch)
    found_BTE = integrated_map(target, batch, absence, steps)
    return completeness_gap(score, vectors_BTE, found_BTE, absent(target, batch, absence))


@torch.no_grad()
def leave_one_out(target: Target, batch: Batch, how: Literal["deleted", "unknown"] = "deleted") -> Tensor:
    """logit(sentence) - logit(sentence without the word): no derivative, and what the others are compared with.

    Args:
        target, batch: what is explained.
        how: "deleted": the word is taken out and its neighbours are joined; the only word of a sentence becomes [UNK],
            as an empty sentence is. "unknown": [UNK] stands in its place, so that no other word moves.
    """
    tokens_BT, labels_B = batch
    whole_B = _logits(target, batch)
    sentences_R, places_R = (tokens_BT != PAD).nonzero(as_tuple=True)
    values_BT = whole_B.new_zeros(tokens_BT.shape)
    rows = max(1, TOKENS // tokens_BT.shape[1])
    for of, at in zip(sentences_R.split(rows), places_R.split(rows), strict=True):
        left = _logits(target, (without(tokens_BT[of], at, how), labels_B[of]))
        values_BT[of, at] = whole_B[of] - left
    return values_BT


def without(tokens_RT: Tensor, places_R: Tensor, how: Literal["deleted", "unknown"]) -> Tensor:
    """Each sentence without the token at its place.

    >>> without(torch.tensor([[5, 6, 7], [8, 0, 0]]), torch.tensor([1, 0]), "deleted").tolist()
    [[5, 7, 0], [1, 0, 0]]
    """
    if how not in ("deleted", "unknown"):
        raise InputError(f"leave_one_out.how: expected deleted or unknown, got {how!r}; deleted is usual")
    if how == "unknown":
        return tokens_RT.scatter(1, places_R[:, None], UNKNOWN)
    moved_RT = torch.cat([tokens_RT[:, 1:], torch.full_like(tokens_RT[:, :1], PAD)], 1)
    changed_RT = torch.where(torch.arange(tokens_RT.shape[1]) < places_R[:, None], tokens_RT, moved_RT)
    changed_RT[(changed_RT == PAD).all(1), 0] = UNKNOWN
    return changed_RT


METHODS: dict[str, Method] = {
    "gradient_norm": gradient_norm,
    "gradient_x_input": gradient_x_input,
    "integrated_gradients": integrated,
    "smoothgrad": smoothed_norm,
    "leave_one_out": leave_one_out,
}
UNSIGNED = ("gradient_norm", "smoothgrad")


def word_values(method: Method, net: nn.Module, encoded: Encoded, classes_N: Tensor) -> Tensor:
    """values_M of a whole split, laid out as its tokens; sentences of like length are read together."""
    target = partial(class_logit, net)
    values_M = torch.zeros(len(encoded.tokens_M), dtype=next(net.parameters()).dtype)
    for chosen_B in by_length(encoded.lengths_N):
        tokens_BT = encoded.padded(chosen_B)
        inside_BT = tokens_BT != PAD
        places_BT = encoded.starts[chosen_B][:, None] + torch.arange(tokens_BT.shape[1])
        values_M[places_BT[inside_BT]] = method(target, (tokens_BT, classes_N[chosen_B]))[inside_BT]
    return values_M


def by_length(lengths_N: Tensor, tokens: int = TOKENS) -> Iterator[Tensor]:
    """Indices of sentences of like length, as many together as make at most so many tokens with padding; one at least.

    >>> [chosen.tolist() for chosen in by_length(torch.tensor([2, 9, 1, 2]), tokens=6)]
    [[2, 0, 3], [1]]
    """
    order_N = lengths_N.argsort(stable=True)
    lengths = lengths_N[order_N].tolist()
    first = 0
    for last in range(1, len(lengths) + 1):
        if last == len(lengths) or (last + 1 - first) * lengths[last] > tokens:
            yield order_N[first:last]
            first = last


def _inside(values_BT: Tensor, batch: Batch) -> Tensor:
    return values_BT.masked_fill(batch[0] == PAD, 0)


def _logits(target: Target, batch: Batch) -> Tensor:
    vectors_BTE, score = target(batch)
    return score(vectors_BTE)
