"""Any set of sentences, cut into stratified folds that are new in every repetition."""

import torch

from tasks.text.data import Sentences, TextData
from tasks.text.folds import fold_turns, in_fold


class CrossValidated(TextData):
    """One fold of another set's sentences is the test split, the others are for training.

    All splits of the set are put together first; its settings (batch size, tokeniser, validation share) stay.

    Args:
        source: the set.
        fold: the test split, 0 .. num_folds - 1.
        num_folds: how many folds.
        split_seed: of the draw.
    """

    def __init__(self, source: TextData, fold: int = 0, num_folds: int = 10, split_seed: int = 0):
        super().__init__(source.batch_size, source.validation, seed=source.seed)
        self.vocabulary_size, self._tokeniser_options = source.vocabulary_size, source._tokeniser_options
        self.source, self.fold, self.num_folds, self.split_seed = source, fold, num_folds, split_seed

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        parts = self.source.load().values()
        self.class_names = self.source.class_names
        labels_N = torch.cat([part.labels_N for part in parts])
        whole = Sentences([text for part in parts for text in part.texts], labels_N)
        tested_N = in_fold(fold_turns(labels_N, self.split_seed), self.fold, self.num_folds)
        return {"train": whole.take((~tested_N).nonzero()[:, 0]), "test": whole.take(tested_N.nonzero()[:, 0])}
