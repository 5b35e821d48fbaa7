"""The n-grams that drive each class, and those that decided single sentences."""

from collections import defaultdict
from html import escape

import torch

from tasks.text.judged import Judged
from tasks.text.networks import SentenceCNN
from tasks.text.winning_ngrams import NGram, Window, driving_ngrams, windows_of
from zoo.reports import Figure, Section, Table
from zoo.reports.words import Word, visible, words_html

MOST_SENTENCES = 10_000


def ngram_section(net: SentenceCNN, seen: Judged, class_names: list[str], count: int = 12) -> Section:
    """For every class the n-grams that add most to it over a split: their share a sentence times their sentences.

    An n-gram is listed under the class that it adds most to.
    """
    part = seen if len(seen) <= MOST_SENTENCES else seen.take(torch.arange(MOST_SENTENCES))
    found: dict[int, list[NGram]] = defaultdict(list)
    for ngram in driving_ngrams(net, part.encoded):
        found[int(ngram.shares_C.argmax())].append(ngram)
    body, rows = [], []
    for c, name in enumerate(class_names):
        best = sorted(found[c], key=lambda g: -g.sentences * float(g.shares_C[c]))[:count]
        listed = [[name, text_of(part, g), g.sentences, g.maps, float(g.shares_C[c])] for g in best]
        rows += listed
        words = [word for row in listed for word in (Word(row[1], row[4]), Word(" · "))][:-1]
        body.append(f"<b>{escape(name)}</b>{words_html(words)}" if words else "")
    lead = (
        "Which n-grams switched on the feature maps over the test split, under the class that each adds most to: the "
        "deeper the shade, the more its maps add to that logit in a sentence (less the mean of all logits). The shares "
        "of all n-grams of a sentence and the bias add up to the logit exactly."
    )
    table = Table(["class", "n-gram", "sentences", "maps in each", "adds"], rows)
    return Section("N-grams that drive each class", lead, [Figure("".join(body), "", table)])


def text_of(seen: Judged, ngram: NGram) -> str:
    """The n-gram as it stands in the first sentence that has it."""
    n, first, last = ngram.example
    offsets = seen.encoded.offsets_of(n)
    return visible(seen.texts[n][offsets[first][0] : offsets[last][1]]) or "(empty)"


def windows_section(net: SentenceCNN, shown: Judged, class_names: list[str], count: int = 4) -> Section:
    """For every sentence the windows that added most to its answer, and those that spoke against it."""
    rows = []
    for n in range(len(shown)):
        said = int(shown.predicted_N[n])
        windows = windows_of(net, shown.encoded.tokens_of(n))
        windows.sort(key=lambda w: -abs(float(w.shares_C[said])))
        rows += [[n + 1, class_names[said], *row_of(shown, n, w, said)] for w in windows[:count]]
    table = Table(["sentence", "answer", "n-gram", "maps", "adds"], rows)
    lead = (
        "The n-grams that won the pooling of each sentence: how many feature maps took their value from one, and what "
        "these add to the logit of the answer (less the mean of all logits); strongest first."
    )
    return Section("N-grams that switched on the maps", lead, [Figure(table.html(), "", table)])


def row_of(shown: Judged, n: int, window: Window, said: int) -> list:
    """Text, maps and share of a window."""
    offsets = shown.encoded.offsets_of(n)
    text = shown.texts[n][offsets[window.first][0] : offsets[window.last][1]]
    return [visible(text) or "(empty)", window.maps, float(window.shares_C[said])]
