"""Sentences with shaded words, each under what the net says of it."""

from html import escape

from torch import Tensor

from tasks.text.judged import Judged
from tasks.text.word_values import UNSIGNED
from zoo.reports import Figure, Table
from zoo.reports.words import verdict, visible, words_html


def shaded_sentences(shown: Judged, values: dict[str, Tensor], class_names: list[str]) -> Figure:
    """Every sentence, once for each method, and all values in the table.

    Args:
        shown: the sentences.
        values: method -> values_M, one a token of all of them.
        class_names: by index.
    """
    body, rows = [], []
    for n in range(len(shown)):
        words = {method: shown.words(n, values_M) for method, values_M in values.items()}
        blocks = [
            (f"<small>{escape(method.replace('_', ' '))}</small>" if len(values) > 1 else "")
            + words_html(one, method not in UNSIGNED)
            for method, one in words.items()
        ]
        body.append(f'<div class="sentence"><b>{escape(answer(shown, n, class_names))}</b>{"".join(blocks)}</div>')
        for same in zip(*words.values(), strict=True):
            if same[0].value is not None:
                mark = "unknown" if same[0].unknown else ""
                rows.append([n + 1, visible(same[0].text), mark, *(word.value for word in same)])
    columns = ["sentence", "word", "vocabulary", *(method.replace("_", " ") for method in values)]
    return Figure("".join(body), "", Table(columns, rows))


def answer(shown: Judged, n: int, class_names: list[str]) -> str:
    """Class, probability, the truth where it is another, and what of the sentence was not read."""
    said = int(shown.predicted_N[n])
    truth = None if shown.labels_N is None else class_names[int(shown.labels_N[n])]
    text = verdict(class_names[said], float(shown.probabilities_NC[n, said]), truth)
    if not shown.texts[n].strip():
        text += " (an empty sentence, read as one unknown word)"
    cut = int(shown.encoded.cut_N[n])
    return text + (f" ({cut} tokens beyond the length limit were not read)" if cut else "")
