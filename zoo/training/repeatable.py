"""A net's forward that gives the same numbers at every call, in training mode too."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.func import functional_call

from zoo.training.random_state import set_torch_state, torch_state, torch_state_kept


def repeatable(net: nn.Module, inputs: Tensor) -> Callable[[], Tensor]:
    """() -> outputs for these inputs at the parameters as they are: dropout draws the masks that the coming forward
    would draw, and neither the random state nor a buffer, such as a batch norm's running mean, is moved."""
    states = torch_state()

    def outputs() -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
        with torch_state_kept():
            set_torch_state(states)
            return functional_call(net, buffers, (inputs,))

    return outputs
