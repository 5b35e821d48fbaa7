"""Where a speller looked as it wrote each letter."""

from collections.abc import Sequence

from torch import Tensor

from zoo.reports import Figure, heat_map


def attention_picture(weights_UT: Tensor, letters: Sequence[str], seconds: float) -> Figure:
    """Weights of each letter, and of the end, over the time of an utterance of some seconds; rows sum to one."""
    columns = [f"{seconds * t / weights_UT.shape[1]:.2f} s" for t in range(weights_UT.shape[1])]
    rows = [letter if letter != " " else "␣" for letter in letters] + ["(end)"]
    caption = "Attention that each letter pays, from the first letter at the top to the end."
    return heat_map(weights_UT.float().numpy(), rows, columns, log=False, x_label="time", caption=caption)
