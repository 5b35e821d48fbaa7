"""Loss terms that undo each other."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import loss_curve
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.thresholds import CANCELLED, READ_OFTEN, STUCK, TRIED


def conflict_findings(readings: Readings) -> Iterator[Finding]:
    """Two terms with opposed gradients of comparable size from the start, while their sum goes nowhere.

    Opposed gradients alone are no conflict: at the minimum of a sum they always are.
    """
    curve = loss_curve(readings)
    if curve is None or readings.last_step < TRIED or curve.start - curve.end > STUCK * curve.scale:
        return
    for quantity in (q for q in readings.quantities if q.startswith("term_cosine/")):
        one = readings.whole(quantity)
        names = quantity.removeprefix("term_cosine/").split("/")
        norms = [readings.whole(f"gradient_norm/{name}") for name in names]
        if len(names) != 2 or any(norm is None for norm in norms) or len(one.values) < READ_OFTEN:
            continue
        cosine_S, a_S, b_S = (part.values for part in (one, *norms))
        together_S = np.sqrt(np.maximum(a_S**2 + b_S**2 + 2 * cosine_S * a_S * b_S, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            rest_S = together_S / (a_S + b_S)
        rest, cosine = float(np.nanmedian(rest_S)), float(np.nanmedian(cosine_S))
        if not rest < CANCELLED:
            continue
        a, b = names
        yield Finding(
            kind="conflict",
            layer="",
            step=int(one.steps[np.argmax(rest_S < CANCELLED)]),
            text=f"the gradients of {a} and {b} have a cosine of {cosine:.2f}: {100 * (1 - rest):.0f} % of them "
            "is undone, and the loss stays",
            evidence={"cosine": cosine, "left of both": rest},
            confidence=confidence(rest, CANCELLED),
            mend=Mend(f"see what {a} and {b} ask for: weigh them apart, or give each its own part of the net"),
            layers=(a, b),
            picture=Picture({f"{a}, {b}": (one.steps, one.values)}, y_label="cosine"),
        )
