"""Clipping that always acts, or never."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.readings import Readings, first_stretch
from zoo.diagnosis.thresholds import CLIPPED_TIMES, CLIPPING_STEPS, OFTEN, OUT_OF_REACH


def always_findings(readings: Readings) -> Iterator[Finding]:
    """Every gradient is shortened several times: the limit times the learning rate is the step's length."""
    before, after = readings.whole("gradient_norm"), readings.whole("clipped_gradient_norm")
    if before is None or after is None:
        return
    kept = np.isin(before.steps, after.steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        times_S = before.values[kept] / after.values
    onset = first_stretch(times_S > 1.01, after.steps, CLIPPING_STEPS)
    if onset is None or (times_S > 1.01).mean() < OFTEN:
        return
    times = float(np.median(times_S[(times_S > 1.01) & (after.steps >= onset)]))
    if times < CLIPPED_TIMES:
        return
    usual = float(np.median(before.values[kept][after.steps >= onset]))
    yield Finding(
        kind="clipping_always",
        layer="",
        step=onset,
        text=f"every gradient since then is clipped, to 1/{times:.3g} of its norm: the limit sets the step size",
        evidence={"norm to clipped norm": times},
        confidence=confidence(times, CLIPPED_TIMES),
        mend=Mend(
            "raise the limit to what gradients usually are, so that it acts on outliers",
            settings={
                "model.clipping": {
                    "class_path": "zoo.optim.ByGlobalNorm",
                    "init_args": {"max_norm": float(f"{2 * usual:.2g}")},
                }
            },
        ),
        picture=Picture(
            {"before": (before.steps, before.values), "after": (after.steps, after.values)}, y_label="norm", log=True
        ),
    )


def never_findings(readings: Readings) -> Iterator[Finding]:
    """A limit out of reach of every gradient so far."""
    norms, limits = readings.whole("gradient_norm"), readings.whole("clipping_limit")
    if norms is None or limits is None or len(norms.values) < 2 * CLIPPING_STEPS:
        return
    largest = float(norms.values.max())
    limit = float(limits.values.min())
    if not 0 < largest * OUT_OF_REACH < limit:
        return
    yield Finding(
        kind="clipping_never",
        layer="",
        step=0,
        text=f"the limit is {limit / largest:.2g} times the largest gradient of {len(norms.values)} steps: never met",
        evidence={"limit to largest norm": limit / largest},
        confidence=confidence(limit / largest, OUT_OF_REACH),
        mend=Mend(
            "lower the limit to a few times the usual norm, or leave the rule out",
            settings={
                "model.clipping": {
                    "class_path": "zoo.optim.ByGlobalNorm",
                    "init_args": {"max_norm": float(f"{4 * np.median(norms.values):.2g}")},
                }
            },
        ),
        picture=Picture({"norm": (norms.steps, norms.values)}, y_label="norm", log=True),
    )
