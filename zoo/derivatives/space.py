"""Which derivatives a jet carries, and the rules by which they combine: Leibniz for products, Faa di Bruno else.

A derivative is named by the coordinates it is taken along: "" the value, "t", "xx", "txx", ...; "laplacian" is the sum
of the second derivatives along every coordinate but t, carried as one number instead of one a coordinate
("collapsed": the chain rule of a sum of second derivatives needs only that sum and the first derivatives).
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import comb, factorial, prod

from zoo.errors import InputError

LAPLACIAN = "laplacian"
MAX_ORDER = 4

Term = tuple[float, tuple[int, ...]]  # weight x product of the coefficients at these places


@dataclass(frozen=True)
class JetSpace:
    """The derivatives of a jet, closed downwards: whatever is needed to find the ones asked for.

    Args:
        coordinates: one letter each, in the order of a point's columns; t is time and has no part in the Laplacian.
        wanted: names of derivatives.

    Raises:
        InputError: a name with a letter that is no coordinate, or of an order above four.

    >>> JetSpace(("t", "x"), frozenset({"t", "xx"})).names
    ('', 't', 'x', 'xx')
    """

    coordinates: tuple[str, ...]
    wanted: frozenset[str]

    def __post_init__(self):
        for name in self.wanted:
            unknown = set() if name == LAPLACIAN else set(name) - set(self.coordinates)
            if unknown or order(name) > MAX_ORDER:
                raise InputError(
                    f"derivative {name!r}: expected up to {MAX_ORDER} of the letters {''.join(self.coordinates)}, or "
                    f"{LAPLACIAN}; mend the equation"
                )
        # Found now, because torch.compile cannot trace how a cached property is found.
        _ = self.names, self.space, self.crosses, self.bends, self.bend_partials, self.highest

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Derivatives carried, the value first, lower orders before higher ones."""
        found: set[str] = {""}
        for name in self.wanted:
            if name == LAPLACIAN:
                found |= {LAPLACIAN, *self.space}
            else:
                letters = [range(name.count(c) + 1) for c in self.coordinates]
                found |= {self._name(counts) for counts in product(*letters)}
        return tuple(sorted(found, key=lambda name: (order(name), name == LAPLACIAN, self._counts(name))))

    @cached_property
    def space(self) -> tuple[str, ...]:
        """The coordinates of the Laplacian."""
        return tuple(c for c in self.coordinates if c != "t")

    def place(self, name: str) -> int:
        """Where a derivative stands in `names`; its letters may come in any order."""
        return self.names.index(name if name == LAPLACIAN else self.canonical(name))

    def canonical(self, name: str) -> str:
        """The name with its letters in the order of the coordinates: "xt" is "tx"."""
        return "".join(c * name.count(c) for c in self.coordinates)

    @cached_property
    def product_terms(self) -> tuple[tuple[Term, ...], ...]:
        """Leibniz: for every derivative of a * b, the (weight, (place in a, place in b)) whose sum it is."""
        return tuple(tuple(self._leibniz(name)) for name in self.names)

    @cached_property
    def crosses(self) -> tuple[tuple[int, float, tuple[int, int]], ...]:
        """The terms of Leibniz without a value in them: (place, weight, (place in a, place in b))."""
        return tuple(
            (place, weight, pair)
            for place, terms in enumerate(self.product_terms)
            for weight, pair in terms
            if 0 not in pair
        )

    @cached_property
    def chain_terms(self) -> tuple[dict[int, tuple[Term, ...]], ...]:
        """Faa di Bruno: for every derivative of f(z) but the value, m -> the terms that f^(m) multiplies.

        From f(z0 + h) = sum_m f^(m)(z0) h^m / m!, with the powers of h by Leibniz.
        """
        count = len(self.names)
        power = [{(place,): 1.0} if place else {} for place in range(count)]
        terms: list[dict[int, tuple[Term, ...]]] = [{} for _ in self.names]
        for m in range(1, max(map(order, self.names), default=0) + 1):
            for place, polynomial in enumerate(power):
                if polynomial:
                    terms[place][m] = tuple((weight / factorial(m), places) for places, weight in polynomial.items())
            power = [self._times_h(power, place) for place in range(count)]
        return tuple(terms)

    @cached_property
    def bends(self) -> tuple[tuple[int, int, float, tuple[int, ...]], ...]:
        """The chain terms with f'' and higher: (place of the derivative, m, weight, places of the factors)."""
        return tuple(
            (place, m, weight, places)
            for place, terms in enumerate(self.chain_terms)
            for m, polynomial in terms.items()
            if m > 1
            for weight, places in polynomial
        )

    @cached_property
    def bend_partials(self) -> tuple[tuple[int, int, int, float, tuple[int, ...]], ...]:
        """Their derivatives to a factor z_k: (place of the derivative, m, k, weight, places of the other factors)."""
        found = []
        for place, m, weight, places in self.bends:
            for k in sorted(set(places)):
                at = places.index(k)
                found.append((place, m, k, weight * places.count(k), places[:at] + places[at + 1 :]))
        return tuple(found)

    @cached_property
    def highest(self) -> int:
        """Order of the highest derivative, 1 at least."""
        return max(1, *map(order, self.names))

    def _times_h(self, power: list[dict], place: int) -> dict[tuple[int, ...], float]:
        out: Counter = Counter()
        for weight, (left, right) in self.product_terms[place]:
            if right:
                for places, w in power[left].items():
                    out[tuple(sorted((*places, right)))] += weight * w
        return dict(out)

    def _leibniz(self, name: str) -> list[Term]:
        if name == LAPLACIAN:
            own = self.place(LAPLACIAN)
            return [(1.0, (0, own)), (1.0, (own, 0)), *((2.0, (self.place(c), self.place(c))) for c in self.space)]
        counts = self._counts(name)
        terms = []
        for part in product(*(range(n + 1) for n in counts)):
            weight = prod(comb(n, k) for n, k in zip(counts, part, strict=True))
            rest = tuple(n - k for n, k in zip(counts, part, strict=True))
            terms.append((float(weight), (self.place(self._name(part)), self.place(self._name(rest)))))
        return terms

    def _name(self, counts: tuple[int, ...]) -> str:
        return "".join(c * n for c, n in zip(self.coordinates, counts, strict=True))

    def _counts(self, name: str) -> tuple[int, ...]:
        # Sorted so that the first coordinate's derivatives come first.
        return tuple(0 if name == LAPLACIAN else name.count(c) for c in self.coordinates)


def order(name: str) -> int:
    """How often a derivative differentiates.

    >>> order(""), order("txx"), order("laplacian")
    (0, 3, 2)
    """
    return 2 if name == LAPLACIAN else len(name)
