"""Listen, Attend and Spell.

Legend: B = utterances, T = frames, D = features, H = channels of the memory, U = labels of the longest
transcript, V = labels, 0 the end.
"""

from typing import NamedTuple

from torch import Tensor, nn


class Heard(NamedTuple):
    """Logits of each label and the end, the attention paid for them; the memory, CTC's logits of it, its frames."""

    logits_BUV: Tensor
    attention_BUT: Tensor
    memory_BTH: Tensor
    frame_logits_BTV: Tensor | None
    frames_B: Tensor


class ListenAttendSpell(nn.Module):
    """A listener and a speller that attends to what was heard; perhaps CTC on the listener, as a second answer.

    Chan et al. (2016); with CTC Watanabe et al. (2017).

    Args:
        listener: features_BTD, frames_B -> (memory_BTH, frames_B), with `frames_out`; also every net for CTC, whose
            logits are then the memory.
        speller: spells what is in a memory.
        ctc: memory_BTH -> CTC's logits_BTV, such as a linear layer; None spells by attention alone.
    """

    def __init__(self, listener: nn.Module, speller: nn.Module, ctc: nn.Module | None = None):
        super().__init__()
        self.listener, self.speller, self.ctc = listener, speller, ctc

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the memory."""
        return self.listener.frames_out(frames_B)

    def listen(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """The memory, CTC's logits of it where there is a layer for them, and its frames."""
        memory_BTH, frames_B = self.listener(features_BTD, frames_B)
        return memory_BTH, None if self.ctc is None else self.ctc(memory_BTH), frames_B

    def forward(self, features_BTD: Tensor, frames_B: Tensor, labels_BU: Tensor, sampling: float = 0.0) -> Heard:
        """What is said of the transcripts; `sampling` as in `Speller`."""
        memory_BTH, frame_logits_BTV, frames_B = self.listen(features_BTD, frames_B)
        said = self.speller(memory_BTH, frames_B, labels_BU, sampling)
        return Heard(*said, memory_BTH, frame_logits_BTV, frames_B)
