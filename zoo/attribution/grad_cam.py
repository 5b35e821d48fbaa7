"""Grad-CAM: where a convolutional layer's maps speak for the score. Selvaraju et al. (2017), by captum."""

from torch import Tensor, nn

from zoo.attribution.gradients import Score, checked_score, leaf_of, reading, without_cudnn_where_needed
from zoo.errors import InputError

ENLARGED = {3: "linear", 4: "bilinear", 5: "trilinear"}  # by the rank of the maps


@reading
def grad_cam(score: Score, inputs: Tensor, layer: nn.Module, positive: bool = True) -> Tensor:
    """ReLU(sum_c mean_HW(d score / d A_c) A_c), enlarged to the inputs and repeated over their channels.

    Args:
        score: inputs [N, C, H, W] -> [N]; it must call `layer`.
        inputs: [N, C, H, W], or with one or three dimensions behind the channels.
        layer: whose output A [N, channels, h, w] is weighed.
        positive: keep only what speaks for the score, as in the paper.

    Raises:
        InputError: the score does not reach the layer, or its output is no map.
    """
    from captum.attr import LayerAttribution, LayerGradCam  # a second of imports that only this method needs

    cam = LayerGradCam(lambda x: checked_score(score, x), layer)
    try:
        maps = without_cudnn_where_needed(lambda: cam.attribute(leaf_of(inputs), relu_attributions=positive))
    except AssertionError as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"grad_cam.layer: expected a layer that the score calls, got {reason}; choose another"
        ) from error
    if not isinstance(maps, Tensor) or maps.dim() != inputs.dim() or maps.dim() not in ENLARGED:
        kind = type(layer).__name__
        raise InputError(
            f"grad_cam.layer: expected output of rank {inputs.dim()} like the inputs', got a {kind}; take a convolution"
        )
    large = LayerAttribution.interpolate(maps.detach(), tuple(inputs.shape[2:]), ENLARGED[maps.dim()])
    return large.expand_as(inputs).clone()
