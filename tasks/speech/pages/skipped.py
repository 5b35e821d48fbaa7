"""Utterances that were left out, and why."""

from zoo.reports import Figure, Section, Table


def skipped_section(skipped: dict[str, str]) -> Section:
    """A table of them.

    >>> skipped_section({"a.wav": "a.wav: expected sound, got 0 samples; remove it"}).lead
    '1 utterance was left out, as data.skip_bad asks.'
    """
    count = len(skipped)
    lead = f"{count} {'utterance was' if count == 1 else 'utterances were'} left out, as data.skip_bad asks."
    table = Table(["utterance", "why"], [[name, why.removeprefix(f"{name}: ")] for name, why in skipped.items()])
    return Section("Utterances left out", lead, [Figure(table.html(), "", table)])
