"""Which n-gram switched on which feature map, and what that adds to each class.

A logit of a sentence CNN is b_c + sum over maps f of w_cf p_f, where p_f is map f's value at the window that won the
pooling. So (d logit_c / d map value) x (map value) is the exact share of a window: the shares and b_c add up to the
logit. (With hidden layers behind the pooling it is a first-order share.) Shares are taken of the logit less the mean of
all logits, since softmax sees no more than that.

Legend: B = sentences, T = tokens, F = maps of a region size, S = windows, C = classes. Window s of size h ends at
token s and begins at s - h + 1.
"""

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.text.class_logit import evaluating
from tasks.text.networks import SentenceCNN
from tasks.text.networks.embedding import PAD
from tasks.text.tokeniser import Encoded
from tasks.text.word_values import by_length


def window_shares(net: SentenceCNN, tokens_BT: Tensor) -> list[tuple[int, Tensor]]:
    """(h, shares_CBFS) of every region size: what a map's value at a window adds to each class.

    Raises:
        InputError: whatever the net refuses.
    """

    def shares() -> list[tuple[int, Tensor]]:
        with torch.no_grad():
            read = net.maps(net.embed(tokens_BT), tokens_BT != PAD)
        with torch.enable_grad():
            leaves = [maps_BFS.clone().requires_grad_() for maps_BFS, _ in read]
            pooled = [net.pooling(leaf, valid_BS) for leaf, (_, valid_BS) in zip(leaves, read, strict=True)]
            logits_BC = net.output(net.hidden(torch.cat(pooled, 1)))
            centred_C = (logits_BC - logits_BC.mean(1, keepdim=True)).sum(0)
            slopes_C = [torch.autograd.grad(one, leaves, retain_graph=True) for one in centred_C]
        per_size = zip(net.region_sizes, leaves, zip(*slopes_C, strict=True), strict=True)
        return [(h, torch.stack(slopes) * leaf.detach()) for h, leaf, slopes in per_size]

    return evaluating(net, shares)


@dataclass(frozen=True)
class Window:
    """A stretch of a sentence that won maps.

    Args:
        first, last: its tokens, `last` included.
        maps: how many maps it won.
        shares_C: what they add to each class.
    """

    first: int
    last: int
    maps: int
    shares_C: Tensor


def windows_of(net: SentenceCNN, tokens_T: Tensor) -> list[Window]:
    """Windows of one sentence that add anything, the same stretch counted once; strongest first."""
    found: dict[tuple[int, int], list] = {}
    end = len(tokens_T) - 1
    for h, shares_C1FS in window_shares(net, tokens_T[None]):
        shares_CFS = shares_C1FS[:, 0]
        won_S = (shares_CFS != 0).any(0).sum(0)
        for s in won_S.nonzero()[:, 0].tolist():
            kept = found.setdefault((max(0, s - h + 1), min(s, end)), [0, 0.0])
            kept[0] += int(won_S[s])
            kept[1] = kept[1] + shares_CFS[:, :, s].sum(1)
    windows = [Window(*place, maps, shares_C) for place, (maps, shares_C) in found.items()]
    return sorted(windows, key=lambda w: -float(w.shares_C.abs().max()))


@dataclass(frozen=True)
class NGram:
    """An n-gram over a split.

    Args:
        tokens: its ids.
        sentences: how many it won a map in.
        maps: how many maps it won in one of them, on average.
        shares_C: what it adds to each class there, on average.
        example: (sentence, first, last) of one of them.
    """

    tokens: tuple[int, ...]
    sentences: int
    maps: float
    shares_C: Tensor
    example: tuple[int, int, int]


def driving_ngrams(net: SentenceCNN, encoded: Encoded, least: int = 2) -> list[NGram]:
    """Every n-gram of a split that won a map in at least so many sentences."""
    kept: dict[tuple[int, ...], list] = defaultdict(lambda: [set(), 0, 0.0, None])
    tokens = encoded.tokens_M.tolist()
    starts = encoded.starts.tolist()
    for chosen_B in by_length(encoded.lengths_N):
        for h, shares_CBFS in window_shares(net, encoded.padded(chosen_B)):
            won_BS = (shares_CBFS != 0).any(0).sum(1)
            added_BSC = shares_CBFS.sum(2).movedim(0, 2)
            rows, places = won_BS.nonzero(as_tuple=True)
            won, added = won_BS[rows, places].tolist(), added_BSC[rows, places]
            for i, (n, s) in enumerate(zip(chosen_B[rows].tolist(), places.tolist(), strict=True)):
                first = starts[n] + max(0, s - h + 1)
                last = min(starts[n] + s, starts[n + 1] - 1)
                entry = kept[tuple(tokens[first : last + 1])]
                entry[0].add(n)
                entry[1] += won[i]
                entry[2] = entry[2] + added[i]
                entry[3] = entry[3] or (n, first - starts[n], last - starts[n])
    return [
        NGram(ids, len(sentences), maps / len(sentences), shares_C / len(sentences), example)
        for ids, (sentences, maps, shares_C, example) in kept.items()
        if len(sentences) >= least
    ]
