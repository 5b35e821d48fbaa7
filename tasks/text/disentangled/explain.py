"""The page of an encoder with two parts: what moves each part, what can be read from it, which words it rests on.

Legend: N = sentences, T = tokens, D = size of a part.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tasks.text.disentangled.grammar import FORMS, WORDS, Meaning, sentence
from tasks.text.disentangled.losses import linear_accuracy, nearer
from tasks.text.disentangled.paraphrases import CHANGES, ParaphraseData, Paraphrases
from tasks.text.disentangled.shares import token_shares
from tasks.text.networks.embedding import PAD
from tasks.text.pieces import pieces
from zoo.reports import Figure, Section, Table, bar_chart
from zoo.reports.words import Word, words_html

CONTENT = {word for words in WORDS for word in words}


class Probe(NamedTuple):
    """How often a linear reading of each part names something, and how often the commonest answer is right."""

    name: str
    from_meaning: float
    from_form: float
    chance: float


@torch.no_grad()
def meaning_nearer_by_change(net: nn.Module, batch: Paraphrases) -> dict[str, float]:
    """For every kind of change, how often another syntax leaves the meaning nearer than that change does."""
    meaning = [net(tokens_NT)[0] for tokens_NT in (batch.source_BT, batch.target_BT, batch.changed_BT)]
    return _by_change(nearer(*meaning), batch)


def words_nearer_by_change(batch: Paraphrases, vocabulary_size: int) -> dict[str, float]:
    """The same for counts of words in place of a meaning: what needs no training."""

    def counts(tokens_NT: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(tokens_NT, vocabulary_size).sum(1)[:, PAD + 1 :].double()

    return _by_change(nearer(*map(counts, (batch.source_BT, batch.target_BT, batch.changed_BT))), batch)


def _by_change(nearer_N: Tensor, batch: Paraphrases) -> dict[str, float]:
    return {name: nearer_N[batch.change_B == i].mean().item() for i, name in enumerate(CHANGES)}


@torch.no_grad()
def probes(net: nn.Module, fitted: Paraphrases, judged: Paraphrases) -> list[Probe]:
    """Linear readings of form, agent, verb, patient and place, fitted on one set of sentences, judged on another."""
    parts = [net(batch.source_BT) for batch in (fitted, judged)]
    labels = {"form": (fitted.form_B, judged.form_B)} | {
        name: (fitted.meaning_B4[:, i], judged.meaning_B4[:, i]) for i, name in enumerate(Meaning._fields)
    }
    return [
        Probe(
            name,
            *(linear_accuracy((parts[0][i], known), (parts[1][i], asked)) for i in range(2)),
            (asked == known.mode().values).double().mean().item(),
        )
        for name, (known, asked) in labels.items()
    ]


def distance_sections(net: nn.Module, data: ParaphraseData) -> list[Section]:
    """Tests on sentences whose meanings were not trained on."""
    batch = data.tensors["test"]
    by_net, by_words = meaning_nearer_by_change(net, batch), words_nearer_by_change(batch, len(data.tokeniser))
    bars = bar_chart(by_net, caption="Share of test sentences; counts of words are in the table.")
    table = Table(["change", "meaning", "counts of words"], [[name, by_net[name], by_words[name]] for name in CHANGES])
    lead = (
        "How often the meaning of a paraphrase in another form is nearer (by cosine) to a sentence's meaning than that "
        "of a sentence in the same form in which one word is another, or agent and patient are exchanged."
    )
    found = probes(net, data.tensors["train"], batch)
    reading = Figure(Table(list(Probe._fields), [list(probe) for probe in found]).html())
    told = "What a linear reading of each part, fitted on training sentences, gets right on test sentences."
    return [
        Section("Syntax or words", lead, [Figure(bars.body, bars.caption, table)]),
        Section("Probes", told, [reading]),
    ]


def explain_sections(net: nn.Module, data: ParaphraseData, count: int = 2) -> list[Section]:
    """Words shaded by their share of meaning and of form: `count` test meanings, each in all forms."""
    data.setup()
    chosen = data.tensors["test"].meaning_B4[:count].tolist()
    texts = [sentence(Meaning(*meaning), form) for meaning in chosen for form in FORMS]
    blocks, rows, content = [], [], []
    for name in ("meaning", "form"):
        shares = shares_of_texts(net, getattr(net, name), data, texts)
        blocks.append(f"<h3>{name}</h3>" + "".join(words_html([Word(*p) for p in one], signed=False) for one in shares))
        rows += [[name, n + 1, word, value] for n, one in enumerate(shares) for word, value in one if value is not None]
        content.append(sum(value or 0 for one in shares for word, value in one if word in CONTENT) / len(texts))
    lead = (
        "The darker a word, the further the part moves with it: the norm of its derivative, as a share of the "
        f"sentence's. Agent, verb, patient and place have {content[0]:.0%} of the meaning, {content[1]:.0%} of the "
        "form."
    )
    table = Table(["part", "sentence", "word", "share"], rows)
    return [Section("Each word's share", lead, [Figure("".join(blocks), "", table)])]


def shares_of_texts(net: nn.Module, part: nn.Module, data: ParaphraseData, texts: list[str]) -> list[list]:
    """(characters, share or None) of every sentence."""
    encoded = data.tokeniser.encode(texts)
    tokens_NT = encoded.padded(torch.arange(len(texts)))
    shares_NT = token_shares(part, net.embed(tokens_NT), tokens_NT != PAD)
    return [
        pieces(text, offsets, shares_NT[n, : len(offsets)].tolist())
        for n, text in enumerate(texts)
        for offsets in [encoded.offsets_of(n)]
    ]
