"""Speech recognition by attention, perhaps with CTC as a second loss.

Legend: B = utterances, T = frames, D = features, U = labels, V = labels with the blank, which is also the end.
"""

from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor

from tasks.speech.data.speech_data import Batch, SpeechData
from tasks.speech.decoding.spelling_beam import Spelled, SpellingBeam, greedy_spelling
from tasks.speech.explain import Method, explain_sections, report_sections
from tasks.speech.judged import Judged
from tasks.speech.losses import check_feasible, ctc_loss
from tasks.speech.networks.las import Heard, ListenAttendSpell
from tasks.speech.pages.attention import attention_picture
from tasks.speech.rates import with_rates
from tasks.speech.spelling import spelling_loss
from tasks.speech.task import errors_of
from zoo.errors import InputError
from zoo.reports import Figure, Section
from zoo.training.task import Score, TaskModule


class AttentionRecognition(TaskModule):
    """Listen, Attend and Spell, judged by error rates of greedy answers and of a beam search.

    The beam's stand beside the greedy ones as beam_wer and beam_cer; while a net is trained they are left out.

    Loss: (1 - c) attention + c CTC, both -log p by label. Chan et al. (2016); Watanabe et al. (2017).

    Args:
        net: with a layer for CTC exactly where CTC has a weight.
        optimizer: see `TaskModule`.
        ctc_weight: c.
        label_smoothing: of the speller's labels.
        scheduled_sampling: share of labels that the speller reads from its own answer once it is fully on.
        sampling_steps: over which that share grows from 0; a speller that knows nothing learns nothing from itself.
        beam: the search.
        kwargs: further arguments of `TaskModule`.

    Raises:
        InputError: a weight for CTC without its layer, or the other way round; a share outside 0 to 1.
    """

    best_metric = ("val/wer", "min")

    def __init__(
        self,
        net: ListenAttendSpell,
        optimizer: OptimizerCallable,
        ctc_weight: float = 0.0,
        label_smoothing: float = 0.1,
        scheduled_sampling: float = 0.1,
        sampling_steps: int = 0,
        beam: SpellingBeam = SpellingBeam(),  # noqa: B008  frozen
        **kwargs: Any,
    ):
        super().__init__(net, optimizer, **kwargs)
        _check_shares(ctc_weight, label_smoothing, scheduled_sampling)
        for name, weight in (("model.ctc_weight", ctc_weight), ("model.beam.ctc_weight", beam.ctc_weight)):
            if weight and net.ctc is None:
                raise InputError(f"{name}: expected 0 with a net without a layer for CTC, got {weight}; give net.ctc")
        if net.ctc is not None and not ctc_weight:
            raise InputError("model.ctc_weight: expected above 0 to train the net's layer for CTC, got 0; set it")
        self.ctc_weight, self.label_smoothing = ctc_weight, label_smoothing
        self.scheduled_sampling, self.sampling_steps, self.beam = scheduled_sampling, sampling_steps, beam

    def loss(self, net: ListenAttendSpell, batch: Batch) -> dict[str, Tensor]:
        """Means over utterances of the loss by label: `attention`, and `ctc` where it has a weight; each weighted."""
        sampling = self._sampling() if net.training else 0.0
        heard = net(batch.features_BTD, batch.frames_B, batch.labels_BU, sampling)
        losses = self._losses(heard, batch, self.label_smoothing if net.training else 0.0)
        return {name: loss_B.mean() for name, loss_B in losses.items()}

    def _sampling(self) -> float:
        if not self.sampling_steps:
            return self.scheduled_sampling
        return self.scheduled_sampling * min(1.0, self.global_step / self.sampling_steps)

    def _losses(self, heard: Heard, batch: Batch, smoothing: float) -> dict[str, Tensor]:
        spelling_B = spelling_loss(_precise(heard.logits_BUV), batch.labels_BU, batch.lengths_B, smoothing)
        losses = {"attention": (1 - self.ctc_weight) * spelling_B / (batch.lengths_B + 1)}
        if heard.frame_logits_BTV is not None:
            log_probs_TBV = _precise(heard.frame_logits_BTV).log_softmax(-1).transpose(0, 1)
            ctc_B = ctc_loss(log_probs_TBV, batch.labels_BU, heard.frames_B, batch.lengths_B)
            losses["ctc"] = self.ctc_weight * ctc_B / batch.lengths_B.clamp(min=1)
        return losses

    def evaluate(self, net: ListenAttendSpell, batch: Batch) -> dict[str, Tensor]:
        """Loss and figures of the answers of every utterance; but for a fit's those of the beam too."""
        heard = net(batch.features_BTD, batch.frames_B, batch.labels_BU)
        loss_B = sum(self._losses(heard, batch, 0.0).values())
        alphabet = self.trainer.datamodule.alphabet
        rows = zip(batch.labels_BU.tolist(), batch.lengths_B.tolist(), strict=True)
        said = [alphabet.decode(row[:length]) for row, length in rows]
        greedy = greedy_spelling(net.speller, heard.memory_BTH, heard.frames_B, self.beam.longest)
        answers = [alphabet.decode(labels) for labels in greedy]
        figures = errors_of(said, answers)
        figures["accuracy"] = [float(one == other) for one, other in zip(said, answers, strict=True)]
        if self.trainer.state.fn != "fit":
            best = [alphabet.decode(found[0].labels) for found in self.spelled(net, *heard[2:])]
            of_beam = errors_of(said, best)
            figures |= {f"beam_{name}": values for name, values in of_beam.items() if name.endswith("errors")}
        return {"loss": loss_B, **{name: loss_B.new_tensor(values) for name, values in figures.items()}}

    def spelled(
        self, net: ListenAttendSpell, memory_BTH: Tensor, frame_logits_BTV: Tensor | None, frames_B: Tensor
    ) -> list[list[Spelled]]:
        """Hypotheses of every utterance by beam search, the best first, from what `net.listen` heard."""
        found = []
        for n, frames in enumerate(frames_B.tolist()):
            logs_TV = None
            if self.beam.ctc_weight:
                logs_TV = _precise(frame_logits_BTV[n, :frames]).log_softmax(-1)
            found.append(self.beam(net.speller, memory_BTH[n, :frames], logs_TV))
        return found

    def report(self, figures: dict[str, float]) -> None:
        """Word and character error rates in place of the counts that they are ratios of."""
        super().report(with_rates(figures))

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, list]:
        """Labels of the best hypothesis of every utterance, and their log-probabilities."""
        listened = self.net.listen(batch.features_BTD, batch.frames_B)
        best = [found[0] for found in self.spelled(self.net, *listened)]
        return {"labels": [one.labels for one in best], "log_prob": [one.log_prob for one in best]}

    def attribution_target(self, batch: Batch) -> tuple[Tensor, Score]:
        """The features, and the speller's log p(transcript) as a function of them."""

        def log_prob(features_BTD: Tensor) -> Tensor:
            times = len(features_BTD) // len(batch.frames_B)
            labels_BU, lengths_B = batch.labels_BU.repeat(times, 1), batch.lengths_B.repeat(times)
            heard = self.net(features_BTD, batch.frames_B.repeat(times), labels_BU)
            return -spelling_loss(_precise(heard.logits_BUV), labels_BU, lengths_B)

        return batch.features_BTD, log_prob

    @torch.no_grad()
    def heard(self, batch: Batch) -> list[list[int]]:
        """Labels of the best hypothesis of the beam search of every utterance."""
        listened = self.net.listen(batch.features_BTD, batch.frames_B)
        return [found[0].labels for found in self.spelled(self.net, *listened)]

    def report_sections(self, data: SpeechData) -> list[Section]:
        """What was misheard, what an answer rests on, and the attention that it paid."""
        data.setup()
        return report_sections(self, data)

    def explain_sections(self, data: SpeechData, **options: Any) -> list[Section]:
        """What answers rest on in time and frequency, the attention paid, and the sound of the important part."""
        return explain_sections(self, data, **options)

    def letter_figures(self, data: SpeechData, features_TD: Tensor, one: Judged, method: Method) -> list[Figure]:
        """The attention that each letter, and the end, pays to each stretch of time."""
        weights_UT = attention_paid(self.net, features_TD, torch.tensor(one.labels, dtype=torch.long))
        letters = [data.alphabet.texts[label] for label in one.labels]
        return [attention_picture(weights_UT, letters, len(features_TD) * data.features.seconds_per_frame)]

    def on_fit_start(self) -> None:
        """Refuse a speller of another alphabet, and utterances too short for CTC, before the first step."""
        super().on_fit_start()
        data = self.trainer.datamodule
        labels = self.net.speller.output.out_features
        if labels != len(data.alphabet):
            raise InputError(
                f"net.speller.labels: expected {len(data.alphabet)}, the alphabet with the blank, got {labels}; mend it"
            )
        longest = max(len(data.alphabet.encode(text)) for split in data.splits.values() for text in split.texts)
        if longest > self.beam.longest:
            raise InputError(
                f"model.beam.longest: expected {longest} or more, the labels of the longest transcript, got "
                f"{self.beam.longest}; set it"
            )
        if self.net.ctc is not None:
            for split in data.splits:
                _check_feasible(data, split, self.net)


def _check_shares(ctc_weight: float, label_smoothing: float, scheduled_sampling: float) -> None:
    shares = {"ctc_weight": ctc_weight, "label_smoothing": label_smoothing, "scheduled_sampling": scheduled_sampling}
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise InputError(f"model.{name}: expected 0 or more and below 1, got {share}; mend the recipe")


def _precise(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _check_feasible(data: Any, split: str, net: ListenAttendSpell) -> None:
    names = data.splits[split].names
    for start in range(0, len(names), 64):
        batch = data.batch(split, torch.arange(start, min(start + 64, len(names))))
        check_feasible(net.frames_out(batch.frames_B), batch.labels_BU, batch.lengths_B, names[start : start + 64])


@torch.no_grad()
def attention_paid(net: ListenAttendSpell, features_TD: Tensor, labels_U: Tensor) -> Tensor:
    """Weight that the net gives to each frame of the memory as it says each label and the end, [U + 1, T].

    Frame t of the memory is of the features from t times `stride` on, their count over `net.frames_out`'s.

    Args:
        net: in evaluation mode.
        features_TD: one utterance.
        labels_U: what is said, by `data.alphabet.encode` or the beam search.
    """
    return net(features_TD[None], torch.tensor([len(features_TD)]), labels_U[None]).attention_BUT[0]
