"""Do the values mean anything? Against chance, against leaving words out, and against a net with shuffled weights.

Legend: B = sentences, T = tokens, E = size of a token's vector.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from tasks.text.class_logit import Batch, class_logit
from tasks.text.networks.embedding import PAD
from tasks.text.word_values import UNSIGNED, Method, gap, integrated, leave_one_out
from zoo.attribution import Faithfulness, against_random, randomisation_check, rank_correlation
from zoo.reports import Section, bar_chart, line_chart

BEATEN = "Share of 20 random orders of its words that a sentence's values beat"


def faithfulness(net: nn.Module, batch: Batch, methods: dict[str, Method]) -> dict[str, Faithfulness]:
    """Deletion and insertion of words, by their vector becoming [PAD]'s, one word a stage; padding never counts."""
    target = partial(class_logit, net)
    vectors_BTE, score = target(batch)
    vectors_BET = vectors_BTE.transpose(1, 2)
    # zoo.attribution takes positions behind channels and adds a map up over them.
    maps = {
        name: (method(target, batch)[:, None] / vectors_BET.shape[1]).expand_as(vectors_BET)
        for name, method in methods.items()
    }

    def score_of_channels(inputs_BET: Tensor) -> Tensor:
        return score(inputs_BET.transpose(1, 2))

    present_BT = batch[0] != PAD
    return against_random(score_of_channels, vectors_BET, maps, stages=present_BT.shape[1], counted=present_BT)


def agreement(net: nn.Module, batch: Batch, methods: dict[str, Method]) -> dict[str, Tensor]:
    """Rank correlation of each sentence's values with leaving its words out, of absolute ones where they have no sign.

    Sentences of fewer than three words are left out.
    """
    target = partial(class_logit, net)
    present_BT = batch[0] != PAD
    left_BT = leave_one_out(target, batch)
    long_enough = (present_BT.sum(1) >= 3).nonzero()[:, 0].tolist()
    found = {}
    for name, method in methods.items():
        values_BT = method(target, batch)
        wanted_BT = left_BT.abs() if name in UNSIGNED else left_BT
        each = [
            rank_correlation(values_BT[b, present_BT[b]][None], wanted_BT[b, present_BT[b]][None]) for b in long_enough
        ]
        found[name] = torch.cat(each) if each else torch.zeros(0)
    return found


def checks_section(net: nn.Module, batch: Batch, methods: dict[str, Method], steps: int) -> Section:
    """All three on one page, with the completeness gap of integrated gradients."""
    compared = faithfulness(net, batch, methods)
    beaten = {name: one.better_than_random() for name, one in compared.items()}
    agreed = {n: v for n, v in agreement(net, batch, methods).items() if n != "leave_one_out" and len(v)}
    named = {name: name.replace("_", " ") for name in methods}
    figures = [
        bar_chart({named[n]: b["deletion"] for n, b in beaten.items()}, caption=f"{BEATEN} when words are deleted"),
        bar_chart({named[n]: b["insertion"] for n, b in beaten.items()}, caption=f"{BEATEN} when words are inserted"),
    ]
    if agreed:
        means = {named[name]: float(each.mean()) for name, each in agreed.items()}
        figures.append(bar_chart(means, caption="Rank correlation with leaving each word out, mean over the sentences"))
    data = {name: {field: value.tolist() for field, value in vars(one).items()} for name, one in compared.items()}
    data["agreement"] = {name: each.tolist() for name, each in agreed.items()}
    lead = (
        f"Over {len(batch[0])} sentences. The logit should fall fast when the words that a method calls important go, "
        "and rise fast when they come first: 1 is always faster than chance, 0.5 is chance. Methods without a sign "
        "cannot tell a word that speaks for the answer from one that speaks against it."
    )
    if "integrated_gradients" in methods:
        missed_B = gap(partial(class_logit, net), batch, steps=steps).abs()
        data["completeness_gap"] = missed_B.tolist()
        lead += (
            f" Integrated gradients add up to the change of the logit within {float(missed_B.mean()):.2g} on average "
            f"and {float(missed_B.max()):.2g} at worst, with {steps} steps."
        )
    return Section("Do the values mean anything?", lead, figures, data)


def randomisation_section(net: nn.Module, batch: Batch, methods: dict[str, Method]) -> Section:
    """Rank correlation of gradient-based values with those of a net with shuffled weights."""
    found = {
        name.replace("_", " "): randomisation_check(net, lambda other, m=method: m(partial(class_logit, other), batch))
        for name, method in methods.items()
    }
    lines = {name: (np.arange(1, len(c) + 1), np.array(list(c.values()))) for name, c in found.items()}
    lead = (
        "Weights are shuffled layer by layer from the output down to the word vectors. Values that explain this net "
        "must lose their likeness to the former ones (rank correlation of absolute values towards 0)."
    )
    chart = line_chart(lines, x_label="layers shuffled", y_label="rank correlation")
    return Section("Randomisation check", lead, [chart], {name: dict(c) for name, c in found.items()})


def checked_methods(methods: dict[str, Method], steps: int) -> dict[str, Method]:
    """Those whose values must change with the weights and that are cheap enough to be asked at every layer."""
    few = {"integrated_gradients": partial(integrated, steps=min(steps, 20))}
    return {n: few.get(n, m) for n, m in methods.items() if n in ("gradient_norm", "gradient_x_input", *few)}
