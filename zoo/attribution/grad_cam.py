"""Grad-CAM: where a convolutional layer's maps speak for the score. Selvaraju et al. (2017), by captum."""

from torch import Tensor, nn

from zoo.attribution.gradients import Score, checked_score, differentiable
from zoo.errors import InputError


def grad_cam(score: Score, inputs: Tensor, layer: nn.Module, positive: bool = True) -> Tensor:
    """ReLU(sum_c mean_HW(d score / d A_c) A_c), enlarged to the inputs and repeated over their channels.

    Args:
        score: inputs [N, C, H, W] -> [N]; it must call `layer`.
        inputs: [N, C, H, W].
        layer: whose output A [N, channels, h, w] is weighed.
        positive: keep only what speaks for the score, as in the paper.

    Raises:
        InputError: the score does not reach the layer, or its output is no map.
    """
    from captum.attr import LayerAttribution, LayerGradCam  # a second of imports that only this method needs

    with differentiable():
        leaf = inputs.detach().clone().requires_grad_()
        checked_score(score, leaf)
        try:
            maps_N1HW = LayerGradCam(score, layer).attribute(leaf, relu_attributions=positive)
        except AssertionError as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(
                f"grad_cam.layer: expected a layer that the score calls, got {reason}; choose another"
            ) from error
    if not isinstance(maps_N1HW, Tensor) or maps_N1HW.dim() != 4:
        raise InputError(f"grad_cam.layer: expected one with output [N, C, h, w], got {layer}; choose a convolution")
    large = LayerAttribution.interpolate(maps_N1HW.detach(), tuple(inputs.shape[2:]), "bilinear")
    return large.expand_as(inputs).clone()
