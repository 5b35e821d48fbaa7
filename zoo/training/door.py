"""The one door: every optimiser step of every task passes here, with automatic and with manual optimisation.

Lightning calls `on_before_optimizer_step` in both modes, after unscaling, reduction over ranks and accumulation,
and before the step; `TaskModule` hands that call to `GradientDoor.pass_gradients`.
"""

from collections.abc import Callable, Iterator

from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.optim.clipping import ByGlobalNorm, Clipping
from zoo.optim.sparse import coalesced_parameters, touched, touched_rows
from zoo.probes.settings import Fact, optimizer_facts, parameter_facts
from zoo.training.monitor import GradientMonitor, gradient_norms


class GradientDoor:
    """gradients -> monitor (before clipping) -> clip -> monitor (clipped fraction) -> the optimiser's step.

    Args:
        net: the module whose parameters are trained; its names label the readings.
        monitor: takes the readings.
        clipping: rule that changes the gradients in place, or None.
    """

    def __init__(self, net: nn.Module, monitor: GradientMonitor, clipping: Clipping | None):
        self._monitor, self._clipping, self._net = monitor, clipping, net
        self._name_of = {id(parameter): name for name, parameter in net.named_parameters()}
        self._passed_step = -1

    def first_pass(self, step: int) -> bool:
        """Whether no gradient of `step` has passed yet. L-BFGS and SAM evaluate several times a step; the first
        evaluation is the gradient at the step's own parameters, the only one that is read."""
        return step != self._passed_step

    def pass_gradients(
        self, optimizer: Optimizer, optimizer_index: int, step: int, reduce_mean: Callable[[Tensor], Tensor]
    ) -> None:
        """Read and clip the gradients of the parameters that `optimizer` is about to change.

        Args:
            optimizer: its parameters with a gradient are taken, in their order.
            optimizer_index: tells several optimisers of one task apart.
            step: number of optimiser steps taken so far.
            reduce_mean: mean of a tensor over the ranks (identity without them).

        Of a sparse gradient (a table's, of which a batch touches a few rows) a rule sees the touched rows alone.

        Raises:
            InputError: a sparse gradient that the optimiser cannot use.
        """
        parameters = coalesced_parameters(optimizer)
        if not parameters:
            return
        gradients = [parameter.grad for parameter in parameters]
        first = self.first_pass(step)
        if first:
            names = tuple(self._name_of.get(id(parameter), "?") for parameter in parameters)
            rate = optimizer.param_groups[0]["lr"]
            reading = self._monitor.read_gradients(
                optimizer_index, step, names, gradients, parameters, rate, reduce_mean
            )
            self._passed_step = step
            if self._monitor.samples(step):
                self._monitor.add_facts(step, self._facts(step, optimizer, parameters, names))
        if self._clipping is not None:
            norms_K, total = (reading.norms_K, reading.total_norm) if first else gradient_norms(gradients)
            rows = [touched_rows(p, g) for p, g in zip(parameters, gradients, strict=True)]
            clipped = self._clipping([touched(g) for g in gradients], rows, norms_K, total, observe=first)
            if first:
                reading.clipped = clipped

    def _facts(
        self, step: int, optimizer: Optimizer, parameters: list[Tensor], names: tuple[str, ...]
    ) -> Iterator[Fact]:
        if step == 0:
            yield from parameter_facts(self._net)
        yield from optimizer_facts(optimizer, parameters, names)
        if isinstance(self._clipping, ByGlobalNorm):
            yield "", "clipping_limit", self._clipping.max_norm
