"""The rates that counted errors become over a whole set."""


def with_rates(figures: dict[str, float]) -> dict[str, float]:
    """Means of counts replaced by rates: errors over units said, not a mean of rates.

    >>> with_rates({"val/loss": 1.0, "val/word_errors": 0.5, "val/beam_word_errors": 0.25, "val/words": 2.0})
    {'val/loss': 1.0, 'val/wer': 0.25, 'val/beam_wer': 0.125}
    """
    units = {"word_errors": ("wer", "words"), "character_errors": ("cer", "characters")}
    kept = {}
    for name, value in figures.items():
        split, _, what = name.partition("/")
        way = "beam_" if what.startswith("beam_") else ""
        rate, total = units.get(what.removeprefix(way), (None, None))
        if rate is not None:
            kept[f"{split}/{way}{rate}"] = value / max(figures[f"{split}/{total}"], 1e-9)
        elif what not in ("words", "characters"):
            kept[name] = value
    return kept
