"""Sets of sentences; a batch is (tokens_BT int64, labels_B int64)."""

from tasks.text.data.glosses import WordNetGlosses
from tasks.text.data.sentences import Sentences
from tasks.text.data.stored import CR, MPQA, MR, SST1, SST2, TREC, FoldedSentences, StoredSentences, Subj
from tasks.text.data.table_file import TextFile
from tasks.text.data.text_data import Split, TextData

__all__ = [
    "CR",
    "MPQA",
    "MR",
    "SST1",
    "SST2",
    "TREC",
    "FoldedSentences",
    "Sentences",
    "Split",
    "StoredSentences",
    "Subj",
    "TextData",
    "TextFile",
    "WordNetGlosses",
]
