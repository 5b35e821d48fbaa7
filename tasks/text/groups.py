"""How far a net's answer moves when one group's terms stand in the place of another's.

Legend: L = templates, P = pairs of terms, B = sentences, T = tokens, E = size of a vector, C = classes.
"""

from dataclasses import dataclass

import torch
from scipy.special import stdtrit
from torch import Tensor, nn

from tasks.text.networks.embedding import PAD
from tasks.text.swaps import Swap
from tasks.text.tokeniser import UNKNOWN, Encoded, Tokeniser
from zoo.attribution import Score, gradient, integrated_gradients
from zoo.errors import InputError


@dataclass(frozen=True)
class Swapped:
    """What a swap does to the answers.

    Args:
        swap: templates and pairs.
        pairs: those of its pairs whose terms the vocabulary has.
        unknown: the terms that it has not, and whose pairs are left out.
        first, second: the sentences before and after, pair by pair, L each.
        before_LPC, after_LPC: probabilities.
        change_LPC: of the log-odds of a class, log p / (1 - p).
    """

    swap: Swap
    pairs: list[tuple[str, str]]
    unknown: list[str]
    first: Encoded
    second: Encoded
    before_LPC: Tensor
    after_LPC: Tensor
    change_LPC: Tensor

    @property
    def even_P(self) -> Tensor:
        """Pairs of as many tokens each: from one sentence to the other there is a straight line."""
        return (self.first.lengths_N == self.second.lengths_N).view(len(self.pairs), -1).all(1)


@dataclass(frozen=True)
class Along:
    """Derivatives of the log-odds of a class along a swap, of the pairs that are even.

    Args:
        slope_LP: at the first sentence, d log-odds / d vectors . (v_after - v_before).
        path_LP: averaged over the straight line to the second; by the fundamental theorem it is the change.
    """

    slope_LP: Tensor
    path_LP: Tensor


def log_odds(logits_BC: Tensor) -> Tensor:
    """log p_c / (1 - p_c) of every class; for two classes, the difference of their logits.

    >>> log_odds(torch.tensor([[1.0, 3.0]])).tolist()
    [[-2.0, 2.0]]
    """
    classes = logits_BC.shape[1]
    others = ~torch.eye(classes, dtype=torch.bool)
    rest_BC = logits_BC[:, None].expand(-1, classes, -1).masked_fill(~others, -torch.inf).logsumexp(2)
    return logits_BC - rest_BC


def swapped(net: nn.Module, tokeniser: Tokeniser, swap: Swap) -> Swapped:
    """Every pair in every template.

    Args:
        net: in eval mode; see tasks/text/networks.
        tokeniser: of the net.
        swap: templates and pairs.

    Raises:
        InputError: not one pair has both terms in the vocabulary.
    """
    unknown = [term for pair in swap.pairs for term in pair if not is_known(tokeniser, swap, term)]
    pairs = [pair for pair in swap.pairs if not set(pair) & set(unknown)]
    if not pairs:
        raise InputError(
            f"swap {swap.name!r}: expected a pair of terms that the vocabulary has, got none ({', '.join(unknown)} are "
            "unknown); take terms of the training sentences"
        )
    both = [tokeniser.encode([text for pair in pairs for text in swap.filled(pair[i])]) for i in (0, 1)]
    logits = [_logits(net, encoded) for encoded in both]
    before, after = (in_table(one.softmax(1), len(pairs)) for one in logits)
    change = in_table(log_odds(logits[1]) - log_odds(logits[0]), len(pairs))
    return Swapped(swap, pairs, list(dict.fromkeys(unknown)), *both, before, after, change)


def along(net: nn.Module, found: Swapped, c: int, steps: int = 32) -> Along:
    """Derivatives for class c of the even pairs.

    Args:
        net: in eval mode.
        found: what `swapped` gave.
        c: the class.
        steps: of the average over the path.
    """
    count = int(found.even_P.sum())
    if not count:
        none_LP = torch.zeros(len(found.swap.templates), 0)
        return Along(none_LP, none_LP)
    rows = found.even_P.repeat_interleave(len(found.swap.templates)).nonzero()[:, 0]
    first_BT, second_BT = (encoded.padded(rows) for encoded in (found.first, found.second))
    with torch.no_grad():
        before_BTE, after_BTE = net.embed(first_BT), net.embed(second_BT)
    score = odds_of(net, first_BT != PAD, c)
    slope_B = (gradient(score, before_BTE) * (after_BTE - before_BTE)).flatten(1).sum(1)
    path_B = integrated_gradients(score, after_BTE, before_BTE, steps).flatten(1).sum(1)
    return Along(*(in_table(one[:, None], count)[..., 0] for one in (slope_B, path_B)))


def in_table(rows_BK: Tensor, pairs: int) -> Tensor:
    """[L, P, K] of values pair by pair, in float64."""
    return rows_BK.double().view(pairs, -1, rows_BK.shape[1]).transpose(0, 1)


@torch.no_grad()
def _logits(net: nn.Module, encoded: Encoded) -> Tensor:
    return net(encoded.padded(torch.arange(len(encoded)))).double()


def is_known(tokeniser: Tokeniser, swap: Swap, term: str) -> bool:
    """Whether a term adds no unknown token to any template."""
    bare = [template.replace(f"{{{swap.slot}}}", "") for template in swap.templates]
    with_term, without = (_unknown_tokens(tokeniser, texts) for texts in (swap.filled(term), bare))
    return all(a <= b for a, b in zip(with_term, without, strict=True))


def _unknown_tokens(tokeniser: Tokeniser, texts: list[str]) -> list[int]:
    encoded = tokeniser.encode(texts)
    return [int((encoded.tokens_of(n) == UNKNOWN).sum()) for n in range(len(encoded))]


def odds_of(net: nn.Module, present_BT: Tensor, c: int) -> Score:
    """Embedded sentences -> log-odds of class c; attribution repeats a batch block by block."""

    def score(vectors: Tensor) -> Tensor:
        return log_odds(net.classify(vectors, present_BT.repeat(len(vectors) // len(present_BT), 1)))[:, c]

    return score


@dataclass(frozen=True)
class MeanWithInterval:
    """A mean over templates and pairs, and its 95 % interval."""

    mean: float
    low: float
    high: float


def crossed_interval(values_LP: Tensor, confidence: float = 0.95) -> MeanWithInterval:
    """A t interval for templates and pairs that are both drawn from many more.

        mean +- t sqrt(s_L^2 / L + s_P^2 / P),     s_L, s_P: of the means of the rows and of the columns

    Each variance holds the sentences' own as well, which is so counted twice: slightly too wide, never too narrow.
    Degrees of freedom after Satterthwaite (1946). A single template or pair says nothing of others: the interval is
    then over the other one alone, and infinite for one sentence.

    >>> i = crossed_interval(torch.tensor([[1.0, 1.0], [3.0, 3.0]]))
    >>> i.mean, round(i.high - i.mean, 2)
    (2.0, 12.71)
    """
    values = values_LP.double()
    parts = [
        (float(means.var()) / len(means), len(means) - 1)
        for means in (values.mean(1), values.mean(0))
        if len(means) > 1
    ]
    mean, variance = float(values.mean()), sum(part for part, _ in parts)
    if not parts:
        return MeanWithInterval(mean, -float("inf"), float("inf"))
    if variance == 0:
        return MeanWithInterval(mean, mean, mean)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    half = float(stdtrit(freedom, 0.5 + confidence / 2)) * variance**0.5
    return MeanWithInterval(mean, mean - half, mean + half)
