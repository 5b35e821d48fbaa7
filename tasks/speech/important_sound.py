"""The part of a sound that an answer rests on, to listen to: all else is turned down.

Legend: S = samples, T = frames of the features, D = features, B = bands, K = bins of the Fourier transform.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from tasks.speech.features import Features
from zoo.errors import InputError


def cells_of(map_TD: Tensor, features: Features) -> Tensor:
    """A map of features as one of plain frames and bands [T stack, B], derivatives in time added to their band.

    Of MFCC, which have no place in frequency, every band gets the sum over the frame.

    >>> cells_of(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), Features(bands=2, deltas=1)).tolist()
    [[4.0, 6.0]]
    """
    frames_TD = map_TD.reshape(len(map_TD) * features.stack, -1)
    if features.kind == "mfcc":
        return frames_TD.sum(1, keepdim=True).expand(-1, features.bands) / features.bands
    return frames_TD.reshape(len(frames_TD), features.deltas + 1, features.bands).sum(1)


def decisive_cells(cells_TB: Tensor, share: float) -> Tensor:
    """The fewest cells that hold a share of what speaks for the answer, bool [T, B].

    >>> decisive_cells(torch.tensor([[3.0, -9.0], [1.0, 6.0]]), 0.9).tolist()
    [[True, False], [False, True]]
    """
    for_it_P = cells_TB.clamp(min=0).flatten()
    order = for_it_P.argsort(descending=True)
    before_P = for_it_P[order].cumsum(0) - for_it_P[order]
    kept_P = torch.zeros(len(order), dtype=torch.bool)
    kept_P[order] = (before_P < share * for_it_P.sum()) & (for_it_P[order] > 0)
    return kept_P.view(cells_TB.shape)


def important_sound(samples_S: Tensor, map_TD: Tensor, features: Features, share: float = 0.5) -> Tensor:
    """The sound with every cell of time and frequency silenced but those that hold `share` of the positive map.

    What neighbours a cell that is kept is turned down by degrees; the phase is the sound's own.

    Args:
        samples_S: in -1..1.
        map_TD: attribution of the utterance's features.
        features: how the sound became frames.
        share: above 0, at most 1.

    Raises:
        InputError: a share out of its range.
    """
    if not 0 < share <= 1:
        raise InputError(f"important_sound.share: expected above 0 and at most 1, got {share}; 0.5 is usual")
    kept_TB = decisive_cells(cells_of(map_TD, features), share).float()
    smooth_TB = torch.maximum(kept_TB, avg_pool2d(kept_TB[None], 3, 1, 1, count_include_pad=False)[0])
    hop, window = (max(1, round(features.rate * ms / 1000)) for ms in (features.hop_ms, features.window_ms))
    size = 2 ** (window - 1).bit_length()
    options = {"n_fft": size, "hop_length": hop, "win_length": window, "window": torch.hann_window(window)}
    spectrum_KT = torch.stft(samples_S, **options, center=True, pad_mode="constant", return_complex=True)
    gains_TK = smooth_TB @ _bins_of_bands(features, size // 2 + 1)
    # Kaldi's first frame starts with the sound; the transform's is centred on its start.
    late = round(window / 2 / hop) if features.kind == "kaldi" else 0
    frame_T = (torch.arange(spectrum_KT.shape[1]) - late).clamp(0, len(gains_TK) - 1)
    return torch.istft(spectrum_KT * gains_TK[frame_T].t(), **options, center=True, length=len(samples_S))


def _bins_of_bands(features: Features, bins: int) -> Tensor:
    """[B, K]: what each band's gain does to each bin; columns sum to one where any band reaches."""
    from torchaudio.functional import melscale_fbanks

    filters_KB = melscale_fbanks(bins, 0.0, features.rate / 2, features.bands, features.rate, mel_scale="htk")
    return (filters_KB / filters_KB.sum(1, keepdim=True).clamp(min=1e-8)).t()
