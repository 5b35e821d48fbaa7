"""From a memory to label sequences: a speller's best label each time, or a beam search.

Legend: B = utterances, W = hypotheses alive, T = frames of the memory, H = its channels, U = labels said, V = labels,
0 the end.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.speech.decoding.ctc_prefix import Prefixes, continuations, empty_prefix, grown
from tasks.speech.networks.speller import END, Memory, State
from zoo.errors import InputError


def greedy_spelling(speller: nn.Module, memory_BTH: Tensor, frames_B: Tensor, longest: int) -> list[list[int]]:
    """Labels of every utterance, the likeliest each time, up to the end or `longest` labels."""
    memory = speller.memory(memory_BTH, frames_B)
    state, read_B = speller.start(memory), torch.full_like(frames_B, END)
    said, going_B = [], torch.ones_like(frames_B, dtype=torch.bool)
    while len(said) < longest and going_B.any():
        logits_BV, state = speller.step(read_B, state, memory)
        read_B = logits_BV.argmax(-1).masked_fill(~going_B, END)
        going_B = read_B != END
        said.append(read_B)
    rows = torch.stack(said, 1).tolist() if said else [[]] * len(frames_B)
    return [[label for label in row if label != END] for row in rows]


@dataclass(frozen=True)
class Spelled:
    """Labels, log p(labels, end | sound), mixed with CTC's where asked, the attention [U + 1, T], what ranks it."""

    labels: list[int]
    log_prob: float
    attention_UT: Tensor
    score: float


@dataclass
class _Alive:
    """Hypotheses that have not ended: their labels behind the start (0), and one [W, T] of `attention` for each."""

    labels_WU: Tensor
    spelled_W: Tensor
    state: State
    attention: list[Tensor]
    prefixes: Prefixes | None


def _beginning(speller: nn.Module, memory: Memory, log_probs_TV: Tensor | None) -> _Alive:
    device = memory.values_BTH.device
    start_W1, sure_W = torch.full((1, 1), END, device=device), torch.zeros(1, dtype=torch.float64, device=device)
    prefixes = None if log_probs_TV is None else empty_prefix(log_probs_TV)
    return _Alive(start_W1, sure_W, speller.start(memory), [], prefixes)


@dataclass(frozen=True)
class SpellingBeam:
    """Beam search over labels: score = log p / ((5 + n) / 6)^alpha + eta frames attended, n labels and the end.

    log p = (1 - c) log p_speller + c log p_ctc, Watanabe et al. (2017). The length penalty alpha is that of Wu et al.
    (2016), against the love of short answers; the frames attended, those that got more than tau in all, are counted
    by Chorowski and Jaitly (2017), against answers that skip a part or, with a long one, say it twice. With a width
    that holds every prefix the search is exact; it ends as soon as nothing alive can win.

    Args:
        width: hypotheses alive.
        length_penalty: alpha.
        coverage_weight: eta.
        coverage_threshold: tau.
        ctc_weight: c.
        longest: labels of an answer.

    Raises:
        InputError: numbers out of their range.
    """

    width: int = 8
    length_penalty: float = 0.0
    coverage_weight: float = 0.0
    coverage_threshold: float = 0.5
    ctc_weight: float = 0.0
    longest: int = 100

    def __post_init__(self) -> None:
        if self.width < 1 or self.longest < 1:
            raise InputError(f"beam: expected width and longest of 1 or more, got {self.width} and {self.longest}")
        for name in ("length_penalty", "coverage_weight", "coverage_threshold"):
            if getattr(self, name) < 0:
                raise InputError(f"beam.{name}: expected 0 or more, got {getattr(self, name)}; mend the recipe")
        if not 0 <= self.ctc_weight <= 1:
            raise InputError(f"beam.ctc_weight: expected 0 to 1, got {self.ctc_weight}; mend the recipe")

    @torch.no_grad()
    def __call__(self, speller: nn.Module, memory_TH: Tensor, log_probs_TV: Tensor | None = None) -> list[Spelled]:
        """Hypotheses of one utterance that ended, the best first.

        Args:
            speller: as `networks.Speller`.
            memory_TH: without padding.
            log_probs_TV: CTC's, where it has a weight.
        """
        if (self.ctc_weight > 0) != (log_probs_TV is not None):
            raise InputError(f"beam.ctc_weight: expected above 0 exactly where CTC answers, got {self.ctc_weight}")
        log_probs_TV = None if log_probs_TV is None else log_probs_TV.double()
        memory = speller.memory(memory_TH[None], torch.tensor([len(memory_TH)], device=memory_TH.device))
        alive, ended = _beginning(speller, memory, log_probs_TV), []
        for said in range(self.longest + 1):
            spelled_WV, mixed_WV = self._step(speller, memory, alive, log_probs_TV)
            ended += self._ended(alive, mixed_WV[:, END])
            mixed_WV[:, END] = -torch.inf
            if said == self.longest or self._best_possible(mixed_WV, len(memory_TH)) <= max(s.score for s in ended):
                break
            alive = self._grown(alive, spelled_WV, mixed_WV, log_probs_TV)
        return sorted(ended, key=lambda one: -one.score)

    def _step(
        self, speller: nn.Module, memory: Memory, alive: _Alive, log_probs_TV: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """log p of every prefix and label by the speller, and mixed with CTC's; the state and attention move on."""
        read_W = alive.labels_WU[:, -1]
        wide = Memory(*(part.expand(len(read_W), *part.shape[1:]) for part in memory))
        logits_WV, alive.state = speller.step(read_W, alive.state, wide)
        alive.attention.append(alive.state.weights_BT)
        spelled_WV = alive.spelled_W[:, None] + logits_WV.double().log_softmax(-1)
        if log_probs_TV is None:
            return spelled_WV, spelled_WV.clone()
        ctc_WV = continuations(log_probs_TV, alive.prefixes)
        return spelled_WV, (1 - self.ctc_weight) * spelled_WV + self.ctc_weight * ctc_WV

    def _ended(self, alive: _Alive, log_probs_W: Tensor) -> list[Spelled]:
        attention_WUT = torch.stack(alive.attention, 1)
        scores_W = self._scores(log_probs_W[:, None], attention_WUT)[:, 0]
        rows = zip(alive.labels_WU[:, 1:].tolist(), log_probs_W.tolist(), attention_WUT, scores_W.tolist(), strict=True)
        return [Spelled(*row) for row in rows]

    def _scores(self, log_probs_WV: Tensor, attention_WUT: Tensor) -> Tensor:
        attended_W = (attention_WUT.sum(1) > self.coverage_threshold).sum(1).double()
        return self._by_length(log_probs_WV, attention_WUT.shape[1]) + self.coverage_weight * attended_W[:, None]

    def _by_length(self, log_probs: Tensor, labels: int) -> Tensor:
        return log_probs / ((5 + labels) / 6) ** self.length_penalty

    def _best_possible(self, mixed_WV: Tensor, frames: int) -> float:
        """No continuation scores more: log p only falls, and every frame may be attended."""
        return float(self._by_length(mixed_WV.max(), self.longest + 1)) + self.coverage_weight * frames

    def _grown(self, alive: _Alive, spelled_WV: Tensor, mixed_WV: Tensor, log_probs_TV: Tensor | None) -> _Alive:
        scores_WV = self._scores(mixed_WV, torch.stack(alive.attention, 1))
        possible = int((mixed_WV > -torch.inf).sum())
        kept_W = scores_WV.flatten().topk(min(self.width, possible)).indices
        rows_W, labels_W = kept_W // mixed_WV.shape[1], kept_W % mixed_WV.shape[1]
        prefixes = None if log_probs_TV is None else grown(log_probs_TV, alive.prefixes, rows_W, labels_W)
        return _Alive(
            torch.cat([alive.labels_WU[rows_W], labels_W[:, None]], 1),
            spelled_WV[rows_W, labels_W],
            alive.state.take(rows_W),
            [weights_WT[rows_W] for weights_WT in alive.attention],
            prefixes,
        )
