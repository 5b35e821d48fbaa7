"""What all sets of utterances have in common: an alphabet of the training transcripts, features, batches.

Legend: B = utterances of a batch, T = frames, D = features, U = labels of the longest transcript.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tasks.speech.alphabet import Alphabet, Units
from tasks.speech.audio import check_samples
from tasks.speech.augmentations import SampleChange, SpecAugment
from tasks.speech.data.utterances import Utterances
from tasks.speech.decoding.decoder import Texts
from tasks.speech.features import Features
from tasks.speech.frame_changes import FrameChange, finished
from zoo.data import TensorLoader, content_hash
from zoo.data.length_order import LengthOrder
from zoo.data.splits import split_named, within_limit
from zoo.errors import InputError


class Batch(NamedTuple):
    """Padded features and transcripts."""

    features_BTD: Tensor
    frames_B: Tensor
    labels_BU: Tensor
    lengths_B: Tensor


class SpeechData(LightningDataModule, ABC):
    """Training, validation and test utterances in memory; a subclass says where they come from.

    Features are computed once; with `sample_changes` those of training utterances are computed anew in every batch.

    Args:
        features: how sound becomes frames.
        units: what the net spells: characters or words.
        batch_size: utterances a training batch.
        sample_changes: of training sounds, in turn (Speed, Gain, Noise).
        frame_changes: of training frames, in turn, before they are normalised (Warp, RoomNoise).
        spec_augment: masks in training features; None leaves them.
        skip_bad: go on without utterances that cannot be used; the report lists them.
        longest_seconds: of an utterance; a longer one would take all memory.
        pool: training batches that are sorted by length together, so that little of them is padding; 1 sorts none.
        seed: of the order of the training utterances; by default the run's.
    """

    def __init__(
        self,
        features: Features = Features(),  # noqa: B008  frozen
        units: Units = "characters",
        batch_size: int = 32,
        sample_changes: list[SampleChange] | None = None,
        spec_augment: SpecAugment | None = None,
        skip_bad: bool = False,
        longest_seconds: float = 60.0,
        pool: int = 1,
        seed: int | None = None,
        frame_changes: list[FrameChange] | None = None,
    ):
        super().__init__()
        self.features, self.units, self.batch_size, self.pool = features, units, batch_size, pool
        self.sample_changes, self.spec_augment, self.seed = sample_changes or [], spec_augment, seed
        self.skip_bad, self.longest_seconds = skip_bad, longest_seconds
        self.skipped: dict[str, str] = {}  # name of an utterance -> why it is left out
        self.frame_changes = frame_changes or []
        if self.frame_changes and (features.kind, features.deltas, features.stack) != ("log_mel", 0, 1):
            raise InputError(
                "data.frame_changes: expected log_mel features without deltas and stacking, got "
                f"{features.kind}, deltas {features.deltas}, stack {features.stack}; take sample_changes"
            )
        self._trained_on = replace(features, normalise=False, floor_db=None) if self.frame_changes else features
        self._alphabet: Alphabet | None = None
        self.splits: dict[str, Utterances] = {}
        self._frames: dict[str, list[Tensor]] = {}
        self._labels: dict[str, list[Tensor]] = {}
        self._plain: list[Tensor] = []  # training frames that are not normalised, where they shall be changed

    @abstractmethod
    def load(self) -> dict[str, Utterances]:
        """Utterances by split: "train", "test" and perhaps "validation"."""

    def language_texts(self) -> Texts:
        """What language models of a decoder learn from: the training transcripts."""
        self.setup()
        return Texts(self.splits["train"].texts)

    def setup(self, stage: str | None = None) -> None:
        """Load, check and compute features, once."""
        if self.splits:
            return
        loaded = self.load()
        for name, split in loaded.items():
            if not len(split):
                raise InputError(f"{name} split: expected at least 1 utterance, got 0; mend the data")
            if split.rate != self.features.rate:
                raise InputError(
                    f"data.features.rate: expected {split.rate}, that of the recordings, got {self.features.rate}; "
                    f"set it to {split.rate}"
                )
        if self._alphabet is None:
            self._alphabet = Alphabet.of(loaded["train"].texts, self.units)
        splits = {}
        for name, split in loaded.items():
            labels = [self._labels_of(split, n) for n in range(len(split))]
            kept = [n for n, one in enumerate(labels) if one is not None]
            if not kept:
                raise InputError(f"{name} split: expected at least 1 usable utterance, got 0; mend the data")
            splits[name] = split if len(kept) == len(split) else split.take(kept)
            self._labels[name] = [labels[n] for n in kept]
            self._frames[name] = [self.features(split.samples(n)) for n in kept]
        if self.frame_changes:
            train = splits["train"]
            self._plain = [self._trained_on(train.samples(n)) for n in range(len(train))]
        self.splits = splits

    def _labels_of(self, split: Utterances, n: int) -> Tensor | None:
        """Labels of an utterance; None where it is left out."""
        samples_S, name = split.samples(n), split.names[n]
        try:
            check_samples(samples_S, name)
            self.refuse_long(len(samples_S) / split.rate, name)
            return torch.tensor(self.alphabet.encode(split.texts[n], name), dtype=torch.long)
        except InputError as error:
            self.leave_out(name, error)
        return None

    def refuse_long(self, seconds: float, name: str) -> None:
        """Refuse an utterance longer than `longest_seconds`.

        Raises:
            InputError: it is.
        """
        if seconds > self.longest_seconds:
            raise InputError(
                f"{name}: expected at most {self.longest_seconds:g} s of sound, got {seconds:.1f}, which could take "
                "all memory; cut it up, or raise data.longest_seconds"
            )

    def leave_out(self, name: str, error: InputError) -> None:
        """Note why an utterance is left out; the error itself, unless `skip_bad` asks for going on."""
        if not self.skip_bad:
            raise InputError(f"{error}; or go on without it by data.skip_bad") from error
        self.skipped[name] = str(error)

    def drop(self, split: str, reasons: dict[int, InputError]) -> None:
        """Leave out utterances of a split that the net cannot be trained on."""
        for n, error in reasons.items():
            self.leave_out(self.splits[split].names[n], error)
        kept = [n for n in range(len(self.splits[split])) if n not in reasons]
        self.splits[split] = self.splits[split].take(kept)
        for parts in (self._frames, self._labels):
            parts[split] = [parts[split][n] for n in kept]
        if split == "train" and self._plain:
            self._plain = [self._plain[n] for n in kept]

    @property
    def alphabet(self) -> Alphabet:
        """The alphabet: of the checkpoint that was read, or of the training transcripts."""
        if self._alphabet is None:
            self.setup()
        return self._alphabet

    def state_dict(self) -> dict:
        """The alphabet, which a checkpoint keeps: sound can be transcribed without the set."""
        return {"units": list(self.alphabet.units), "kind": self.alphabet.kind}

    def load_state_dict(self, state: dict) -> None:
        """Take up the alphabet of a checkpoint.

        Raises:
            InputError: the data at hand have another one.
        """
        alphabet = Alphabet(tuple(state["units"]), state["kind"])
        if self.splits and alphabet != self._alphabet:
            raise InputError("data: expected the alphabet of the checkpoint, got another; bring the former data back")
        self._alphabet = alphabet

    def data_hash(self) -> str:
        """Identity of all utterances, order included."""
        self.setup()
        texts = "\x00".join(text for split in self.splits.values() for text in split.texts).encode()
        sounds = [tensor for split in self.splits.values() for tensor in (split.samples_M, split.starts)]
        return content_hash(torch.frombuffer(bytearray(texts), dtype=torch.uint8), *sounds)

    def batch(self, split: str, chosen_B: Tensor, training: bool = False) -> Batch:
        """The chosen utterances of a split, augmented for training."""
        numbers = chosen_B.tolist()
        features_BTD, frames_B = self._training(numbers) if training else padded(self._frames[split], numbers)
        labels = [self._labels[split][n] for n in numbers]
        lengths_B = torch.tensor([len(one) for one in labels])
        return Batch(features_BTD, frames_B, pad_sequence(labels, batch_first=True), lengths_B)

    def _training(self, numbers: list[int]) -> tuple[Tensor, Tensor]:
        if self.sample_changes:
            frames = {n: self._changed(self.splits["train"].samples(n)) for n in numbers}
        else:
            frames = self._plain if self.frame_changes else self._frames["train"]
        features_BTD, frames_B = padded(frames, numbers)
        for change in self.frame_changes:
            features_BTD, frames_B = change(features_BTD, frames_B, self.features)
        if self.frame_changes:
            features_BTD = finished(features_BTD, frames_B, self.features)
        return (features_BTD if self.spec_augment is None else self.spec_augment(features_BTD, frames_B)), frames_B

    def _changed(self, samples_S: Tensor) -> Tensor:
        for change in self.sample_changes:
            samples_S = change(samples_S)
        return self._trained_on(samples_S)

    def loader(self, split: str) -> TensorLoader:
        """Batches of a split ("train", "validation", "test") in its own order, as they are.

        Raises:
            InputError: there is no such split.
        """
        self.setup()
        numbers = torch.arange(len(split_named(self.splits, split)))
        return TensorLoader((numbers,), max(self.batch_size, 64), transform=lambda batch: self.batch(split, batch[0]))

    def train_dataloader(self) -> TensorLoader:
        """Shuffled, augmented batches."""
        self.setup()
        loader = TensorLoader(
            (torch.arange(len(self.splits["train"])),),
            self.batch_size,
            shuffle=True,
            seed=self.seed,
            transform=lambda batch: self.batch("train", batch[0], training=True),
        )
        if self.pool > 1:
            lengths = torch.tensor([len(frames) for frames in self._frames["train"]])
            loader.sampler = LengthOrder(lengths, self.batch_size, self.pool, self.seed)
        return within_limit(loader, self.trainer)

    def val_dataloader(self) -> TensorLoader | list:
        """Validation batches; none when there is no such split."""
        self.setup()
        return self.loader("validation") if "validation" in self.splits else []

    def test_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")

    def predict_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")


def padded(frames: Sequence[Tensor] | Mapping[int, Tensor], numbers: list[int]) -> tuple[Tensor, Tensor]:
    """Frames of the utterances of these numbers side by side, [B, T, D], and how many each has."""
    chosen = [frames[n] for n in numbers]
    return pad_sequence(chosen, batch_first=True), torch.tensor([len(one) for one in chosen])
