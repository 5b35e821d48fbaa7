"""Products with the Jacobian of every point's residual, without the Jacobian: for nets too large to hold it.

For a linear layer the row of point n is sum_c delta_cn a_cn', delta_cn what is propagated back to the layer's output
and a_cn what went in. Kept as these factors, a product with J or J' is one small matrix product a layer, cheaper than a
forward pass, and no autograd graph is walked again.

Legend: N = points, C = coefficients of the jet (times the uses of a layer), G, F = outputs and inputs of a layer,
R = residuals in one column, P = parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from zoo.derivatives.jacobian import Factors, outer_factors
from zoo.derivatives.jets import linear_calls
from zoo.derivatives.per_point import copies_per_point


@dataclass(frozen=True)
class Factor:
    """One block of J: residuals `rows`, parameters `columns`, J[n, (g, f)] = sum_c deltas[c, n, g] inputs[c, n, f]."""

    rows: slice
    columns: slice
    deltas_CNG: Tensor
    inputs_CNF: Tensor

    def times(self, vector_P: Tensor) -> Tensor:
        """[N]: the block times its part of a vector."""
        weights_GF = vector_P[self.columns].view(self.deltas_CNG.shape[2], -1)
        return ((self.inputs_CNF @ weights_GF.t()) * self.deltas_CNG).sum((0, 2))

    def transposed_times(self, vector_R: Tensor) -> Tensor:
        """[G * F]: the block's transpose times its part of a vector."""
        weighted_CNG = self.deltas_CNG * vector_R[self.rows][None, :, None]
        return (weighted_CNG.flatten(0, 1).t() @ self.inputs_CNF.flatten(0, 1)).flatten()

    def squares(self) -> Tensor:
        """[G * F]: sums of squares of the block's columns, C (C + 1) / 2 products of elementwise products."""
        total = 0
        for c, (delta_NG, inputs_NF) in enumerate(zip(self.deltas_CNG, self.inputs_CNF, strict=True)):
            for d in range(c + 1):
                product_GF = (delta_NG * self.deltas_CNG[d]).t() @ (inputs_NF * self.inputs_CNF[d])
                total = total + (product_GF if d == c else 2 * product_GF)
        return total.flatten().clamp(min=0)

    def sums(self, members_KM: Tensor, signs_KM: Tensor) -> Tensor:
        """[K, G * F]: signed sums over M of the block's rows each, for the price of `transposed_times`."""
        k = len(members_KM)
        deltas_KMG = (
            (self.deltas_CNG[:, members_KM] * signs_KM[None, :, :, None])
            .transpose(0, 1)
            .reshape(k, -1, self.deltas_CNG.shape[2])
        )
        inputs_KMF = self.inputs_CNF[:, members_KM].transpose(0, 1).reshape(k, -1, self.inputs_CNF.shape[2])
        return (deltas_KMG.transpose(1, 2) @ inputs_KMF).flatten(1)

    def dense(self) -> Tensor:
        """[N, G * F]: the block itself."""
        return torch.einsum("cng,cnf->ngf", self.deltas_CNG, self.inputs_CNF).flatten(1)


@dataclass(frozen=True)
class JacobianProducts:
    """J as an operator: `J @ v`, `J.t() @ u`, sums of squares of its columns, and a few columns at a time."""

    shape: tuple[int, int]
    factors: tuple[Factor, ...]
    transposed: bool = False

    def t(self) -> "JacobianProducts":
        """The transpose."""
        return replace(self, transposed=not self.transposed)

    def __matmul__(self, vector: Tensor) -> Tensor:
        out = vector.new_zeros(self.shape[1] if self.transposed else self.shape[0])
        for factor in self.factors:
            if self.transposed:
                out[factor.columns] += factor.transposed_times(vector)
            else:
                out[factor.rows] += factor.times(vector)
        return out

    def column_squares(self) -> Tensor:
        """[P]: diagonal of J'J."""
        total_P = self.factors[0].deltas_CNG.new_zeros(self.shape[1])
        for factor in self.factors:
            total_P[factor.columns] += factor.squares()
        return total_P

    def row_sums(self, sums: int, generator: torch.Generator) -> Tensor:
        """[K, P]: S J, every row of J in one sum with a random sign; the rows themselves if K is as many.

        Rows of one term and residual are summed among themselves, each with its share of the sums, one at least: K is
        `sums` up to rounding.

        Args:
            sums: K, at most R.
            generator: on the CPU.
        """
        parts = list(dict.fromkeys((f.rows.start, f.rows.stop, f.rows.step or 1) for f in self.factors))
        drawn, start = {}, 0
        for part in parts:
            count = max(1, round(sums * len(range(*part)) / self.shape[0]))
            drawn[part] = (slice(start, start + count), *_memberships(len(range(*part)), count, generator))
            start += count
        out_KP = self.factors[0].deltas_CNG.new_zeros(start, self.shape[1])
        for factor in self.factors:
            place, members_KM, signs_KM = drawn[(factor.rows.start, factor.rows.stop, factor.rows.step or 1)]
            out_KP[place, factor.columns] += factor.sums(members_KM, signs_KM.to(out_KP))
        return out_KP

    def column_blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """(columns, J[:, columns]), one parameter tensor after the other, so that never more than one is held."""
        for columns in dict.fromkeys((f.columns.start, f.columns.stop) for f in self.factors):
            block = self.factors[0].deltas_CNG.new_zeros(self.shape[0], columns[1] - columns[0])
            for factor in self.factors:
                if factor.columns.start == columns[0]:
                    block[factor.rows] += factor.dense()
            yield slice(*columns), block


@torch.enable_grad()
def jacobian_products(residuals: Callable[[], Tensor], parameters: Sequence[Tensor]) -> tuple[Tensor, JacobianProducts]:
    """(residuals [N, K], their Jacobian [N * K, P] as an operator); arguments and errors of `residual_jacobian`."""
    with linear_calls() as calls, copies_per_point() as copies:
        rows = residuals()
    rows_NK = rows[:, None] if rows.dim() == 1 else rows
    n, k = rows_NK.shape
    ends = list(accumulate((parameter.numel() for parameter in parameters), initial=0))
    factors = []
    for column in range(k):
        found = outer_factors(rows_NK[:, column], calls, list(copies.values()), parameters, keep=column + 1 < k)
        for parameter, columns in zip(parameters, pairwise(ends), strict=True):
            if pairs := found.get(id(parameter)):
                factors.append(_factor(slice(column, n * k, k), slice(*columns), pairs))
    return rows_NK.detach(), JacobianProducts((n * k, ends[-1]), tuple(factors))


def _factor(rows: slice, columns: slice, pairs: list[Factors]) -> Factor:
    ones_1N = torch.ones_like(pairs[0][0][:1])
    deltas_CNG = torch.stack([left_GN.t() for left_GN, _ in pairs])
    inputs_CNF = torch.stack([(ones_1N if right_FN is None else right_FN).t() for _, right_FN in pairs])
    return Factor(rows, columns, deltas_CNG, inputs_CNF.detach())


def stacked(parts: Sequence[JacobianProducts]) -> JacobianProducts:
    """Jacobians of the same parameters, one below the other."""
    factors, start = [], 0
    for part in parts:
        for factor in part.factors:
            rows = slice(factor.rows.start + start, factor.rows.stop + start, factor.rows.step)
            factors.append(replace(factor, rows=rows))
        start += part.shape[0]
    return JacobianProducts((start, parts[0].shape[1]), tuple(factors))


def _memberships(rows: int, sums: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(which rows [K, M] a sum has, their signs [K, M], zero where one has less than M), all sums of one size or one
    less."""
    most = -(-rows // sums)
    order = torch.cat([torch.randperm(rows, generator=generator), torch.zeros(most * sums - rows, dtype=torch.long)])
    signs = 2.0 * torch.randint(2, (most * sums,), generator=generator) - 1
    signs[rows:] = 0
    return order.view(most, sums).t(), signs.view(most, sums).t()
