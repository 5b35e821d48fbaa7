"""The steady lid-driven cavity, by Galerkin's method for the stream function with its corner singularities taken out.

Suffixes: X, Y places along each side, Q nodes, N polynomials along each side. Ghia, Ghia and Shin (1982); Botella and
Peyret (1998).
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csc_array, kron
from scipy.sparse.linalg import LinearOperator, gmres, splu
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.clamped import Values, clamped, gauss
from tasks.pde.references.lid import Stream, sliding_lid
from zoo.errors import InputError

Lid = Callable[[np.ndarray, np.ndarray], Stream]


def cavity(x_X: Tensor, y_Y: Tensor, reynolds: float, lid: Lid = sliding_lid) -> tuple[Tensor, float]:
    """((u, v) [X, Y, 2], self-convergence error) of the steady flow in [0, 1]^2 under a lid y = 1 that moves along x.

    With the sliding lid the velocity jumps in the upper corners and the vorticity is 1 / r there; what is left of the
    stream function when that is taken out is Re r^2, which polynomials approach to their number to the power -6.

    Args:
        x_X: places in [0, 1].
        y_Y: places in [0, 1].
        reynolds: of the lid's (largest) speed and the side; meant for up to 1000.
        lid: `sliding_lid` or `regular_lid`.

    Raises:
        InputError: a Reynolds number at which Newton's method finds no steady flow.
    """
    x_X, y_Y = x_X.double().numpy(), y_Y.double().numpy()

    def solve(coarser: float) -> np.ndarray:
        c_NN = np.zeros((1, 1))
        for count, share in ((24, 0.25), (32, 0.5), (48, 1), (fine := round(128 / coarser), 1)):
            c_NN = stream_coefficients(count, share * reynolds, lid, c_NN)
        flow = stream(c_NN, clamped(fine, x_X), clamped(fine, y_Y)).plus(lid(x_X, y_Y))
        return np.stack([flow.y, -flow.x], -1)

    return certified(solve)


def stream(c_NN: np.ndarray, at_x: Values, at_y: Values) -> Stream:
    """Derivatives of the stream function with these coefficients."""
    return Stream(
        at_x.first @ c_NN @ at_y.zeroth.T,
        at_x.zeroth @ c_NN @ at_y.first.T,
        at_x.second @ c_NN @ at_y.zeroth.T + at_x.zeroth @ c_NN @ at_y.second.T,
    )


class Galerkin:
    """The weak vorticity equation, tested by every product of clamped polynomials.

        int laplace(psi) (laplace(phi) / Re + psi_y phi_x - psi_x phi_y) = 0

    is u . grad(vorticity) = laplace(vorticity) / Re, integrated by parts until no derivative higher than the second is
    left, of which the corners' 1 / r meets phi's r^2.
    """

    def __init__(self, count: int, reynolds: float):
        nodes_Q, weights_Q = gauss(2 * count)
        self.nodes_Q, self.at = nodes_Q, clamped(count, nodes_Q)
        self.weight_QQ, self.reynolds = np.outer(weights_Q, weights_Q), reynolds
        grams = (part.T * weights_Q @ part for part in self.at)
        mass, slope, bend = (banded(gram, width) for gram, width in zip(grams, (4, 2, 0), strict=True))
        energy = kron(bend, mass) + 2 * kron(slope, slope) + kron(mass, bend)
        self._creeping = splu(csc_array(energy / reynolds), permc_spec="MMD_AT_PLUS_A")

    def creeping(self, tested_NN: np.ndarray) -> np.ndarray:
        """Coefficients of the flow without inertia that is tested to this."""
        return self._creeping.solve(tested_NN.ravel()).reshape(tested_NN.shape)

    def residual(self, flow: Stream) -> np.ndarray:
        """[N, N], zero for a solution."""
        return self._tested(flow.laplacian, flow.laplacian * flow.y, -flow.laplacian * flow.x)

    def tangent(self, flow: Stream, change: Stream) -> np.ndarray:
        """By how much the residual changes with the flow."""
        along_x = change.laplacian * flow.y + flow.laplacian * change.y
        along_y = -change.laplacian * flow.x - flow.laplacian * change.x
        return self._tested(change.laplacian, along_x, along_y)

    def _tested(self, laplacian_QQ: np.ndarray, along_x_QQ: np.ndarray, along_y_QQ: np.ndarray) -> np.ndarray:
        """int laplacian laplace(phi) / Re + along_x phi_x + along_y phi_y."""
        bending_QQ = self.weight_QQ * laplacian_QQ / self.reynolds
        return (
            self.at.second.T @ bending_QQ @ self.at.zeroth
            + self.at.zeroth.T @ bending_QQ @ self.at.second
            + self.at.first.T @ (self.weight_QQ * along_x_QQ) @ self.at.zeroth
            + self.at.zeroth.T @ (self.weight_QQ * along_y_QQ) @ self.at.first
        )


def banded(matrix: np.ndarray, width: int) -> csc_array:
    """The matrix without the rounding beyond so many diagonals, and without that between even and odd polynomials."""
    distance = abs(np.subtract.outer(np.arange(len(matrix)), np.arange(len(matrix))))
    return csc_array(np.where((distance <= width) & (distance % 2 == 0), matrix, 0.0))


def stream_coefficients(count: int, reynolds: float, lid: Lid, start: np.ndarray) -> np.ndarray:
    """Coefficients [N, N] of what is to be added to the lid's stream function, by Newton's method from fewer of them.

    Its linear systems are solved by GMRES, preconditioned by the flow without inertia.

    Raises:
        InputError: it does not converge.
    """
    equation = Galerkin(count, reynolds)
    lifted = lid(equation.nodes_Q, equation.nodes_Q)
    c_NN = np.pad(start, [(0, count - len(start))] * 2)
    for _ in range(20):
        flow = stream(c_NN, equation.at, equation.at).plus(lifted)
        change_NN = newton_change(equation, flow, c_NN.shape)
        c_NN = c_NN + change_NN
        if np.linalg.norm(change_NN) <= 1e-9 * np.linalg.norm(c_NN):
            return c_NN
    raise InputError(f"reynolds: expected one at which Newton's method finds a steady flow, got {reynolds}; lower it")


def newton_change(equation: Galerkin, flow: Stream, shape: tuple[int, int]) -> np.ndarray:
    """Change [N, N] of the coefficients that cancels the residual to first order."""

    def preconditioned(change: np.ndarray) -> np.ndarray:
        changed = stream(change.reshape(shape), equation.at, equation.at)
        return equation.creeping(equation.tangent(flow, changed)).ravel()

    size = shape[0] * shape[1]
    operator = LinearOperator((size, size), matvec=preconditioned, dtype=np.float64)
    goal = -equation.creeping(equation.residual(flow)).ravel()
    return gmres(operator, goal, rtol=1e-4, restart=100, maxiter=3)[0].reshape(shape)
