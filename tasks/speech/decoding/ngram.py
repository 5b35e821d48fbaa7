"""N-gram models: interpolated Kneser-Ney trained on transcripts, and the ARPA format.

Kneser and Ney (1995), Chen and Goodman (1999). Legend: K = order; a history is a tuple of at most K - 1 units.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.atomic import write_atomically
from zoo.errors import InputError

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
History = tuple[str, ...]


@dataclass(frozen=True)
class NGram:
    """log10 probabilities of n-grams and back-off weights of histories, as an ARPA file holds them.

    p(w | h) is the longest known n-gram's, else backoff(h) p(w | h without its first unit).

    >>> model = trained(["a b".split(), "a c".split()], order=2)
    >>> round(10 ** model.log10("a", (START,)), 3)
    0.725
    """

    order: int
    probabilities: dict[History, float]
    backoffs: dict[History, float]

    def log10(self, unit: str, history: Sequence[str]) -> float:
        """log10 p(unit | history); an unknown unit counts as <unk> where the model has it, else as impossible."""
        if (unit,) not in self.probabilities:
            unit = UNKNOWN
        context = tuple(history)[-(self.order - 1) :] if self.order > 1 else ()
        penalty = 0.0
        while True:
            found = self.probabilities.get((*context, unit))
            if found is not None:
                return penalty + found
            if not context:
                return -math.inf
            penalty += self.backoffs.get(context, 0.0)
            context = context[1:]

    def sentence_log10(self, units: Sequence[str]) -> float:
        """log10 probability of a sentence, its end included."""
        whole = [START, *units, END]
        return sum(self.log10(whole[i], whole[max(0, i - self.order + 1) : i]) for i in range(1, len(whole)))

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """10 ** (-mean log10 probability of a unit, ends included)."""
        kept = [list(sentence) for sentence in sentences]
        return 10 ** (-sum(map(self.sentence_log10, kept)) / sum(len(sentence) + 1 for sentence in kept))

    @property
    def vocabulary(self) -> list[str]:
        """Units that can be predicted."""
        return [gram[0] for gram in self.probabilities if len(gram) == 1 and gram[0] != START]


def trained(sentences: Iterable[Sequence[str]], order: int = 3, discount: float | None = None) -> NGram:
    """Interpolated Kneser-Ney on sentences.

    p(w | h) = max(c(h w) - d, 0) / c(h) + d N(h .) / c(h) p(w | h without its first unit); below the highest order
    c counts the different units before an n-gram, and unigrams are mixed with the uniform distribution over the
    vocabulary, </s> and <unk>.

    Args:
        sentences: units of each, without start and end.
        order: K.
        discount: d of every order; by default n1 / (n1 + 2 n2) of its counts, within 0.1 and 0.9, so that what was
            not seen keeps a share.

    Raises:
        InputError: no sentences, an order below 1, or a discount outside of 0..1.
    """
    if order < 1:
        raise InputError(f"ngram.order: expected 1 or more, got {order}; 3 is usual")
    if discount is not None and not 0 < discount < 1:
        raise InputError(f"ngram.discount: expected a number in (0, 1), got {discount}; leave it out to estimate it")
    padded = [[START, *sentence, END] for sentence in sentences]
    if not padded:
        raise InputError("ngram: expected sentences to train on, got none; check the transcripts")
    model = NGram(order, {}, {})
    for size, grams in enumerate(adjusted_counts(padded, order), 1):
        _add_order(model, size, grams, _estimated_discount(grams) if discount is None else discount)
    model.probabilities[(START,)] = -99.0  # as ARPA files say of what is never predicted
    return model


def _add_order(model: NGram, size: int, grams: Counter[History], discount: float) -> None:
    followers: dict[History, Counter[str]] = defaultdict(Counter)
    for gram, count in grams.items():
        followers[gram[:-1]][gram[-1]] = count
    if size == 1:
        followers[()].setdefault(UNKNOWN, 0)
    for history, counts in followers.items():
        total, kinds = sum(counts.values()), sum(count > 0 for count in counts.values())
        left = discount * kinds / total
        for unit, count in counts.items():
            lower = 10 ** model.log10(unit, history[1:]) if history else 1 / len(counts)
            share = max(count - discount, 0) / total + left * lower
            model.probabilities[(*history, unit)] = math.log10(share)
        if history:
            model.backoffs[history] = math.log10(left)


def adjusted_counts(padded: list[list[str]], order: int) -> list[Counter[History]]:
    """Counts of the n-grams of every size: how often at the highest, in how many contexts below it.

    What begins a sentence has no context before it and keeps its frequency. <s> alone is not counted.
    """
    raw = [
        Counter(tuple(units[stop - size : stop]) for units in padded for stop in range(max(size, 2), len(units) + 1))
        for size in range(1, order + 1)
    ]
    adjusted = [raw[-1]]
    for grams, longer in zip(raw[-2::-1], raw[:0:-1], strict=True):
        contexts = Counter(gram[1:] for gram in longer)
        adjusted.insert(0, Counter({g: c if g[0] == START else contexts[g] for g, c in grams.items()}))
    return adjusted


def _estimated_discount(grams: Counter[History]) -> float:
    once, twice = (sum(count == n for count in grams.values()) for n in (1, 2))
    return min(max(once / (once + 2 * twice), 0.1), 0.9) if once else 0.1


def write_arpa(model: NGram, path: Path) -> None:
    """Write the model as an ARPA file, whole or not at all."""
    sizes = range(1, model.order + 1)
    grams = {size: sorted(gram for gram in model.probabilities if len(gram) == size) for size in sizes}
    lines = ["\\data\\", *(f"ngram {size}={len(grams[size])}" for size in sizes)]
    for size in sizes:
        lines += ["", f"\\{size}-grams:"]
        for gram in grams[size]:
            backoff = f"\t{model.backoffs[gram]:.7f}" if gram in model.backoffs else ""
            lines.append(f"{model.probabilities[gram]:.7f}\t{' '.join(gram)}{backoff}")
    write_atomically(path, "\n".join([*lines, "", "\\end\\", ""]))


def read_arpa(path: Path) -> NGram:
    """The model of an ARPA file.

    Raises:
        InputError: no such file, or a line that is none of the format, by its number.
    """
    try:
        lines = path.read_text(encoding="utf8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"ngram: expected an ARPA file in UTF-8, got {path} ({error}); give another path") from error
    model, size = NGram(0, {}, {}), 0
    for number, line in enumerate(lines, 1):
        if line.startswith("\\") and line.endswith("-grams:"):
            size = int(line[1:-7])
        elif size and line.strip() and not line.startswith("\\"):
            _read_line(model, size, line, f"{path}, line {number}")
    if not model.probabilities:
        raise InputError(f"{path}: expected sections such as \\1-grams:, got none; give an ARPA file")
    return NGram(size, model.probabilities, model.backoffs)


def _read_line(model: NGram, size: int, line: str, where: str) -> None:
    fields = line.split("\t") if "\t" in line else line.split(" ")
    units = fields[1].split() if "\t" in line else fields[1 : size + 1]
    rest = fields[2:] if "\t" in line else fields[size + 1 :]
    try:
        values = [float(fields[0]), *(float(value) for value in rest)]
    except ValueError:
        values = []
    if len(units) != size or not 1 <= len(values) <= 2:
        raise InputError(f"{where}: expected a probability, {size} units and perhaps a back-off, got {line!r}; mend it")
    model.probabilities[tuple(units)] = values[0]
    if len(values) == 2:
        model.backoffs[tuple(units)] = values[1]
