"""What the report and `zoo explain` show of a sentence net: mistakes, shaded words, n-grams, and checks of them.

Legend: N = sentences shown.
"""

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from tasks.text.data import TextData
from tasks.text.judged import Judged, answers_to, chosen_examples, judged
from tasks.text.networks import SentenceCNN
from tasks.text.pages.checks import checked_methods, checks_section, randomisation_section
from tasks.text.pages.ngrams import ngram_section, windows_section
from tasks.text.pages.reading_facts import reading_section
from tasks.text.pages.sentences import shaded_sentences
from tasks.text.pages.swap import swap_section
from tasks.text.word_values import METHODS, Method, integrated, word_values
from zoo.errors import InputError
from zoo.reports import Figure, Section, confusion_matrix

if TYPE_CHECKING:
    from tasks.text.task import SentenceClassification

SHADES = (
    "Orange with a line below speaks for the answer, blue with a line above against it; dotted words are not in the "
    "vocabulary, grey ones were beyond the length limit. Point at a word for its value."
)
CHECKED = 50  # sentences of the test split that the methods are checked on


def report_sections(task: "SentenceClassification", data: TextData) -> list[Section]:
    """After `zoo fit`: confusion matrix, what was read, worst mistakes, n-grams, and what a few answers rest on."""
    seen = judged_split(task, data)
    sections = [confusion_section(seen, data.class_names), reading_section(data, task.without_vector.tolist())]
    worst = chosen_examples(seen, "misclassified", 8)
    if len(worst):
        lead = f"The test sentences whose true class gets the lowest probability, by integrated gradients. {SHADES}"
        sections.append(Section("Worst mistakes", lead, [by_method(task, data, seen.take(worst))]))
    if (cnn := sentence_cnn_in(task.net)) is not None:
        sections.append(ngram_section(cnn, seen, data.class_names))
    some = seen.take(chosen_examples(seen, "each", max(6, data.num_classes)))
    lead = f"The first test sentences of each class, by integrated gradients. {SHADES} `zoo explain` shows more."
    return [*sections, Section("What the answers rest on", lead, [by_method(task, data, some)])]


def explain_sections(
    task: "SentenceClassification",
    data: TextData,
    names: tuple[str, ...] = tuple(METHODS),
    choose: str | None = None,
    count: int = 10,
    steps: int = 50,
    texts: list[str] | None = None,
    swap: str | None = None,
) -> list[Section]:
    """Words of every method, whether their values mean anything, and the n-grams behind each answer.

    Raises:
        InputError: an unknown method or choice, sentences and a choice at once, or nothing to show.
    """
    methods = methods_of(names, steps)
    swaps = [swap_section(task, data, swap)] if swap else []
    if texts is not None:
        if choose is not None:
            raise InputError("--choose: expected no choice beside --text, got both; leave one of them out")
        shown = sample = answers_to(task.net, data.tokeniser, texts)
    else:
        seen = judged_split(task, data)
        chosen = chosen_examples(seen, choose or "each", count)
        if not len(chosen):
            raise InputError("--choose: expected sentences, got none; no test sentence is misclassified")
        shown = seen.take(chosen)
        sample = seen.take(torch.linspace(0, len(seen) - 1, min(CHECKED, len(seen))).round().long())
    batch = (sample.encoded.padded(torch.arange(len(sample))), sample.predicted_N)
    sections = [Section("Words", SHADES, [by_method(task, data, shown, methods)])]
    if (cnn := sentence_cnn_in(task.net)) is not None:
        sections.append(windows_section(cnn, shown, data.class_names))
    sections.append(checks_section(task.net, batch, methods, steps))
    changed = checked_methods(methods, steps)
    return [*sections, *([randomisation_section(task.net, batch, changed)] if changed else []), *swaps]


def sentence_cnn_in(net: nn.Module) -> SentenceCNN | None:
    """The net whose filters can be read: itself, or the first of a committee."""
    return next((module for module in net.modules() if isinstance(module, SentenceCNN)), None)


def judged_split(task: "SentenceClassification", data: TextData, name: str = "test") -> Judged:
    """A split as the net answers it."""
    data.setup()
    split = data.splits[name]
    return judged(task.net, split.sentences.texts, split.encoded, split.labels_N)


def methods_of(names: tuple[str, ...], steps: int) -> dict[str, Method]:
    """The methods of these names.

    Raises:
        InputError: an unknown name.
    """
    for name in names:
        if name not in METHODS:
            raise InputError(f"--methods: expected some of {', '.join(METHODS)}, got {name!r}; mend the list")
    own = {"integrated_gradients": partial(integrated, steps=steps)}
    return {name: own.get(name, METHODS[name]) for name in names}


def by_method(
    task: "SentenceClassification", data: TextData, shown: Judged, methods: dict[str, Method] | None = None
) -> Figure:
    """The sentences shaded by each method for the class they are given; integrated gradients by default."""
    methods = methods or {"integrated_gradients": integrated}
    values = {n: word_values(m, task.net, shown.encoded, shown.predicted_N) for n, m in methods.items()}
    return shaded_sentences(shown, values, data.class_names)


def confusion_section(seen: Judged, class_names: list[str]) -> Section:
    """Counts of true against predicted classes."""
    classes = len(class_names)
    counts = (seen.labels_N * classes + seen.predicted_N).bincount(minlength=classes**2).view(classes, classes)
    lead = f"Rows are what the test sentences are, columns what the net says: {int(seen.wrong_N.sum())} of {len(seen)}"
    return Section("Confusion matrix", f"{lead} are wrong.", [confusion_matrix(counts.numpy(), class_names)])
