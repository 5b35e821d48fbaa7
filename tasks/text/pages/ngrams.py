"""The n-grams that drive each class, and those that decided single sentences."""

from html import escape

import torch

from tasks.text.judged import Judged
from tasks.text.networks import SentenceCNN
from tasks.text.ngrams import NGram, Window, driving_ngrams, windows_of
from zoo.reports import Figure, Section, Table
from zoo.reports.words import visible

MOST_SENTENCES = 10_000


def ngram_section(net: SentenceCNN, seen: Judged, class_names: list[str], count: int = 12) -> Section:
    """For every class the n-grams that add most to it over a split, by their share a sentence times their sentences."""
    part = seen if len(seen) <= MOST_SENTENCES else seen.take(torch.arange(MOST_SENTENCES))
    found = driving_ngrams(net, part.encoded)
    figures = []
    for c, name in enumerate(class_names):
        best = sorted(found, key=lambda g: -g.sentences * float(g.shares_C[c]))[:count]
        rows = [[text_of(part, g), g.sentences, g.maps, float(g.shares_C[c])] for g in best if float(g.shares_C[c]) > 0]
        table = Table(["n-gram", "sentences", "maps", "adds"], rows)
        if rows:
            figures.append(Figure(f"<b>{escape(name)}</b>{table.html()}", ""))
    lead = (
        "Which n-grams switched on the feature maps, over the test split: in how many sentences one won maps, how many "
        "maps each time, and what these maps then add to the logit of the class (less the mean of all logits). Shares "
        "of all n-grams of a sentence and the bias add up to the logit exactly."
    )
    return Section("N-grams that drive each class", lead, figures, {"ngrams": [as_data(part, g) for g in found[:2000]]})


def text_of(seen: Judged, ngram: NGram) -> str:
    """The n-gram as it stands in the first sentence that has it."""
    n, first, last = ngram.example
    offsets = seen.encoded.offsets_of(n)
    return visible(seen.texts[n][offsets[first][0] : offsets[last][1]]) or "(empty)"


def as_data(seen: Judged, ngram: NGram) -> list:
    """Text, sentences, maps, shares."""
    return [text_of(seen, ngram), ngram.sentences, ngram.maps, ngram.shares_C.tolist()]


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
