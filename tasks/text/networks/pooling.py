"""Maps over a sentence -> a fixed number of values a map; positions outside of the sentence never count.

Legend: B = sentences, F = maps, S = positions, valid_BS = positions that belong to the sentence (a prefix).
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from zoo.errors import InputError


class Pooling(nn.Module, ABC):
    """Called with maps_BFS and valid_BS, gives [B, F * values]."""

    values: int = 1  # a map

    @abstractmethod
    def forward(self, maps_BFS: Tensor, valid_BS: Tensor) -> Tensor:
        """The values."""


class MaxPooling(Pooling):
    """The largest value of a map: max over time, Collobert et al. (2011)."""

    def forward(self, maps_BFS: Tensor, valid_BS: Tensor) -> Tensor:
        """See `Pooling`."""
        return _outside(maps_BFS, valid_BS, -torch.inf).amax(2)


class KMaxPooling(Pooling):
    """The k largest values of a map in the sentence's order, zeros where it is shorter. Kalchbrenner et al. (2014)."""

    def __init__(self, k: int = 3):
        super().__init__()
        self.k = self.values = _whole("KMaxPooling.k", k)

    def forward(self, maps_BFS: Tensor, valid_BS: Tensor) -> Tensor:
        """See `Pooling`."""
        low_BFS = _outside(maps_BFS, valid_BS, -torch.inf)
        if (missing := self.k - low_BFS.shape[2]) > 0:
            low_BFS = nn.functional.pad(low_BFS, (0, missing), value=-torch.inf)
        places_BFk = low_BFS.topk(self.k, 2).indices.sort(2).values
        found_BFk = low_BFS.gather(2, places_BFk)
        return found_BFk.masked_fill(found_BFk == -torch.inf, 0).flatten(1)


class MeanPooling(Pooling):
    """The mean of a map over the sentence."""

    def forward(self, maps_BFS: Tensor, valid_BS: Tensor) -> Tensor:
        """See `Pooling`."""
        return _outside(maps_BFS, valid_BS, 0).sum(2) / valid_BS.sum(1, keepdim=True)


class DynamicPooling(Pooling):
    """The largest value in each of `parts` equal parts of the sentence, whose length follows the sentence's.

    Dynamic max pooling after Socher et al. (2011); of a sentence shorter than `parts` some parts share a position.
    """

    def __init__(self, parts: int = 3):
        super().__init__()
        self.parts = self.values = _whole("DynamicPooling.parts", parts)

    def forward(self, maps_BFS: Tensor, valid_BS: Tensor) -> Tensor:
        """See `Pooling`."""
        length_B1 = valid_BS.sum(1, keepdim=True)
        places_S = torch.arange(maps_BFS.shape[2], device=maps_BFS.device)
        found = []
        for part in range(self.parts):
            first_B1 = length_B1 * part // self.parts
            last_B1 = (-(-length_B1 * (part + 1) // self.parts)).clamp(min=1)
            found.append(_outside(maps_BFS, (places_S >= first_B1) & (places_S < last_B1), -torch.inf).amax(2))
        return torch.stack(found, 2).flatten(1)


def _outside(maps_BFS: Tensor, valid_BS: Tensor, value: float) -> Tensor:
    return maps_BFS.masked_fill(~valid_BS[:, None], value)


def _whole(name: str, value: int) -> int:
    if value < 1:
        raise InputError(f"{name}: expected 1 or more, got {value}; mend the recipe")
    return value
