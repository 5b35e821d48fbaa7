"""Prefix beam search over a whole batch at once, without a scorer: what training needs in every step.

The same search as `decoding.prefix_beam`. A prefix is known by a 64-bit hash of its labels, so that prefixes that meet
are found by comparing arrays. Legend: T = frames, B = utterances, V = labels with the blank, W = prefixes kept.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from tasks.speech.losses import BLANK

NEVER = -np.inf
NOBODY = np.uint64(2**64 - 1)  # parent of the empty prefix, and of a place that holds none
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd: 2**64 over the golden ratio, Knuth's multiplicative hash


@dataclass(frozen=True)
class _Beam:
    """Prefixes and the log-probabilities of their paths that end in a blank or in their last label."""

    keys_BW: np.ndarray
    parents_BW: np.ndarray
    last_BW: np.ndarray
    blank_BW: np.ndarray
    label_BW: np.ndarray

    @property
    def total_BW(self) -> np.ndarray:
        return np.logaddexp(self.blank_BW, self.label_BW)


def n_best(log_probs_TBV: Tensor, frames_B: Tensor, width: int) -> list[list[tuple[list[int], float]]]:
    """(labels, log-probability) of the `width` best answers to every utterance, the best first.

    >>> import torch
    >>> half = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()[:, None]
    >>> [(labels, round(float(np.exp(score)), 2)) for labels, score in n_best(half, torch.tensor([2]), 4)[0]]
    [([1], 0.64), ([], 0.36)]
    """
    rows_TBV = log_probs_TBV.detach().cpu().double().numpy().copy()
    ended_TB = np.arange(len(rows_TBV))[:, None] >= frames_B.cpu().numpy()
    rows_TBV[ended_TB] = NEVER
    rows_TBV[ended_TB, BLANK] = 0.0  # behind its end an utterance is silent for certain
    beam, steps = _empty(rows_TBV.shape[1], width), []
    for log_probs_BV in rows_TBV:
        beam, step = _advanced(beam, log_probs_BV)
        steps.append(step)
    return _spelt(beam.total_BW, steps)


def _empty(batch: int, width: int) -> _Beam:
    keys_BW, parents_BW = np.zeros((batch, width), np.uint64), np.full((batch, width), NOBODY)
    blank_BW, label_BW = np.full((2, batch, width), NEVER)
    blank_BW[:, 0] = 0.0
    return _Beam(keys_BW, parents_BW, np.full((batch, width), BLANK), blank_BW, label_BW)


def _advanced(beam: _Beam, log_probs_BV: np.ndarray) -> tuple[_Beam, tuple[np.ndarray, np.ndarray]]:
    """One frame; and of each new place the place it came from and the label it grew by, the blank for none."""
    (batch, width), size = beam.keys_BW.shape, log_probs_BV.shape[1]
    rows_B1 = np.arange(batch)[:, None]
    total_BW, log_last_BW = beam.total_BW, log_probs_BV[rows_B1, beam.last_BW]
    grown_BWV = total_BW[..., None] + log_probs_BV[:, None]
    # A label after itself is a repeat of the same one unless a blank stood between them.
    np.put_along_axis(grown_BWV, beam.last_BW[..., None], (beam.blank_BW + log_last_BW)[..., None], 2)
    grown_BWV[..., BLANK] = NEVER
    stay_blank_BW = total_BW + log_probs_BV[:, [BLANK]]
    stay_label_BW = np.where(beam.last_BW == BLANK, NEVER, beam.label_BW + log_last_BW)
    _merge(beam, grown_BWV, stay_label_BW)
    scores_B = np.concatenate([np.logaddexp(stay_blank_BW, stay_label_BW), grown_BWV.reshape(batch, -1)], 1)
    kept_BW = np.argpartition(-scores_B, width - 1)[:, :width]
    grows_BW = kept_BW >= width
    from_BW = np.where(grows_BW, (kept_BW - width) // size, kept_BW)
    label_BW = np.where(grows_BW, (kept_BW - width) % size, BLANK)
    keys_BW, scores_BW = beam.keys_BW[rows_B1, from_BW], scores_B[rows_B1, kept_BW]
    parents_BW = np.where(grows_BW, keys_BW, beam.parents_BW[rows_B1, from_BW])
    new = _Beam(
        np.where(grows_BW, (keys_BW ^ label_BW.astype(np.uint64)) * FACTOR + np.uint64(1), keys_BW),
        np.where(scores_BW > NEVER, parents_BW, NOBODY),
        np.where(grows_BW, label_BW, beam.last_BW[rows_B1, from_BW]),
        np.where(grows_BW, NEVER, stay_blank_BW[rows_B1, from_BW]),
        np.where(grows_BW, scores_BW, stay_label_BW[rows_B1, from_BW]),
    )
    return new, (from_BW, label_BW)


def _merge(beam: _Beam, grown_BWV: np.ndarray, stay_label_BW: np.ndarray) -> None:
    """A prefix that grows into another one of the beam is that one."""
    rows, children, parents = np.nonzero(beam.parents_BW[:, :, None] == beam.keys_BW[:, None])
    alive = beam.total_BW[rows, parents] > NEVER
    rows, children, parents = rows[alive], children[alive], parents[alive]
    grown = rows, parents, beam.last_BW[rows, children]
    stay_label_BW[rows, children] = np.logaddexp(stay_label_BW[rows, children], grown_BWV[grown])
    grown_BWV[grown] = NEVER


def _spelt(total_BW: np.ndarray, steps: list[tuple[np.ndarray, np.ndarray]]) -> list[list[tuple[list[int], float]]]:
    rows_B1, places_BW = np.arange(len(total_BW))[:, None], np.argsort(-total_BW, 1, kind="stable")
    sorted_BW, path = total_BW[rows_B1, places_BW], []
    for from_BW, label_BW in reversed(steps):
        path.append(label_BW[rows_B1, places_BW])
        places_BW = from_BW[rows_B1, places_BW]
    path_BWT = np.stack(path[::-1], 2)
    return [
        [([int(v) for v in row[row != BLANK]], float(score)) for row, score in zip(*both, strict=True) if score > NEVER]
        for both in zip(path_BWT, sorted_BW, strict=True)
    ]
