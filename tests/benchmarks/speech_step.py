"""A training step of Graves' recogniser (BiLSTM, CTC) without packing against `pack_padded_sequence`.

python tests/benchmarks/speech_step.py

Both sides: the same weights, one layer of 100 cells each way, 26 features, 32 utterances of 100 to 300 frames, CTC
over 40 labels, plain SGD, one thread. CPU seconds of whole steps in turn, and how far apart the logits are.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tasks.speech.losses import ctc_loss
from tasks.speech.networks import BiLSTM
from tests.benchmarks.results import report
from tests.benchmarks.timing import in_turn

FEATURES, LABELS, CELLS, BATCH = 26, 40, 100, 32


class Packed(nn.Module):
    """What recognisers in torch usually hold."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, CELLS, bidirectional=True)
        self.output = nn.Linear(2 * CELLS, LABELS)

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every frame, and the frames."""
        packed = pack_padded_sequence(features_BTD, frames_B, batch_first=True, enforce_sorted=False)
        hidden_BTH, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.output(hidden_BTH), frames_B


def alike(packed: Packed) -> BiLSTM:
    """Ours with the weights of the packed one."""
    ours = BiLSTM(FEATURES, LABELS, CELLS)
    ahead, back = ours.lstm.forwards[0], ours.lstm.backwards[0]
    weights = packed.lstm.state_dict()
    ahead.load_state_dict({name: value for name, value in weights.items() if not name.endswith("_reverse")})
    back.load_state_dict({n.removesuffix("_reverse"): value for n, value in weights.items() if n.endswith("_reverse")})
    ours.output.load_state_dict(packed.output.state_dict())
    return ours


def step_of(net: nn.Module, batch: tuple[Tensor, ...]) -> Callable[[], None]:
    """() -> one step of training."""
    features_BTD, frames_B, labels_BU, lengths_B = batch
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)

    def step() -> None:
        optimizer.zero_grad()
        logits_BTV, kept_B = net(features_BTD, frames_B)
        ctc_loss(logits_BTV.log_softmax(-1).transpose(0, 1), labels_BU, kept_B, lengths_B).mean().backward()
        optimizer.step()

    return step


def main() -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    frames_B = torch.randint(100, 301, (BATCH,))
    features_BTD = torch.randn(BATCH, int(frames_B.max()), FEATURES)
    labels_BU, lengths_B = torch.randint(1, LABELS, (BATCH, 20)), torch.full((BATCH,), 20)
    packed = Packed()
    ours = alike(packed)
    inside_BT = torch.arange(features_BTD.shape[1]) < frames_B[:, None]
    with torch.no_grad():
        logits = [net(features_BTD, frames_B)[0][inside_BT] for net in (packed, ours)]
    apart = float((logits[0] - logits[1]).abs().max())
    batch = (features_BTD, frames_B, labels_BU, lengths_B)
    ratios, note = [], ""
    for _ in range(3):
        seconds = in_turn({"packed": step_of(packed, batch), "ours": step_of(ours, batch)}, 5)
        ratios.append(seconds["packed"] / seconds["ours"])
        note = f"{1e3 * seconds['packed']:.0f} and {1e3 * seconds['ours']:.0f} ms a step in the last; one thread"
    report("speech/BiLSTM-CTC step against packing", ">= 5x", ratios, sorted(ratios)[1] >= 5, "x", note, 1)
    report("speech/logits apart from packed ones", "<= 1e-6", [apart], apart <= 1e-6, "", "largest of all", 9)


if __name__ == "__main__":
    main()
