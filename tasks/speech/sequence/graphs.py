"""Graphs whose paths are frame labels, and sums over all their paths in the log semiring, in differentiable torch.

Legend: T = frames, B = utterances, V = labels with the blank, S = states of a graph, K = most predecessors of a state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import pad

from tasks.speech.losses import BLANK

NEVER = -1e30  # instead of -inf, whose logsumexp has no gradient


@dataclass(frozen=True)
class Graphs:
    """One graph an utterance. A path enters at a state, emits that state's label, and moves on once a frame.

    Args:
        labels_BS: label that a state emits.
        predecessors_BSK: states one frame before, filled up with 0.
        weights_BSK: log-weights of those moves, NEVER where there is none.
        initial_BS: log-weight of entering at a state.
        final_BS: log-weight of leaving from it.
        value_BS: a number that a path which enters here brings along, such as the accuracy of its hypothesis.
    """

    labels_BS: Tensor
    predecessors_BSK: Tensor
    weights_BSK: Tensor
    initial_BS: Tensor
    final_BS: Tensor
    value_BS: Tensor

    def to(self, like: Tensor) -> "Graphs":
        """On the device and, weights and values, in the dtype of `like`."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return Graphs(**{k: v.to(like) if v.is_floating_point() else v.to(like.device) for k, v in parts.items()})


def ctc_graph(labels: Sequence[int], weight: float = 0.0, value: float = 0.0) -> Graphs:
    """All alignments of one transcript, [1, 2U + 1] states: blank, label, blank ... Graves et al. (2006), section 4.

    Args:
        labels: the transcript.
        weight: log-weight of the whole graph.
        value: see `Graphs`.
    """
    size = 2 * len(labels) + 1
    states_S = torch.full((size,), BLANK)
    states_S[1::2] = torch.tensor(labels, dtype=torch.int64)
    allowed_SK = torch.ones(size, 3, dtype=torch.bool).tril()
    allowed_SK[2:, 2] = (states_S[2:] != BLANK) & (states_S[2:] != states_S[:-2])
    predecessors_SK = (torch.arange(size)[:, None] - torch.arange(3)) * allowed_SK
    weights_SK = torch.where(allowed_SK, 0.0, NEVER).double()
    initial, final = torch.full((2, size), NEVER, dtype=torch.float64)
    initial[:2], final[-2:] = weight, 0.0
    parts = (
        states_S,
        predecessors_SK,
        weights_SK,
        initial,
        final,
        torch.full((size,), value, dtype=torch.float64),
    )
    return Graphs(*(part[None] for part in parts))


def union(graphs: Sequence[Graphs]) -> Graphs:
    """One graph with the paths of all; each has one utterance and the same K."""
    shifts, at = [], 0
    for graph in graphs:
        shifts.append(at)
        at += graph.labels_BS.shape[1]
    moved = [g.predecessors_BSK + shift for g, shift in zip(graphs, shifts, strict=True)]
    joined = {f.name: torch.cat([getattr(g, f.name) for g in graphs], 1) for f in fields(Graphs)}
    return Graphs(**(joined | {"predecessors_BSK": torch.cat(moved, 1)}))


def stacked(graphs: Sequence[Graphs]) -> Graphs:
    """Graphs of several utterances as one batch, filled up with states that no path enters."""
    size = max(graph.labels_BS.shape[1] for graph in graphs)
    kinds = max(graph.weights_BSK.shape[2] for graph in graphs)
    fill = {"weights_BSK": NEVER, "initial_BS": NEVER, "final_BS": NEVER}

    def filled(graph: Graphs, name: str) -> Tensor:
        part = getattr(graph, name)
        last = (0, kinds - part.shape[2]) if part.dim() == 3 else ()
        return pad(part, (*last, 0, size - part.shape[1]), value=fill.get(name, 0))

    return Graphs(**{f.name: torch.cat([filled(graph, f.name) for graph in graphs]) for f in fields(Graphs)})


def log_total(log_probs_TBV: Tensor, frames_B: Tensor, graphs: Graphs) -> Tensor:
    """Log of the summed weight of all paths through each graph, [B].

    >>> uniform = torch.full((2, 1, 3), 1 / 3, dtype=torch.float64).log()
    >>> round(log_total(uniform, torch.tensor([2]), ctc_graph([1])).exp().item(), 4)
    0.3333
    """
    return _swept(log_probs_TBV, frames_B, graphs, None)[0]


def expectation(
    log_probs_TBV: Tensor, frames_B: Tensor, graphs: Graphs, gain_TBS: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(log_total_B, expected_B): mean over all paths, by their weight, of value at entry + gains of the states passed.

    A forward pass in the expectation semiring (Eisner 2002), so that its gradient is autograd's.
    """
    gains = log_probs_TBV.new_zeros(len(log_probs_TBV), *graphs.labels_BS.shape) if gain_TBS is None else gain_TBS
    return _swept(log_probs_TBV, frames_B, graphs, gains)


def _swept(
    log_probs_TBV: Tensor, frames_B: Tensor, graphs: Graphs, gain_TBS: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    g = graphs.to(log_probs_TBV)
    frames_B1 = frames_B.to(log_probs_TBV.device)[:, None]
    emitted_TBS = log_probs_TBV.gather(2, g.labels_BS.expand(len(log_probs_TBV), -1, -1))
    before_BSK = _looked_up(g.predecessors_BSK)
    alpha_BS = g.initial_BS + emitted_TBS[0]
    mean_BS = None if gain_TBS is None else g.value_BS + gain_TBS[0]
    for t in range(1, len(log_probs_TBV)):
        arriving_BSK = before_BSK(alpha_BS) + g.weights_BSK
        runs_B1 = t < frames_B1
        if mean_BS is not None:
            moved_BS = (arriving_BSK.softmax(-1) * before_BSK(mean_BS)).sum(-1) + gain_TBS[t]
            mean_BS = torch.where(runs_B1, moved_BS, mean_BS)
        alpha_BS = torch.where(runs_B1, arriving_BSK.logsumexp(-1) + emitted_TBS[t], alpha_BS)
    leaving_BS = alpha_BS + g.final_BS
    expected_B = None if mean_BS is None else (leaving_BS.softmax(-1) * mean_BS).sum(-1)
    return leaving_BS.logsumexp(-1), expected_B


def _looked_up(predecessors_BSK: Tensor) -> Callable[[Tensor], Tensor]:
    flat = predecessors_BSK.flatten(1)
    return lambda values_BS: values_BS.gather(1, flat).view(predecessors_BSK.shape)
