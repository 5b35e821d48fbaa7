"""What the report and `zoo explain` show of a recogniser: errors, what each letter rests on, and the part that matters.

Legend: T = frames, D = features, U = labels of an answer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.speech.data.speech_data import SpeechData
from tasks.speech.important_sound import important_sound
from tasks.speech.judged import Judged, batch_of, chosen_utterances, features_of, judged
from tasks.speech.letter_maps import letter_maps, lost_in_frequency, lost_in_time, with_channel
from tasks.speech.pages.errors import errors_section
from tasks.speech.pages.letters import MOST_LETTERS, letter_pictures, map_picture, spectrogram
from tasks.speech.pages.listen import players
from zoo.attribution import (
    Score,
    against_random,
    gradient,
    input_x_gradient,
    integrated_gradients,
    smoothgrad,
)
from zoo.errors import InputError
from zoo.reports import Figure, Section, bar_chart, line_chart
from zoo.training.evaluation import evaluating

Method = Callable[[Score, Tensor], Tensor]
METHODS = ("integrated_gradients", "input_x_gradient", "gradient", "smoothgrad")
SHARE = 0.5  # of what speaks for the answer, kept in the sound of the important part
CHECKED = 8  # utterances that the maps are checked on
READING = (
    "Low frequencies are at the bottom. Red speaks for the answer, blue against it. A feature at the utterance's own "
    "mean counts as silence."
)


def report_sections(task: Any, data: SpeechData) -> list[Section]:
    """After `zoo fit`: what was misheard, and what the answer to the first test utterance rests on."""
    seen = judged(task, data)
    return [errors_section(seen), *utterance_sections(task, data, seen[:1], METHODS[:1], 16)]


def explain_sections(
    task: Any,
    data: SpeechData,
    names: tuple[str, ...] = METHODS[:1],
    choose: str = "first",
    count: int = 3,
    steps: int = 32,
) -> list[Section]:
    """Maps of some utterances, what silence takes from them, the part that matters as sound, and a check of maps."""
    methods = methods_of(names, steps)
    seen = judged(task, data)
    shown = chosen_utterances(seen, choose, count)
    sections = [errors_section(seen), *utterance_sections(task, data, shown, names, steps)]
    return [*sections, checks_section(task, data, seen[:CHECKED], methods)]


def methods_of(names: tuple[str, ...], steps: int) -> dict[str, Method]:
    """Name -> (score, inputs) -> map.

    Raises:
        InputError: an unknown name.
    """
    known: dict[str, Method] = {
        "integrated_gradients": lambda score, x: integrated_gradients(score, x, 0.0, steps),
        "input_x_gradient": input_x_gradient,
        "gradient": gradient,
        "smoothgrad": smoothgrad,
    }
    for name in names:
        if name not in known:
            raise InputError(f"--methods: expected some of {', '.join(METHODS)}, got {name!r}; mend the list")
    return {name: known[name] for name in names}


def utterance_sections(
    task: Any, data: SpeechData, shown: list[Judged], names: tuple[str, ...], steps: int
) -> list[Section]:
    """For each utterance a section with its maps and one with sounds."""
    with evaluating(task.net):
        return [section for one in shown for section in _of_one(task, data, one, methods_of(names, steps))]


def _of_one(task: Any, data: SpeechData, one: Judged, methods: dict[str, Method]) -> list[Section]:
    features_TD, seconds = features_of(data, one), data.features.seconds_per_frame
    said = f"{one.name}: “{one.heard or '(nothing)'}”"
    title = said if one.heard == one.said else f"{said} for “{one.said}”"
    figures = [spectrogram(features_TD, data.features, "The features that the net hears.")]
    score = score_of(task, data, one)
    maps = {name: method(score, features_TD[None])[0] for name, method in methods.items()}
    for name, map_TD in maps.items():
        figures.append(map_picture(map_TD, data.features, f"log p of the whole answer, by {name.replace('_', ' ')}."))
    figures += task.letter_figures(data, features_TD, one, next(iter(methods.values())))
    sections = [Section(title, READING, figures), silence_section(score, features_TD, one, seconds)]
    return [*sections, sound_section(data, one, next(iter(maps.values())))]


def score_of(task: Any, data: SpeechData, one: Judged) -> Score:
    """log p(what was heard) of one utterance as a function of its features."""
    return task.attribution_target(batch_of(data, one))[1]


def ctc_letter_figures(
    net: torch.nn.Module, data: SpeechData, features_TD: Tensor, one: Judged, method: Method
) -> list[Figure]:
    """log p of each letter at its aligned time, letter by letter."""
    if not one.labels:
        return []
    labels = one.labels
    maps_UTD, spans = letter_maps(net, features_TD, labels, method)
    frames = int(net.frames_out(torch.tensor([len(features_TD)])))
    seconds = data.features.seconds_per_frame * len(features_TD) / frames
    times = [seconds * (first + behind) / 2 for first, behind in spans]
    letters = [data.alphabet.texts[label] for label in labels]
    caption = "log p of each letter at the time it is heard."
    if len(labels) > MOST_LETTERS:
        caption += f" The first {MOST_LETTERS} of {len(labels)}."
    return [letter_pictures(features_TD, maps_UTD, letters, times, caption)]


def silence_section(score: Score, features_TD: Tensor, one: Judged, seconds_per_frame: float) -> Section:
    """log p lost where a stretch of time or a band is covered."""
    window = max(1, round(0.1 / seconds_per_frame))
    time_T = lost_in_time(score, features_TD, window)
    bands_D = lost_in_frequency(score, features_TD, max(1, features_TD.shape[1] // 10))
    at = np.arange(len(time_T)) * seconds_per_frame
    charts = [
        line_chart({"log p lost": (at, time_T.numpy())}, x_label="seconds", y_label="log p lost", caption="By time."),
        line_chart(
            {"log p lost": (np.arange(len(bands_D)), bands_D.numpy())},
            x_label="feature",
            y_label="log p lost",
            caption="By frequency band.",
        ),
    ]
    lead = (
        f"How much log p of “{one.heard or '(nothing)'}” falls where {1000 * window * seconds_per_frame:.0f} ms, or a "
        "tenth of the features throughout, are covered by the utterance's mean. Above zero: the answer needs that part."
    )
    return Section(f"{one.name}: what silence takes away", lead, charts)


def sound_section(data: SpeechData, one: Judged, map_TD: Tensor) -> Section:
    """The utterance, and what is left of it where only the important part sounds."""
    samples_S = data.splits["test"].samples(one.index)
    kept_S = important_sound(samples_S, map_TD.float(), data.features, SHARE)
    stem = f"sound_{one.index}"
    sounds = {
        "whole": (f"{stem}_whole.wav", samples_S),
        "important part": (f"{stem}_important.wav", kept_S),
    }
    lead = (
        f"The second sound keeps the cells of time and frequency that hold {100 * SHARE:.0f} % of what speaks for the "
        "answer; all else is silent. Both files lie beside this page."
    )
    figure = players(sounds, data.features.rate, "")
    return Section(f"{one.name}: the part that matters, to listen to", lead, [figure])


def checks_section(task: Any, data: SpeechData, seen: list[Judged], methods: dict[str, Method]) -> Section:
    """Deletion and insertion of every method against random orders, over some utterances."""
    with evaluating(task.net):
        wins = [_beaten(score_of(task, data, one), features_of(data, one), methods) for one in seen]
    figures, rows = [], {}
    for kind in ("deletion", "insertion"):
        means = {name: float(np.mean([one[name][kind] for one in wins])) for name in methods}
        rows[kind] = means
        figures.append(bar_chart(means, caption=f"Share of random orders that a map beats by {kind}"))
    lead = (
        f"Over the first {len(seen)} test utterances: log p of the answer should fall fast when the cells that a map "
        "calls important are covered, and rise fast when only they are shown. 1 is always faster than chance, 0.5 is "
        "chance: below it a map means nothing here."
    )
    return Section("Do the maps mean anything?", lead, figures, rows)


def _beaten(score: Score, features_TD: Tensor, methods: dict[str, Method]) -> dict[str, dict[str, float]]:
    inputs_11TD, flat = features_TD[None, None], with_channel(score)
    maps = {name: method(flat, inputs_11TD) for name, method in methods.items()}
    compared = against_random(flat, inputs_11TD, maps, 0.0, stages=12, orders=10)
    return {name: one.better_than_random() for name, one in compared.items()}
