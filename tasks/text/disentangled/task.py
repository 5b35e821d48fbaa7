"""Meaning and form kept apart by saying a meaning in the form of another sentence."""

from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from tasks.text.disentangled.explain import distance_sections, explain_sections
from tasks.text.disentangled.losses import nearer, reconstruction_loss
from tasks.text.disentangled.networks import reversed_gradient
from tasks.text.disentangled.paraphrases import ParaphraseData, Paraphrases
from tasks.text.networks.embedding import PAD
from zoo.errors import InputError
from zoo.reports import Section
from zoo.training.task import Score, TaskModule


class Disentangling(TaskModule):
    """min reconstruction of the target from (meaning of the source, form of the giver), against an adversary, with
    meanings of paraphrases alike.

    The adversary learns the source's form from its meaning, through a reversed gradient: the terms' gradients are those
    of a game, not of their sum, so that finite differences of the sum disagree with them on purpose.

    Args:
        net: see `Disentangled`.
        optimizer: see `TaskModule`.
        deception: strength of the reversed gradient at the end; 0 trains an adversary that the encoder does not notice.
        quiet: share of the run in which it is 0, so that the meaning first learns words; it then grows for as long.
        likeness: strength of 1 - cos(meaning of the source, meaning of the target). An adversary that learns beside a
            moving encoder stays at chance while a linear one fitted afterwards still finds the form; less with this.
        kwargs: further arguments of `TaskModule`.
    """

    best_metric = ("val/meaning_nearer", "max")

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        deception: float = 0.3,
        quiet: float = 0.3,
        likeness: float = 0.3,
        **kwargs: Any,
    ):
        super().__init__(net, optimizer, **kwargs)
        for name, strength in (("deception", deception), ("likeness", likeness)):
            if strength < 0:
                raise InputError(f"model.{name}: expected 0 or more, got {strength}; 0.3 is usual")
        if not 0 <= quiet <= 0.5:
            raise InputError(f"model.quiet: expected a share in [0, 0.5], got {quiet}; 0.3 is usual")
        self.deception, self.quiet, self.likeness = deception, quiet, likeness

    def loss(self, net: nn.Module, batch: Paraphrases) -> dict[str, Tensor]:
        """Reconstruction, the adversary's cross-entropy, and how unlike the meanings of paraphrases are."""
        both = net.meaning_of(torch.cat([batch.source_BT, batch.target_BT]))
        (meaning_BD, said_again_BD), form_BD = both.chunk(2), net.form_of(batch.giver_BT)
        guessed_BK = net.adversary(reversed_gradient(meaning_BD, self.deception * self._awake()))
        return {
            "reconstruction": reconstruction_loss(net.decoder(meaning_BD, form_BD), batch.target_BT),
            "adversary": nn.functional.cross_entropy(guessed_BK.float(), batch.form_B),
            "likeness": self.likeness * (1 - cosine_similarity(meaning_BD, said_again_BD).mean()),
        }

    def _awake(self) -> float:
        if self._trainer is None:
            return 1.0
        return awake(self.trainer.global_step / self.trainer.estimated_stepping_batches, self.quiet)

    opposed_terms = ("adversary",)

    def evaluate(self, net: nn.Module, batch: Paraphrases) -> dict[str, Tensor]:
        """Share of items in which another syntax leaves the meaning nearer than another word does, and the other way
        round for the form; share of sentences reconstructed to the word."""
        meaning, form = zip(*(net(tokens_BT) for tokens_BT in batch[:4]), strict=True)
        said_BT = net.decoder(meaning[0], form[2])[:, : batch.target_BT.shape[1]].argmax(2)
        return {
            "loss": reconstruction_loss(net.decoder(meaning[0], form[2]), batch.target_BT),
            "sentences_right": (said_BT == batch.target_BT).all(1).float(),
            "meaning_nearer": nearer(meaning[0], meaning[1], meaning[3]),
            "form_nearer": nearer(form[1], form[2], form[0]),
        }

    def predict_step(self, batch: Paraphrases, batch_idx: int) -> dict[str, Tensor]:
        """Both parts of the sources."""
        with torch.no_grad():
            meaning_BD, form_BD = self.net(batch.source_BT)
        return {"meaning": meaning_BD, "form": form_BD}

    def attribution_target(self, batch: Paraphrases) -> tuple[Tensor, Score]:
        """The embedded words of the sources, and the cosine of their meaning with that of their paraphrase."""
        with torch.no_grad():
            vectors_BTE, wanted_BD = self.net.embed(batch.source_BT), self.net(batch.target_BT)[0]

        def closeness(vectors: Tensor) -> Tensor:
            # Attribution methods repeat a batch block by block.
            times = len(vectors) // len(wanted_BD)
            meaning = self.net.meaning(vectors, (batch.source_BT != PAD).repeat(times, 1))
            return cosine_similarity(meaning, wanted_BD.repeat(times, 1))

        return vectors_BTE, closeness

    def report_sections(self, data: ParaphraseData) -> list[Section]:
        """What keeps each part near, what can be read from it, and each word's share of it."""
        return [*distance_sections(self.net, data), *explain_sections(self.net, data)]

    explain_options = ("examples",)

    def explain_sections(self, data: ParaphraseData, **options: Any) -> list[Section]:
        """Each word's share of meaning and form."""
        return explain_sections(self.net, data, options.get("count", 2))


def awake(done: float, quiet: float) -> float:
    """0 for the first `quiet` of a run, then a straight line to 1 at twice that share.

    >>> [awake(done, 0.25) for done in (0.0, 0.25, 0.375, 0.5, 1.0)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    return min(1.0, max(0.0, done / quiet - 1)) if quiet else 1.0
