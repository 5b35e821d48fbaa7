"""What was misheard: the worst utterances, step by step, and the words that are taken for each other."""

from collections.abc import Sequence

from tasks.speech.error_rates import Step, alignment, confusion_pairs, error_rate
from tasks.speech.judged import Judged
from zoo.reports import Figure, Section, Table

WORST, PAIRS = 10, 15


def errors_section(seen: Sequence[Judged]) -> Section:
    """Rates of all utterances, the worst of them aligned with their transcripts, and words taken for others."""
    pairs = [(one.said.split(), one.heard.split()) for one in seen]
    rate = error_rate(pairs)
    lead = (
        f"{rate.errors} of {rate.said:,} words of the test utterances are wrong ({100 * rate.rate:.1f} %): "
        f"{rate.substitutions} taken for others, {rate.deletions} missed, {rate.insertions} that nobody said."
    )
    worst = sorted((one for one in seen if one.character_errors), key=lambda one: -one.character_errors)[:WORST]
    rows = [[one.name, one.said, one.heard or "(nothing)", steps_in_words(one)] for one in worst]
    figures = []
    if rows:
        table = Table(["utterance", "said", "heard", "where they part"], rows)
        figures.append(Figure(table.html(), "The utterances with the most wrong characters.", table))
    confused = [list(row) for row in confusion_pairs(pairs)[:PAIRS]]
    if confused:
        table = Table(["said", "heard", "times"], confused)
        figures.append(Figure(table.html(), "Words taken for others, the most frequent first.", table))
    return Section("What was misheard", lead, figures)


def steps_in_words(one: Judged) -> str:
    """The errors of an utterance in a line, such as `two → too, + four`."""
    return ", ".join(_shown(step) for step in alignment(one.said.split(), one.heard.split()) if step.kind != "match")


def _shown(step: Step) -> str:
    if step.kind == "substitution":
        return f"{step.said} → {step.heard}"
    return f"− {step.said}" if step.kind == "deletion" else f"+ {step.heard}"
