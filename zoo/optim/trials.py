"""Trial steps of damped least squares with geodesic acceleration, whatever solves the damped system.

Transtrum and Sethna (2012). Legend: R = residuals, P = parameters.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor

from zoo.optim.flat import parameter_vector, write_vector


class Model(Protocol):
    """The objective about the present parameters, its residuals replaced by linear ones."""

    residuals_R: Tensor

    def velocity(self, damping: float) -> Tensor | None:
        """The damped Gauss-Newton step [P]; None where rounding does not allow one."""

    def solve(self, b_R: Tensor, damping: float) -> Tensor | None:
        """argmin |J x - b|^2 + damping x'Dx."""

    def image(self, delta_P: Tensor) -> Tensor:
        """J delta."""

    def predicted(self, delta_P: Tensor, image_R: Tensor) -> float:
        """By how much the model says a step lowers the objective."""

    def gain(self, move_P: Tensor, trial_R: Tensor) -> float:
        """By how much a move to other residuals lowers it in truth."""


def damped_step(
    closure: Callable[[], tuple[Tensor, Any]],
    model: Model,
    parameters: Sequence[Tensor],
    damping: float,
    options: dict[str, Any],
) -> tuple[float, dict[str, float]]:
    """Move the parameters; (damping for the next step, readings of this one).

    A step is taken when it lowers the objective and 2 |a/2| <= bend |delta|; otherwise the damping grows. Parameters
    are as before where none of the trials is taken.

    Args:
        closure: () -> (residuals [R], ...) at the parameters as they are.
        model: made at the parameters as they are.
        parameters: those that are moved.
        damping: of the first trial.
        options: "grow", "shrink", "accelerate", "bend" and "trials", as `LevenbergMarquardt` has them.
    """
    before_P = parameter_vector(parameters)
    readings = {"damping": damping, "gain_ratio": 0.0, "acceleration": 0.0, "trials": 0.0}
    for trial in range(options["trials"]):
        readings |= {"damping": damping, "trials": trial + 1.0}
        if _taken(closure, model, before_P, parameters, options, readings):
            damping *= _change(readings, options)
            break
        damping *= options["grow"]
    else:
        write_vector(before_P, parameters)
    return min(max(damping, 1e-20), 1e20), readings


def _taken(
    closure: Callable[[], tuple[Tensor, Any]],
    model: Model,
    before_P: Tensor,
    parameters: Sequence[Tensor],
    options: dict[str, Any],
    readings: dict[str, float],
) -> bool:
    """Move the parameters by one trial step; whether it may stay."""
    delta_P = model.velocity(readings["damping"])
    if delta_P is None:
        return False
    image_R, move_P = model.image(delta_P), delta_P
    if options["accelerate"]:
        # r'' along delta by a forward difference of the residuals minus their linear part; 0.1 is the authors' step.
        h = 0.1
        write_vector(before_P + h * delta_P, parameters)
        second_R = (2 / h) * ((closure()[0] - model.residuals_R) / h - image_R)
        bent_P = model.solve(-second_R, readings["damping"])
        readings["acceleration"] = float(bent_P.norm()) / max(float(delta_P.norm()), 1e-300)
        if not readings["acceleration"] <= options["bend"]:  # NaN is refused too
            return False
        move_P = delta_P + 0.5 * bent_P
    write_vector(before_P + move_P, parameters)
    gain = model.gain(move_P, closure()[0])
    readings["gain_ratio"] = gain / max(model.predicted(delta_P, image_R), 1e-300)
    return gain > 0


def _change(readings: dict[str, float], options: dict[str, Any]) -> float:
    """Factor of the damping after a step that was taken."""
    if readings["gain_ratio"] > 0.75 and readings["acceleration"] < 0.5 * options["bend"]:
        return options["shrink"]
    return options["grow"] if readings["gain_ratio"] < 0.25 else 1.0
