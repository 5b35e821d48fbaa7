"""Prefix beam search over CTC outputs, a frame at a time with all prefixes and labels at once.

Graves (2006) section 3.2 and Hannun et al. (2014). Legend: T = frames, V = labels with the blank, W = prefixes kept.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tasks.speech.losses import BLANK

NEVER = -np.inf


class Scorer(Protocol):
    """What a language model or a lexicon says about the next label."""

    def start(self) -> Hashable:
        """State of the empty prefix."""

    def scores(self, state: Hashable) -> np.ndarray:
        """Weighted log-scores [V] of each next label; -inf forbids it, the blank's is not looked at."""

    def after(self, state: Hashable, label: int) -> Hashable:
        """State once `label` is appended."""

    def end(self, state: Hashable) -> float:
        """Weighted log-score of ending here."""


@dataclass(frozen=True)
class Hypothesis:
    """Labels, log p(labels | frames) and what the scorer added."""

    labels: list[int]
    log_prob: float
    bonus: float

    @property
    def score(self) -> float:
        """What hypotheses are ranked by."""
        return self.log_prob + self.bonus


@dataclass
class _Trie:
    """Prefixes by number; 0 is the empty one."""

    parents: list[int] = field(default_factory=lambda: [-1])
    labels: list[int] = field(default_factory=lambda: [BLANK])
    states: list[Hashable] = field(default_factory=list)
    known: dict[tuple[int, int], int] = field(default_factory=dict)

    def child(self, parent: int, label: int, scorer: Scorer | None) -> int:
        """The prefix `parent` with `label` appended."""
        number = self.known.get((parent, label))
        if number is None:
            number = self.known[parent, label] = len(self.parents)
            self.parents.append(parent)
            self.labels.append(label)
            if scorer is not None:
                self.states.append(scorer.after(self.states[parent], label))
        return number

    def spelt(self, number: int) -> list[int]:
        """Labels of a prefix."""
        found = []
        while number:
            found.append(self.labels[number])
            number = self.parents[number]
        return found[::-1]


def prefix_beam(log_probs_TV: np.ndarray, width: int = 100, scorer: Scorer | None = None) -> list[Hypothesis]:
    """The best label sequences, most probable first; their probabilities sum over all paths that were kept.

    With a beam wide enough to hold every prefix this is the exact argmax over label sequences.

    Args:
        log_probs_TV: natural logarithms, one utterance.
        width: W.
        scorer: adds to a prefix's score label by label.

    >>> half = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    >>> [(h.labels, round(float(np.exp(h.log_prob)), 2)) for h in prefix_beam(half)]
    [([1], 0.64), ([], 0.36)]
    """
    trie = _Trie()
    if scorer is not None:
        trie.states.append(scorer.start())
    nodes = np.array([0])
    blank_W, label_W, bonus_W = np.array([0.0]), np.array([NEVER]), np.array([0.0])
    for log_probs_V in np.asarray(log_probs_TV, np.float64):
        nodes, blank_W, label_W, bonus_W = _advance(log_probs_V, width, scorer, trie, nodes, blank_W, label_W, bonus_W)
    total_W = np.logaddexp(blank_W, label_W)
    if scorer is not None:
        bonus_W = bonus_W + [scorer.end(trie.states[node]) for node in nodes]
    order = np.argsort(-(total_W + bonus_W), kind="stable")
    return [
        Hypothesis(trie.spelt(int(nodes[i])), float(total_W[i]), float(bonus_W[i]))
        for i in order
        if total_W[i] + bonus_W[i] > NEVER
    ]


def _advance(
    log_probs_V: np.ndarray,
    width: int,
    scorer: Scorer | None,
    trie: _Trie,
    nodes: np.ndarray,
    blank_W: np.ndarray,
    label_W: np.ndarray,
    bonus_W: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One frame: stay (a blank, or the last label again) or grow by a label; the best `width` of both are kept."""
    last_W = np.array([trie.labels[node] for node in nodes])
    total_W = np.logaddexp(blank_W, label_W)
    rows = np.arange(len(nodes))
    grown_WV = total_W[:, None] + log_probs_V
    # A label after itself is a repeat of the same one unless a blank stood between them.
    grown_WV[rows, last_W] = blank_W + log_probs_V[last_W]
    grown_WV[:, BLANK] = NEVER
    stay_blank_W = total_W + log_probs_V[BLANK]
    stay_label_W = np.where(last_W == BLANK, NEVER, label_W + log_probs_V[last_W])
    # A prefix that grows into another one of the beam is that one.
    places = {node: place for place, node in enumerate(nodes.tolist())}
    for place, node in enumerate(nodes.tolist()):
        parent = places.get(trie.parents[node])
        if parent is not None:
            stay_label_W[place] = np.logaddexp(stay_label_W[place], grown_WV[parent, last_W[place]])
            grown_WV[parent, last_W[place]] = NEVER
    added_WV = 0.0 if scorer is None else np.stack([scorer.scores(trie.states[node]) for node in nodes])
    grown_bonus_WV = np.broadcast_to(bonus_W[:, None] + added_WV, grown_WV.shape)
    ranked = np.concatenate([np.logaddexp(stay_blank_W, stay_label_W) + bonus_W, (grown_WV + grown_bonus_WV).ravel()])
    kept = np.argpartition(-ranked, width)[:width] if len(ranked) > width else np.arange(len(ranked))
    kept = kept[ranked[kept] > NEVER]
    stays, grows = kept[kept < len(nodes)], kept[kept >= len(nodes)] - len(nodes)
    parents, labels = np.divmod(grows, len(log_probs_V))
    children = [
        trie.child(node, label, scorer) for node, label in zip(nodes[parents].tolist(), labels.tolist(), strict=True)
    ]
    return (
        np.concatenate([nodes[stays], np.array(children, dtype=nodes.dtype)]),
        np.concatenate([stay_blank_W[stays], np.full(len(grows), NEVER)]),
        np.concatenate([stay_label_W[stays], grown_WV.ravel()[grows]]),
        np.concatenate([bonus_W[stays], grown_bonus_WV.ravel()[grows]]),
    )
