"""Speech recognition by connectionist temporal classification."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.speech.answers import Decode, answer
from tasks.speech.data.speech_data import Batch, SpeechData
from tasks.speech.decoding import greedy
from tasks.speech.decoding.decoder import Decoder
from tasks.speech.error_rates import edit_distance
from tasks.speech.explain import Method, ctc_letter_figures, explain_sections, report_sections
from tasks.speech.judged import Judged
from tasks.speech.losses import ctc_loss, too_short
from tasks.speech.pages.skipped import skipped_section
from tasks.speech.rates import with_rates
from tasks.speech.starts import take_weights
from zoo.errors import InputError
from zoo.reports import Figure, Section
from zoo.training.task import Score, TaskModule


class CTCRecognition(TaskModule):
    """An acoustic net trained by CTC, judged by error rates of greedy decoding and, where one is given, of a decoder.

    The decoder's stand beside the greedy ones as beam_wer and beam_cer; while a net is trained, where they would take
    longer than the training, they are left out.

    Args:
        net: features_BTD, frames_B -> (logits_BTV, frames_B).
        optimizer: see `TaskModule`.
        start_from: run, recipe or checkpoint whose weights the net starts from; None starts at random ones.
        decoder: prefix search with an n-gram or a lexicon, trained on the training transcripts.
        kwargs: further arguments of `TaskModule`.
    """

    best_metric = ("val/wer", "min")

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        decoder: Decoder | None = None,
        start_from: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(net, optimizer, **kwargs)
        self.decoder, self.start_from = decoder, start_from
        self._decoded: Decode | None = None

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """One term, the mean over utterances of CTC's loss by label."""
        return {"ctc": self._losses(net, batch).mean()}

    def _losses(self, net: nn.Module, batch: Batch) -> Tensor:
        logits_BTV, frames_B = net(batch.features_BTD, batch.frames_B)
        log_probs_TBV = logits_BTV.float().log_softmax(-1).transpose(0, 1)
        return ctc_loss(log_probs_TBV, batch.labels_BU, frames_B, batch.lengths_B) / batch.lengths_B.clamp(min=1)

    def evaluate(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Loss, whether the whole answer is right, and errors and lengths in labels and words, of every utterance."""
        logits_BTV, frames_B = net(batch.features_BTD, batch.frames_B)
        log_probs_TBV = logits_BTV.float().log_softmax(-1).transpose(0, 1)
        loss_B = ctc_loss(log_probs_TBV, batch.labels_BU, frames_B, batch.lengths_B) / batch.lengths_B.clamp(min=1)
        alphabet = self.trainer.datamodule.alphabet
        rows = zip(batch.labels_BU.tolist(), batch.lengths_B.tolist(), strict=True)
        said = [alphabet.decode(row[:length]) for row, length in rows]
        figures = errors_of(said, [alphabet.decode(labels) for labels in greedy(log_probs_TBV, frames_B)])
        figures["accuracy"] = [float(not errors) for errors in figures["character_errors"]]
        if self.decoder is not None and self.trainer.state.fn != "fit":
            found = errors_of(said, [alphabet.decode(labels) for labels in self._best(log_probs_TBV, frames_B)])
            figures |= {f"beam_{name}": values for name, values in found.items() if name.endswith("errors")}
        return {"loss": loss_B, **{name: loss_B.new_tensor(values) for name, values in figures.items()}}

    def _best(self, log_probs_TBV: Tensor, frames_B: Tensor) -> list[list[int]]:
        if self._decoded is None:
            self._decoded = self._decode(self.trainer.datamodule)
        return self._decoded(log_probs_TBV, frames_B)

    def report(self, figures: dict[str, float]) -> None:
        """Word and character error rates in place of the counts that they are ratios of."""
        super().report(with_rates(figures))

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Log-probabilities of all frames, an utterance's behind those of the one before, and frames of each."""
        logits_BTV, frames_B = self.net(batch.features_BTD, batch.frames_B)
        inside_BT = torch.arange(logits_BTV.shape[1], device=frames_B.device) < frames_B[:, None]
        return {"log_probs": logits_BTV[inside_BT].float().log_softmax(-1), "frames": frames_B}

    def attribution_target(self, batch: Batch) -> tuple[Tensor, Score]:
        """The features, and log p(transcript) as a function of them."""

        def log_prob(features_BTD: Tensor) -> Tensor:
            times = len(features_BTD) // len(batch.frames_B)
            logits_BTV, frames_B = self.net(features_BTD, batch.frames_B.repeat(times))
            log_probs_TBV = logits_BTV.float().log_softmax(-1).transpose(0, 1)
            return -ctc_loss(log_probs_TBV, batch.labels_BU.repeat(times, 1), frames_B, batch.lengths_B.repeat(times))

        return batch.features_BTD, log_prob

    @torch.no_grad()
    def heard(self, batch: Batch) -> list[list[int]]:
        """Labels of the best path of every utterance."""
        logits_BTV, frames_B = self.net(batch.features_BTD, batch.frames_B)
        return greedy(logits_BTV.float().log_softmax(-1).transpose(0, 1), frames_B)

    predict_options = ("files", "stream")

    def answer(self, data: Any, options: dict[str, Any], folder: Path) -> None:
        """Say what was said in the user's sound files; see `tasks.speech.answers`."""
        answer(self.net, data, options, self._decode(data) if self.decoder is not None else greedy)

    def _decode(self, data: Any) -> Decode:
        decoded = self.decoder.bound(data.alphabet, data.language_texts())

        def decode(log_probs_TBV: Tensor, frames_B: Tensor) -> list[list[int]]:
            log_probs_BTV = log_probs_TBV.transpose(0, 1).cpu().numpy()
            return [decoded(rows[:frames]) for rows, frames in zip(log_probs_BTV, frames_B.tolist(), strict=True)]

        return decode

    def report_sections(self, data: SpeechData) -> list[Section]:
        """What was misheard, what an answer rests on, and what was left out of the data, where there is something."""
        data.setup()
        left_out = [skipped_section(data.skipped)] if data.skipped else []
        return [*report_sections(self, data), *left_out]

    def explain_sections(self, data: SpeechData, **options: Any) -> list[Section]:
        """What answers rest on in time and frequency, letter by letter, and the sound of that part alone."""
        return explain_sections(self, data, **options)

    def letter_figures(self, data: SpeechData, features_TD: Tensor, one: Judged, method: Method) -> list[Figure]:
        """What each letter rests on at its aligned time."""
        return ctc_letter_figures(self.net, data, features_TD, one, method)

    def on_fit_start(self) -> None:
        """Refuse a net of other sizes, and utterances too short for their transcripts, before the first step."""
        super().on_fit_start()
        data = self.trainer.datamodule
        if self.start_from is not None and self.trainer.ckpt_path is None:  # a resumed run has its own
            take_weights(self.net, data.alphabet, self.start_from)
        for split in data.splits:
            self._check(data, split)

    def _check(self, data: Any, split: str) -> None:
        names, reasons = data.splits[split].names, {}
        for start in range(0, len(names), 64):
            chosen = torch.arange(start, min(start + 64, len(names)))
            batch = data.batch(split, chosen)
            frames_B = self.net.frames_out(batch.frames_B)
            for bad in too_short(frames_B, batch.labels_BU, batch.lengths_B).nonzero()[:, 0].tolist():
                reasons[start + bad] = InputError(
                    f"{names[start + bad]}: expected frames for its {int(batch.lengths_B[bad])} labels, got "
                    f"{int(frames_B[bad])} after the net's strides; take a smaller stride, hop or stack"
                )
        if reasons:
            data.drop(split, reasons)


def errors_of(said: list[str], heard: list[str]) -> dict[str, list[float]]:
    """Errors and lengths in words and characters, of every utterance.

    >>> errors_of(["no one"], ["no on"])
    {'word_errors': [1.0], 'words': [2.0], 'character_errors': [1.0], 'characters': [6.0]}
    """
    pairs = list(zip(said, heard, strict=True))
    return {
        "word_errors": [float(edit_distance(one.split(), other.split())) for one, other in pairs],
        "words": [float(len(one.split())) for one in said],
        "character_errors": [float(edit_distance(one, other)) for one, other in pairs],
        "characters": [float(len(one)) for one in said],
    }
