"""How the sentences of each split were read: lengths, unknown words, what was cut, what was empty."""

from collections.abc import Sequence

from tasks.text.data import Split, TextData
from tasks.text.networks.embedding import UNKNOWN
from zoo.reports import Figure, Section, Table

COLUMNS = ["split", "sentences", "tokens each", "unknown, %", "cut", "tokens cut", "empty"]


def facts_of(split: Split) -> list[int | float]:
    """Sentences, mean tokens, share of unknown tokens in %, sentences and tokens cut, empty sentences."""
    encoded = split.encoded
    # An empty sentence is read as one unknown token, which is none of its words.
    empty = sum(not text.strip() for text in split.sentences.texts)
    unknown = int((encoded.tokens_M == UNKNOWN).sum()) - empty
    return [
        len(split),
        float(encoded.lengths_N.double().mean()),
        100 * unknown / len(encoded.tokens_M),
        int((encoded.cut_N > 0).sum()),
        int(encoded.cut_N.sum()),
        empty,
    ]


def reading_section(data: TextData, without_vector: Sequence[float] = (-1.0, -1.0)) -> Section:
    """The table, and in a sentence what it says of the test split.

    Args:
        data: the sentences.
        without_vector: shares of training words and tokens without a vector, below zero where none were read.
    """
    data.setup()
    rows = [[name, *facts_of(split)] for name, split in data.splits.items()]
    table = Table(COLUMNS, rows)
    judged = next((row for row in rows if row[0] == "test"), rows[0])
    lead = (
        f"{judged[3]:.1f} % of the {judged[0]} tokens are not in the vocabulary of {len(data.tokeniser):,}; "
        f"{judged[4]:,} sentences were cut at the length limit and {judged[6]:,} are empty."
    )
    if without_vector[0] >= 0:
        words, tokens = (100 * share for share in without_vector)
        lead += (
            f" {words:.1f} % of the training words, {tokens:.1f} % of the training tokens, have no vector of their own "
            "and start at a random one."
        )
    return Section("What was read", lead, [Figure(table.html(), "", table)])
