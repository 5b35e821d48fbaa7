"""Sentence classification."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.text.answers import answer
from tasks.text.class_logit import class_logit, evaluating
from tasks.text.data import TextData
from tasks.text.explain import explain_sections, report_sections
from tasks.text.losses import Criterion, classification_losses, correct
from tasks.text.networks.embedding import PAD
from tasks.text.vectors import VectorSource, out_of_vocabulary
from zoo.errors import InputError
from zoo.reports import Section
from zoo.training.task import Score, TaskModule

Batch = tuple[Tensor, Tensor]  # tokens_BT, labels_B


class SentenceClassification(TaskModule):
    """A sentence net (`embed`, `classify`) trained by cross-entropy or, class by class, by one against the rest.

    Args:
        net: tokens_BT -> logits_BC.
        optimizer: see `TaskModule`.
        vectors: where word vectors come from; None starts at random ones.
        label_smoothing: share of the target that is spread over all classes, for cross-entropy.
        criterion: cross_entropy, one_vs_rest (logistic units, Chen 2015), squared_hinge (a support vector machine).
        kwargs: further arguments of `TaskModule`.
    """

    best_metric = ("val/accuracy", "max")

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        vectors: VectorSource | None = None,
        label_smoothing: float = 0.0,
        criterion: Criterion = "cross_entropy",
        **kwargs: Any,
    ):
        super().__init__(net, optimizer, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"model.label_smoothing: expected a share in [0, 1), got {label_smoothing}; 0.1 is usual")
        if label_smoothing and criterion != "cross_entropy":
            raise InputError(f"model.label_smoothing: expected 0 with {criterion}, got {label_smoothing}; leave it out")
        self.vectors, self.label_smoothing, self.criterion = vectors, label_smoothing, criterion
        # Shares of training words and of training tokens that `vectors` do not have; below zero: none were
        # read. A buffer, so that a checkpoint knows them when its report is written.
        self.register_buffer("without_vector", torch.full((2,), -1.0))

    def setup(self, stage: str) -> None:
        """Give the net what it starts from: word vectors, statistics of the training split."""
        # Before a checkpoint is loaded: a resumed run has its own weights.
        if stage != "fit":
            return
        data = self.trainer.datamodule
        refuse_other_sizes(self.net, data)
        train = data.splits["train"]
        if self.vectors is not None:
            matrix_VE, found_V = self.vectors.read(data.tokeniser.words, train.encoded)
            self.net.embedding.load(matrix_VE)
            shares = out_of_vocabulary(found_V, train.encoded.tokens_M)
            self.without_vector.copy_(torch.tensor(shares))
        if hasattr(self.net, "start_from"):
            self.net.start_from(train.encoded, train.labels_N)

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """One term, the mean of the criterion."""
        tokens_BT, labels_B = batch
        return {self.criterion: self._mean_loss(net(tokens_BT), labels_B)}

    def _mean_loss(self, logits_BC: Tensor, labels_B: Tensor) -> Tensor:
        return classification_losses(logits_BC, labels_B, self.criterion, self.label_smoothing).mean()

    def evaluate(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The criterion (without smoothing) and accuracy of every sentence."""
        tokens_BT, labels_B = batch
        logits_BC = net(tokens_BT).float()
        loss_B = classification_losses(logits_BC, labels_B, self.criterion)
        return {"loss": loss_B, "accuracy": correct(logits_BC, labels_B)}

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> dict[str, Tensor]:
        """Class probabilities [B, C], and the labels where there are some."""
        tokens_BT, labels_B = batch if isinstance(batch, (tuple, list)) else (batch, None)
        found = {"probabilities": self.net(tokens_BT).float().softmax(1)}
        return found if labels_B is None else found | {"labels": labels_B}

    def loss_of_inputs(self, net: nn.Module, batch: Batch) -> tuple[Tensor, Score]:
        """The embedded words, and the loss as a function of them, for penalties on dL/dx."""
        tokens_BT, labels_B = batch

        def loss(vectors_BTE: Tensor) -> Tensor:
            logits_BC = net.classify(vectors_BTE, tokens_BT != PAD)
            return self._mean_loss(logits_BC, labels_B)

        return net.embed(tokens_BT), loss

    def attribution_target(self, batch: Batch) -> tuple[Tensor, Score]:
        """The embedded words [B, T, E], and the logit of each label as a function of them, of the net in eval mode."""
        return class_logit(self.net, batch)

    def report_sections(self, data: TextData) -> list[Section]:
        """Confusion matrix, what was read, worst mistakes, n-grams and shaded words of the test split."""
        return report_sections(self, data)

    explain_options = ("methods", "choose", "examples", "steps", "text", "swap")

    def explain_sections(self, data: TextData, **options: Any) -> list[Section]:
        """Words shaded by several methods, with the checks that say whether they mean anything."""
        return explain_sections(self, data, **options)

    predict_options = ("text", "file", "column")

    def answer(self, data: TextData, options: dict[str, Any], folder: Path) -> None:
        """Answer a user's sentences (`text`) on the terminal, or those of a file (`file`) into another."""
        answer(self.net, data, options, folder)


def refuse_other_sizes(net: nn.Module, data: Any) -> None:
    """Refuse a net for other classes or another vocabulary than the data's.

    Raises:
        InputError: naming the key to set.
    """
    rows = net.embedding.vocabulary_size
    if rows < len(data.tokeniser):
        raise InputError(
            f"model.net: expected {data.vocabulary_size} rows of vectors, the data's vocabulary, got {rows}; "
            f"set model.net.init_args.vocabulary_size to {data.vocabulary_size}"
        )
    with torch.no_grad():
        outputs = evaluating(net, lambda: net(data.splits["train"].encoded.padded(torch.tensor([0])))).shape[1]
    if outputs != data.num_classes:
        raise InputError(
            f"model.net: expected {data.num_classes} outputs, one a class of the data, got {outputs}; "
            f"set model.net.init_args.num_classes to {data.num_classes}"
        )
