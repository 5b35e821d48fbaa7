"""Extreme eigenvalues of a symmetric matrix known by its products, each with a certificate.

Lanczos (1950) with full reorthogonalisation and thick restarts (Wu and Simon 2000). For a Ritz pair (theta, x) some
eigenvalue lies within |A x - theta x| / |x| of theta, whatever A is (Weinstein's bound): an interval, not a guess.

Legend: P = size of the matrix, K = vectors of the Krylov space that are held.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import InputError

CHUNK = 65536  # entries at a time when the basis is turned, so that no second basis is held


@dataclass(frozen=True)
class Eigenpair:
    """An eigenvalue lies in value +- residual; `vector_P` is the unit vector that proves it."""

    value: float
    residual: float
    vector_P: Tensor

    @property
    def relative(self) -> float:
        """residual / |value|."""
        return self.residual / abs(self.value) if self.value else float("inf")


@dataclass(frozen=True)
class Spectrum:
    """The ends of a spectrum, and the products they took.

    Attributes:
        largest: descending.
        smallest: ascending.
        products: with the matrix.
    """

    largest: list[Eigenpair]
    smallest: list[Eigenpair]
    products: int


class Unconverged(InputError):
    """An eigenvalue without a certificate, which is not given out."""


def extreme_eigenvalues(
    product: Callable[[Tensor], Tensor],
    start_P: Tensor,
    largest: int = 1,
    smallest: int = 0,
    tolerance: float = 0.01,
    limit: int = 200,
    held: int | None = None,
) -> Spectrum:
    """Certified eigenvalues at both ends of the spectrum; one that is there twice may be found once.

    The certificate says that an eigenvalue is there. That none lies farther out rests on the start having a part along
    every eigenvector, and on a gap: sure for the outliers of a net's Hessian, less so for the edge of its bulk.

    Args:
        product: v -> A v, A symmetric.
        start_P: with a part along every eigenvector that is sought.
        largest, smallest: how many from the upper and the lower end.
        tolerance: of an eigenvalue's residual, relative to itself; near zero to a thousandth of the largest size.
        limit: of products.
        held: vectors of size P in memory, at least 2 more than are sought and by default 3 more. More of them save
            few products for the largest eigenvalue of a net (none beyond 6 in most measurements), and many for its
            smallest or for several.

    Raises:
        Unconverged: no certificate within the limit; what is known by then is said.

    >>> found = extreme_eigenvalues(lambda v: torch.tensor([5.0, 1.0, -2.0]) * v, torch.ones(3), smallest=1)
    >>> round(found.largest[0].value, 4), round(found.smallest[0].value, 4)
    (5.0, -2.0)
    """
    wanted = largest + smallest
    held = wanted + 3 if held is None else held
    if min(largest, smallest) < 0 or wanted < 1 or held < wanted + 2:
        raise InputError(
            f"eigenvalues: expected 1 or more of them and held >= {wanted + 2}, got {largest} largest, {smallest} "
            f"smallest and {held}; raise held"
        )
    space = _Krylov(start_P, held)
    more = (held - wanted) // 2 * largest // wanted  # Ritz vectors beyond those sought speed up what follows a restart
    kept = (largest + more, smallest + (held - wanted) // 2 - more)
    for number in range(1, limit + 1):
        space.extend(product(space.newest_P))
        values_K, rotation_KK, residuals_K = space.ritz()
        upper, lower = _ends(len(values_K), largest, smallest)
        if space.whole or _all_certified(values_K, residuals_K, [*upper, *lower], wanted, tolerance):
            pairs = [[space.pair(i, values_K, rotation_KK, residuals_K) for i in end] for end in (upper, lower)]
            return Spectrum(*pairs, number)
        space.step(*_ends(len(values_K), *kept))
    said = ", ".join(f"{float(values_K[i]):.3g} +- {float(residuals_K[i]):.1g}" for i in [*upper, *lower])
    raise Unconverged(
        f"eigenvalues: expected residuals below {tolerance:.0%} within {limit} products, got {said}; raise the limit"
    )


def _ends(count: int, largest: int, smallest: int) -> tuple[list[int], list[int]]:
    """Places of the largest (descending) and of the smallest (ascending) among ascending values; none twice."""
    upper = list(range(count - 1, -1, -1))[:largest]
    return upper, [i for i in range(count)[:smallest] if i not in upper]


def _all_certified(values_K: Tensor, residuals_K: Tensor, chosen: list[int], wanted: int, tolerance: float) -> bool:
    # Relative to the eigenvalue itself, or to a thousandth of the largest for those near zero.
    sizes_K = values_K.abs().clamp(min=0.001 * float(values_K.abs().max()))
    return len(chosen) == wanted and bool((residuals_K[chosen] <= tolerance * sizes_K[chosen]).all())


class _Krylov:
    """An orthonormal basis V with A V = V H + rest e', H = V'A V."""

    def __init__(self, start_P: Tensor, held: int):
        self._basis_KP = start_P.new_empty(min(held, len(start_P)), len(start_P))
        self._basis_KP[0] = start_P / start_P.norm()
        self._projected_KK = torch.zeros(len(self._basis_KP), len(self._basis_KP), dtype=torch.float64)
        self._count, self._error, self._draw = 1, 0.0, torch.Generator().manual_seed(0)

    @property
    def newest_P(self) -> Tensor:
        """The vector whose image extends the space."""
        return self._basis_KP[self._count - 1]

    @property
    def whole(self) -> bool:
        """Whether the space is all of R^P."""
        return self._count == self._basis_KP.shape[1]

    def extend(self, image_P: Tensor) -> None:
        """Take up A v of the newest vector: its part in the space into H, the rest for the next vector."""
        basis_KP, last = self._basis_KP[: self._count], self._count - 1
        part_K = basis_KP @ image_P
        rest_P = torch.addmv(image_P, basis_KP.t(), part_K, alpha=-1)
        again_K = basis_KP @ rest_P  # once is not enough in floating point (Kahan, Parlett)
        rest_P.addmv_(basis_KP.t(), again_K, alpha=-1)
        coefficients_K = part_K.double().cpu() + again_K.double().cpu()
        # In exact arithmetic, and with a symmetric A, these are known already: what differs is part of the residual.
        self._error += float((coefficients_K[:last] - self._projected_KK[last, :last]).square().sum())
        self._projected_KK[last, last] = coefficients_K[last]
        self._rest_P, self._beta = rest_P, float(rest_P.norm())

    def ritz(self) -> tuple[Tensor, Tensor, Tensor]:
        """Values ascending, their vectors in the basis, and bounds of |A x - theta x|."""
        projected_KK = self._projected_KK[: self._count, : self._count]
        values_K, rotation_KK = torch.linalg.eigh(projected_KK)
        return values_K, rotation_KK, self._beta * rotation_KK[-1].abs() + self._error**0.5

    def pair(self, i: int, values_K: Tensor, rotation_KK: Tensor, residuals_K: Tensor) -> Eigenpair:
        """Number i of what `ritz` gave."""
        vector_P = self._basis_KP[: self._count].t() @ rotation_KK[:, i].to(self._basis_KP)
        return Eigenpair(float(values_K[i]), float(residuals_K[i]), vector_P / vector_P.norm())

    def step(self, upper: list[int], lower: list[int]) -> None:
        """Append the next vector; where the basis is full, keep these Ritz vectors in its place first."""
        coupling_K = torch.zeros(self._count, dtype=torch.float64)
        coupling_K[-1] = self._beta
        if self._count == len(self._basis_KP):
            values_K, rotation_KK, _ = self.ritz()
            kept = [*upper, *lower]
            coupling_K = self._turn(values_K[kept], rotation_KK[:, kept])
        at = self._count
        scale = float(self._projected_KK.abs().max())
        if self._beta <= 8 * torch.finfo(self._rest_P.dtype).eps * scale:  # the space is closed: go on anywhere else
            self._rest_P, coupling_K = self._elsewhere(), torch.zeros_like(coupling_K)
        self._basis_KP[at] = self._rest_P / self._rest_P.norm()
        self._projected_KK[at, :at] = self._projected_KK[:at, at] = coupling_K
        self._count += 1

    def _turn(self, values_K: Tensor, rotation_KL: Tensor) -> Tensor:
        old, self._count = self._count, len(values_K)
        turn_LK = rotation_KL.t().to(self._basis_KP)
        for part_KC in self._basis_KP.split(CHUNK, 1):
            part_KC[: self._count] = turn_LK @ part_KC[:old]
        self._projected_KK.zero_()
        self._projected_KK.diagonal()[: self._count] = values_K
        return self._beta * rotation_KL[-1]

    def _elsewhere(self) -> Tensor:
        basis_KP = self._basis_KP[: self._count]
        drawn_P = torch.randn(basis_KP.shape[1], generator=self._draw, dtype=torch.float64).to(basis_KP)
        for _ in range(2):
            drawn_P -= basis_KP.t() @ (basis_KP @ drawn_P)
        return drawn_P
