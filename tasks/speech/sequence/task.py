"""Training that asks for answers which beat their rivals, after training by CTC.

Legend: T = frames, B = utterances, V = labels with the blank.
"""

from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.speech.data.speech_data import Batch
from tasks.speech.losses import ctc_loss
from tasks.speech.sequence.criteria import Criterion
from tasks.speech.sequence.rivals import ContestOf, Rivals
from tasks.speech.task import CTCRecognition
from zoo.errors import InputError


class SequenceTraining(CTCRecognition):
    """(1 - ctc_share) criterion + ctc_share CTC, from a net that CTC has trained. Vesely et al. (2013).

    Rivals are found anew for every batch, with the net as it is (no gradient goes through finding them).

    Args:
        net: of the run that is started from.
        optimizer: see `TaskModule`.
        criterion: MMI, SMBR (frames), MPE (labels) or MWER (words).
        rivals: what transcripts are weighed against.
        start_from: run, recipe (its newest run under `runs`) or checkpoint; of a run the best checkpoint is taken.
        ctc_share: share of CTC, which keeps a net from forgetting (f-smoothing, Su et al. 2013); with 1 nothing but
            CTC goes on, the control of a comparison.
        kwargs: further arguments of `TaskModule`.

    Raises:
        InputError: a share outside of 0..1; as a fit starts: nothing to start from, or another net or alphabet.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        criterion: Criterion,
        rivals: Rivals,
        start_from: str | None = None,
        ctc_share: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(net, optimizer, start_from=start_from, **kwargs)
        if not 0 <= ctc_share <= 1:
            raise InputError(f"model.ctc_share: expected a number in 0..1, got {ctc_share}; 0.1 is usual")
        self.criterion, self.rivals, self.ctc_share = criterion, rivals, ctc_share
        self._contest_of: ContestOf | None = None

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The criterion's and CTC's shares, means over utterances."""
        logits_BTV, frames_B = net(batch.features_BTD, batch.frames_B)
        exact = torch.promote_types(logits_BTV.dtype, torch.float32)
        log_probs_TBV = logits_BTV.to(exact).log_softmax(-1).transpose(0, 1)
        terms = {}
        if self.ctc_share < 1:
            terms[self.criterion.name] = (1 - self.ctc_share) * self._sequence_losses(log_probs_TBV, frames_B, batch)
        if self.ctc_share > 0:
            losses_B = ctc_loss(log_probs_TBV, batch.labels_BU, frames_B, batch.lengths_B)
            terms["ctc"] = self.ctc_share * losses_B / batch.lengths_B.clamp(min=1)
        return {name: losses_B.mean() for name, losses_B in terms.items()}

    def _sequence_losses(self, log_probs_TBV: Tensor, frames_B: Tensor, batch: Batch) -> Tensor:
        rows = zip(batch.labels_BU.tolist(), batch.lengths_B.tolist(), strict=True)
        spoken = [row[:length] for row, length in rows]
        data = self.trainer.datamodule
        if self._contest_of is None:
            self._contest_of = self.rivals.made(data.alphabet, data.splits["train"].texts)
        contest = self._contest_of(log_probs_TBV, frames_B, spoken)
        return self.criterion.losses(log_probs_TBV, frames_B, contest, data.alphabet)

    def on_fit_start(self) -> None:
        """Take the start's weights; a resumed run has its own."""
        if self.start_from is None and self.trainer.ckpt_path is None:
            raise InputError(
                "model.start_from: expected a run or checkpoint that CTC has trained, got none; train one and name it, "
                "such as --model.start_from speech/noisy_digits"
            )
        super().on_fit_start()
