"""Image classification."""

from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tasks.vision.explain import classification_sections, explain_sections
from tasks.vision.losses import classification_loss, correct, softmax_kl
from zoo.errors import InputError
from zoo.optim.fisher import Divergence
from zoo.reports import Section
from zoo.training.evaluation import evaluating
from zoo.training.repeatable import repeatable
from zoo.training.task import Score, TaskModule

Batch = tuple[Tensor, Tensor]  # images_NCHW, labels: [N] classes or [N, C] probabilities


class ImageClassification(TaskModule):
    """A net that gives logits [N, num_classes], trained by cross-entropy.

    Args:
        net: images_NCHW -> logits_NC.
        optimizer: see `TaskModule`.
        label_smoothing: share of the target that is spread over all classes.
        channels_last: keep images and weights in NHWC order, which convolutions in bf16 are fastest with.
        kwargs: further arguments of `TaskModule`.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        label_smoothing: float = 0.0,
        channels_last: bool = False,
        **kwargs: Any,
    ):
        super().__init__(net, optimizer, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"model.label_smoothing: expected a share in [0, 1), got {label_smoothing}; 0.1 is usual")
        self.label_smoothing = label_smoothing
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        net.to(memory_format=self.memory_format)

    best_metric = ("val/accuracy", "max")

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """One term, the cross-entropy."""
        images_NCHW, labels = batch
        logits_NC = net(images_NCHW.contiguous(memory_format=self.memory_format))
        return {"cross_entropy": classification_loss(logits_NC, labels, self.label_smoothing)}

    def divergence(self, net: nn.Module, batch: Batch) -> Divergence:
        """Mean KL divergence of the class probabilities, whose Hessian is the Fisher information of the softmax: the
        labels' expectation by the net itself, so that no label of the batch enters (Martens 2020)."""
        logits_of = repeatable(net, batch[0].contiguous(memory_format=self.memory_format))
        with torch.no_grad():
            before_NC = logits_of()
        return lambda: softmax_kl(before_NC, logits_of())

    def evaluate(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy (without smoothing) and accuracy of every image."""
        images_NCHW, labels_N = batch
        logits_NC = net(images_NCHW.contiguous(memory_format=self.memory_format)).float()
        return {"loss": cross_entropy(logits_NC, labels_N, reduction="none"), "accuracy": correct(logits_NC, labels_N)}

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> dict[str, Tensor]:
        """Class probabilities [N, C], and the labels where there are some."""
        images_NCHW, labels_N = batch if isinstance(batch, (tuple, list)) else (batch, None)
        logits_NC = self.net(images_NCHW.contiguous(memory_format=self.memory_format))
        found = {"probabilities": logits_NC.float().softmax(1)}
        return found if labels_N is None else found | {"labels": labels_N}

    def attribution_target(self, batch: Batch) -> tuple[Tensor, Score]:
        """The images, and the logit of each one's label as a function of them, of the net in eval mode."""
        images_NCHW, labels_N = batch

        def logit_of_label(images: Tensor) -> Tensor:
            with evaluating(self.net):
                logits_NC = self.net(images)
            # Attribution methods repeat a batch (steps, samples): the labels repeat with it, block by block.
            repeated = labels_N.repeat(len(images) // len(labels_N))
            return logits_NC.gather(1, repeated[:, None])[:, 0]

        return images_NCHW, logit_of_label

    def report_sections(self, data: Any) -> list[Section]:
        """Confusion matrix, worst mistakes and saliency overlays of the test split."""
        return classification_sections(self, data)

    def explain_sections(self, data: Any, **options: Any) -> list[Section]:
        """Maps by several methods, with the checks that say whether they mean anything."""
        return explain_sections(self, data, **options)

    def on_fit_start(self) -> None:
        """Refuse a net whose outputs are not the data's classes, before the first step."""
        super().on_fit_start()
        classes = getattr(self.trainer.datamodule, "num_classes", None)
        if classes is None:
            return
        images_NCHW = next(iter(self.trainer.datamodule.loader("train")))[0][:1].to(self.device)
        training = self.net.training
        try:
            with torch.no_grad(), self.trainer.precision_plugin.forward_context():
                outputs = self.net.eval()(self.trainer.precision_plugin.convert_input(images_NCHW)).shape[1]
        except RuntimeError as error:
            reason = str(error).partition(", but")[0].partition("expected input")[0].rstrip(", ")[:120]
            raise InputError(
                f"model.net: expected a net for images {list(images_NCHW.shape[1:])}, got one that refuses them "
                f"({reason}); set its input channels or choose another net"
            ) from error
        finally:
            self.net.train(training)
        if outputs != classes:
            raise InputError(
                f"model.net: expected {classes} outputs, one a class of the data, got {outputs}; "
                f"set model.net.init_args.num_classes to {classes}"
            )
