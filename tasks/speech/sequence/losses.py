"""Sequence-discriminative losses: they ask for answers that beat their rivals, not for likely transcripts.

Vesely et al. (2013), Povey (2005), Prabhavalkar et al. (2018). Legend: T = frames, B = utterances, V = labels with
the blank, S = states of a graph.
"""

from torch import Tensor

from tasks.speech.sequence.graphs import Graphs, expectation, log_total


def mmi(log_probs_TBV: Tensor, frames_B: Tensor, spoken: Graphs, rivals: Graphs, scale: float = 1.0) -> Tensor:
    """-log of the transcript's share of the weight of all rivals, [B]: maximum mutual information.

    -(log sum over spoken paths of p^scale - log sum over rival paths of p^scale); the rivals should hold the spoken
    paths, so that it is never negative.

    Args:
        log_probs_TBV: of the frames.
        frames_B: frames of each utterance.
        spoken: paths of the transcripts, with the language model's weight.
        rivals: paths of the transcripts and of what was heard instead.
        scale: acoustic scale.
    """
    scaled = scale * log_probs_TBV
    return log_total(scaled, frames_B, rivals) - log_total(scaled, frames_B, spoken)


def smbr(log_probs_TBV: Tensor, frames_B: Tensor, aligned_TB: Tensor, rivals: Graphs, scale: float = 1.0) -> Tensor:
    """Expected share of frames whose label is not the aligned one, [B]: state-level minimum Bayes risk.

    Args:
        log_probs_TBV: of the frames.
        frames_B: frames of each utterance.
        aligned_TB: label of each frame in the alignment of the transcript.
        rivals: paths that are weighed against each other.
        scale: acoustic scale.
    """
    gain_TBS = (rivals.labels_BS.to(aligned_TB.device) == aligned_TB[..., None]).to(log_probs_TBV)
    _, right_B = expectation(scale * log_probs_TBV, frames_B, rivals, gain_TBS)
    return 1 - right_B / frames_B


def expected_errors(log_probs_TBV: Tensor, frames_B: Tensor, rivals: Graphs, scale: float = 1.0) -> Tensor:
    """Expected number of errors, [B], where `value_BS` of a hypothesis' graph is how many it has.

    With errors counted in labels this is MPE (minimum phone error), in words minimum word error rate.
    """
    return expectation(scale * log_probs_TBV, frames_B, rivals)[1]
