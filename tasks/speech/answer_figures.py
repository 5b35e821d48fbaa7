"""What is counted of answers, and the rates that the counts of a whole set become."""

from collections.abc import Sequence

from tasks.speech.error_rates import edit_distance

RATES = (("wer", "word_errors", "words"), ("cer", "character_errors", "characters"))


def answer_figures(said: Sequence[str], heard: Sequence[str]) -> dict[str, list[float]]:
    """Whether each whole answer is right, and errors and lengths in words and characters.

    >>> answer_figures(["one two"], ["one too"])["word_errors"]
    [1.0]
    """
    pairs = list(zip(said, heard, strict=True))
    return {
        "accuracy": [float(one == other) for one, other in pairs],
        "word_errors": [float(edit_distance(one.split(), other.split())) for one, other in pairs],
        "words": [float(len(one.split())) for one in said],
        "character_errors": [float(edit_distance(one, other)) for one, other in pairs],
        "characters": [float(len(one)) for one in said],
    }


def with_rates(figures: dict[str, float]) -> dict[str, float]:
    """Mean counts replaced by rates: errors over units said in the whole set, not a mean of rates.

    >>> with_rates({"test/loss": 1.0, "test/beam_word_errors": 0.5, "test/beam_words": 2.0})
    {'test/loss': 1.0, 'test/beam_wer': 0.25}
    """
    kept = dict(figures)
    for rate, errors, units in RATES:
        for name in [name for name in figures if name.endswith((f"/{units}", f"_{units}"))]:
            prefix, total = name.removesuffix(units), kept.pop(name)
            kept[prefix + rate] = kept.pop(prefix + errors) / max(total, 1e-9)
    return kept
