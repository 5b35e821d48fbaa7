"""The strided recogniser."""

import torch

from tasks.speech.networks import StridedConv


def test_an_answer_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    net = StridedConv(6, 4, (8, 12), 5).double().eval()
    for norm in (module for module in net.modules() if isinstance(module, torch.nn.BatchNorm1d)):
        norm.running_mean.normal_()
        norm.bias.data.normal_()
    frames = torch.tensor([23, 9, 1, 16])
    features = torch.randn(4, 23, 6, dtype=torch.float64)
    for n, length in enumerate(frames):
        features[n, length:] = 0
    together, kept = net(features, frames)
    assert kept.tolist() == net.frames_out(frames).tolist() == [6, 3, 1, 4]
    for n, length in enumerate(frames):
        alone, _ = net(features[n : n + 1, :length], frames[n : n + 1])
        torch.testing.assert_close(alone[0], together[n, : kept[n]], atol=1e-10, rtol=0)


def test_parameters_are_those_of_its_convolutions_and_norms():
    net = StridedConv(40, 11, (64, 128), 5)
    stages = 5 * (40 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * (2 * 64 + 2 * 128)
    assert sum(p.numel() for p in net.parameters()) == stages + 128 * 11 + 11
