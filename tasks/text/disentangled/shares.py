"""Each token's share of a part of a sentence, by its gradient.

Legend: B = sentences, T = tokens, E = size of a token's vector, D = size of a part.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def token_shares(part: Callable[[Tensor, Tensor], Tensor], vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
    """shares_BT = ||d part / d x_t||_F / sum over the sentence: how far a part moves with each token.

    Args:
        part: (vectors_BTE, present_BT) -> [B, D], each row from its own sentence alone.
        vectors_BTE: embedded tokens.
        present_BT: which there are; others have share 0.

    >>> twice = lambda x, _: (x * torch.tensor([3.0, 1.0])[:, None]).sum(1)
    >>> token_shares(twice, torch.ones(1, 2, 4), torch.ones(1, 2, dtype=torch.bool)).tolist()
    [[0.75, 0.25]]
    """
    with torch.enable_grad():
        leaf = vectors_BTE.detach().clone().requires_grad_()
        columns = part(leaf, present_BT).sum(0)
        # One backward pass for each number of the part; a sum over sentences keeps them apart.
        rows = [torch.autograd.grad(column, leaf, retain_graph=True)[0] for column in columns]
    norms_BT = torch.stack(rows).square().sum((0, 3)).sqrt().masked_fill(~present_BT, 0)
    return norms_BT / norms_BT.sum(1, keepdim=True)
