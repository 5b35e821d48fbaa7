"""What Zhang and Wallace (2015) conclude, as claims about differences in points of accuracy."""

from itertools import permutations
from math import inf

from tasks.text.study.factors import SINGLE
from zoo.studies import Claim, Conclusion, Factor


def conclusions(factors: tuple[Factor, ...], margin: float) -> tuple[Conclusion, ...]:
    """Their conclusions.

    Args:
        factors: of the study.
        margin: points of accuracy below which a difference counts as none.
    """
    vectors = {level.name for level in factors[0].levels}
    random = next((name for name in vectors if name.startswith("random, ") and " d" in name), "random, tuned")
    kinds = [kind for kind in ("corpus", "given") if f"{kind}, static" in vectors]
    return (
        Conclusion(
            "Vectors that are tuned are better than the same ones held static.",
            every=tuple(Claim("vectors", f"{kind}, tuned", f"{kind}, static", low=0) for kind in kinds),
        ),
        Conclusion(
            "Vectors trained elsewhere are better than random ones of the same size.",
            every=(Claim("vectors", "given, tuned", random, low=0),),
        ),
        *region_conclusions(margin),
        Conclusion(
            "Few feature maps (10) are worse than 100.",
            every=(Claim("maps", "10", "100", high=0),),
        ),
        Conclusion(
            f"More than 100 feature maps gain little (at most {margin:g}).",
            every=tuple(Claim("maps", maps, "100", high=margin) for maps in ("200", "400", "600")),
        ),
        Conclusion(
            f"ReLU, tanh or no activation are best: tanh and none are not worse than ReLU by more than {margin:g}, "
            "softplus and sigmoid are not better.",
            every=(
                *(Claim("activation", name, "ReLU", low=-margin) for name in ("tanh", "none")),
                *(Claim("activation", name, "ReLU", high=margin) for name in ("softplus", "sigmoid")),
            ),
        ),
        Conclusion(
            "1-max pooling beats the other ways of pooling.",
            every=tuple(
                Claim("pooling", name, "1-max", high=0) for name in ("5-max", "10-max", "average", "dynamic, 3 parts")
            ),
        ),
        *regularisation_conclusions(margin),
    )


def region_conclusions(margin: float) -> tuple[Conclusion, ...]:
    """On the widths of the filters."""
    pairs = permutations(map(str, SINGLE), 2)
    return (
        Conclusion(
            f"The size of a single region matters: two sizes differ by more than {margin:g}.",
            some=tuple(Claim("region", one, other, low=margin) for one, other in pairs),
        ),
        Conclusion(
            f"Several sizes do not harm: 3, 4, 5 is not worse than 3, 5 or 7 alone, nor 7, 7, 7 than 7, by more than "
            f"{margin:g}.",
            every=(
                *(Claim("regions", "3, 4, 5", one, low=-margin) for one in ("3", "5", "7")),
                Claim("regions", "7, 7, 7", "7", low=-margin),
            ),
        ),
    )


def regularisation_conclusions(margin: float) -> tuple[Conclusion, ...]:
    """On dropout and the norm constraint."""
    little = {"low": -margin, "high": margin}
    return (
        Conclusion(
            f"Dropout of 0 to 0.5 has little effect (at most {margin:g}).",
            every=tuple(Claim("dropout", share, "0.5", **little) for share in ("0", "0.1", "0.3")),
        ),
        Conclusion("Large dropout (0.9) harms.", every=(Claim("dropout", "0.9", "0.5", -inf, 0),)),
        Conclusion(
            f"The norm constraint has little effect (at most {margin:g}).",
            every=tuple(Claim("norm", norm, "3", **little) for norm in ("none", "5", "10")),
        ),
        Conclusion("A strong norm constraint (0.1) harms.", every=(Claim("norm", "0.1", "3", -inf, 0),)),
    )
