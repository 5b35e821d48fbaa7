"""What each letter of an answer rests on: log p(letter) at its aligned time as a function of the features.

Legend: U = labels of the answer, T = frames of the features, D = features, K = copies, F = frames of the logits,
V = labels with the blank.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tasks.speech.forced_alignment import timed_labels
from zoo.attribution import Score, occlusion

Method = Callable[[Score, Tensor], Tensor]


def label_score(net: nn.Module, labels: Sequence[int], spans: Sequence[tuple[int, int]]) -> Score:
    """Features [k U, T, D], the utterance once a label -> mean over the frames of label u of log p(label u), [k U].

    Args:
        net: of CTC, in evaluation mode.
        labels: the U labels.
        spans: first frame and the one behind the last of each, of the net's own frames.
    """
    labels_U, frames_U2 = torch.tensor(labels), torch.tensor(spans)

    def score(features_KTD: Tensor) -> Tensor:
        copies = len(features_KTD) // len(labels_U)
        frames_K = torch.full((len(features_KTD),), features_KTD.shape[1])
        logits_KFV, _ = net(features_KTD, frames_K)
        log_probs_KFV = logits_KFV.to(torch.promote_types(logits_KFV.dtype, torch.float32)).log_softmax(-1)
        index_K11 = labels_U.repeat(copies)[:, None, None]
        of_label_KF = log_probs_KFV.gather(2, index_K11.expand(-1, log_probs_KFV.shape[1], 1))[..., 0]
        first_K1, behind_K1 = frames_U2.repeat(copies, 1).unsqueeze(-1).unbind(1)
        frame_F = torch.arange(of_label_KF.shape[1])
        inside_KF = (frame_F >= first_K1) & (frame_F < behind_K1)
        return (of_label_KF * inside_KF).sum(1) / (behind_K1 - first_K1)[:, 0]

    return score


def letter_maps(net: nn.Module, features_TD: Tensor, labels: Sequence[int], method: Method) -> tuple[Tensor, list]:
    """(maps [U, T, D], spans) of an utterance's labels, each by its own score at its aligned time.

    Args:
        net: of CTC, in evaluation mode.
        features_TD: one utterance.
        labels: what was heard or said, without blanks; one or more.
        method: (score, inputs) -> map, of `zoo.attribution`.

    Raises:
        InputError: fewer frames than the labels need.
    """
    with torch.no_grad():
        logits_1FV, _ = net(features_TD[None], torch.tensor([len(features_TD)]))
    found = timed_labels(logits_1FV[0].float().log_softmax(-1), labels)
    spans = [(first, behind) for first, behind, _ in found]
    inputs_UTD = features_TD.expand(len(labels), *features_TD.shape)
    return method(label_score(net, labels, spans), inputs_UTD), spans


def with_channel(score: Score) -> Score:
    """The score of maps [N, 1, T, D], for what takes the second dimension for channels."""
    return lambda inputs_N1TD: score(inputs_N1TD[:, 0])


def lost_in_time(score: Score, features_TD: Tensor, window: int) -> Tensor:
    """Score lost where `window` frames are covered by the utterance's mean (0 where normalised), [T]."""
    window = min(window, len(features_TD))
    covered = occlusion(
        with_channel(score), features_TD[None, None], (window, features_TD.shape[1]), (max(1, window // 2), 1)
    )
    return covered[0, 0].mean(1)


def lost_in_frequency(score: Score, features_TD: Tensor, window: int) -> Tensor:
    """Score lost where `window` neighbouring features are covered in every frame, [D]."""
    window = min(window, features_TD.shape[1])
    covered = occlusion(with_channel(score), features_TD[None, None], (len(features_TD), window), (1, 1))
    # The windows' starts are given for both sides; in time there is one.
    return covered[0, 0].mean(0)
