"""Plane incompressible flow by its stream function psi: u = psi_y, v = -psi_x, vorticity w = v_x - u_y = -lap psi.

Mass is conserved whatever psi is, the pressure does not occur, and one equation is left:

    w_t + u w_x + v w_y = nu lap w.
"""

from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Field


def velocities(psi: Field) -> Tensor:
    """[N, 2]: u along x and v along y."""
    return torch.stack([psi.y, -psi.x], 1)


def vorticity_transport(psi: Field, nu: Any, unsteady: bool = False, convection: Any = 1.0) -> Tensor:
    """[N]: lap psi_t + convection (u lap psi_x + v lap psi_y) - nu lap lap psi, the transport of -w."""
    carried = convection * (psi.y * (psi.xxx + psi.xyy) - psi.x * (psi.xxy + psi.yyy))
    diffused = nu * (psi.xxxx + 2 * psi.xxyy + psi.yyyy)
    return carried - diffused + (psi.txx + psi.tyy if unsteady else 0)
