"""Sets of sentences; a batch is (tokens_BT int64, labels_B int64)."""

from tasks.text.data.sentences import Sentences
from tasks.text.data.text_data import Split, TextData

__all__ = ["Sentences", "Split", "TextData"]
