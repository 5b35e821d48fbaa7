"""Where a decoder looks: weights over the frames of a memory, from its state.

Each is called (state_BS, keys_BTA, before_BT, outside_BT) -> weights_BT, which sum to one and are zero on padding.
Legend: B = utterances, T = frames of the memory, H = its channels, S = channels of the state, A = channels of the keys.
"""

import torch
from torch import Tensor, nn


class DotAttention(nn.Module):
    """softmax over u of <phi(s), psi(h_u)>, phi and psi one layer each. Chan et al. (2016), equations 9 and 10.

    Args:
        memory_size: H.
        state_size: S.
        size: A.
    """

    def __init__(self, memory_size: int, state_size: int, size: int = 128):
        super().__init__()
        self.keys = nn.Sequential(nn.Linear(memory_size, size), nn.Tanh())
        self.query = nn.Sequential(nn.Linear(state_size, size), nn.Tanh())

    def forward(self, state_BS: Tensor, keys_BTA: Tensor, before_BT: Tensor, outside_BT: Tensor) -> Tensor:
        """See the top; what was attended before is not looked at."""
        energies_BT = (keys_BTA @ self.query(state_BS)[..., None])[..., 0]
        return energies_BT.masked_fill(outside_BT, -torch.inf).softmax(-1)


class LocationAttention(nn.Module):
    """softmax over u of w' tanh(W s + V h_u + U f_u), f the weights before convolved. Chorowski et al. (2015).

    What was attended before tells apart what sounds alike: the digits of "two two".

    Args:
        memory_size: H.
        state_size: S.
        size: A.
        filters: channels of f.
        width: of the convolution, odd.
    """

    def __init__(self, memory_size: int, state_size: int, size: int = 128, filters: int = 8, width: int = 15):
        super().__init__()
        self.keys = nn.Linear(memory_size, size)
        self.query = nn.Linear(state_size, size, bias=False)
        self.convolution = nn.Conv1d(1, filters, width, padding=width // 2, bias=False)
        self.place = nn.Linear(filters, size, bias=False)
        self.energy = nn.Linear(size, 1, bias=False)

    def forward(self, state_BS: Tensor, keys_BTA: Tensor, before_BT: Tensor, outside_BT: Tensor) -> Tensor:
        """See the top."""
        place_BTA = self.place(self.convolution(before_BT[:, None]).transpose(1, 2))
        energies_BT = self.energy(torch.tanh(self.query(state_BS)[:, None] + keys_BTA + place_BTA))[..., 0]
        return energies_BT.masked_fill(outside_BT, -torch.inf).softmax(-1)
