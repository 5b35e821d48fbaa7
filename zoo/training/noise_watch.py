"""Noise of a sampled step's gradient and norms of its examples' gradients, read while the step runs as ever.

Legend: K = shares of a step's gradient (micro-batches times ranks, or examples), B = examples of a micro-batch.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from zoo.optim.sparse import touched
from zoo.probes.example_norms import whole_norms
from zoo.probes.example_shares import ExampleShares, watch_examples
from zoo.probes.local_gradients import LocalGradients
from zoo.probes.noise_scale import noise_of_shares
from zoo.probes.outliers import outliers
from zoo.training.evaluation import batch_size
from zoo.training.shares_check import refuse_untrue_shares
from zoo.training.step import LossTerms

LayerReading = tuple[str, str, Tensor]  # layer, quantity, value
NAMED = 3  # outlying examples that a step names at most


class NoiseWatch:
    """Shares of one sampled step after the other.

    Args:
        net: what is trained.
        examples: read every example's gradient; otherwise micro-batches and ranks, where there are several.
    """

    def __init__(self, net: nn.Module, examples: bool):
        self._net, self._by_example = net, examples
        self.parts = 1  # micro-batches times ranks of a step, told before the fit
        self.indices_of: Callable[[Any], Tensor | None] = lambda batch: None  # which examples a batch holds
        self._checked = False  # whether shares are known to be what they should
        self._forget()

    def _forget(self) -> None:
        self._local: LocalGradients | None = None
        self._examples: list[tuple[ExampleShares, Tensor | None]] = []
        self._micro_batches, self._size = 0, 0
        self._batch: Any = None

    @contextmanager
    def watching(self, batch: Any) -> Iterator[None]:
        """Read the forward of one micro-batch inside, and the backward that follows."""
        if not self._by_example and self.parts < 2:
            yield
            return
        self._micro_batches += 1
        self._size += batch_size(batch)
        with ExitStack() as stack:
            if self._by_example:
                self._batch = batch
                shares = ExampleShares(self._net)
                shares.begin(batch_size(batch))
                self._examples.append((shares, self.indices_of(batch)))
                stack.enter_context(watch_examples(self._net, shares))
            elif self._local is None:
                self._local = LocalGradients(dict(self._net.named_parameters()))
            yield

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Forwards and backwards inside are not the loss's own."""
        watchers = [one for one in (self._local, *(shares for shares, _ in self._examples)) if one is not None]
        for one in watchers:
            one.paused = True
        try:
            yield
        finally:
            for one in watchers:
                one.paused = False

    def readings(
        self,
        gradients: dict[str, Tensor],
        loss: LossTerms,
        reduce_mean: Callable[[Tensor], Tensor],
        ranks: int,
        loss_scale: float,
    ) -> list[LayerReading]:
        """What the step that has just been read says; its hooks are gone afterwards.

        Args:
            gradients: of the step, reduced over the ranks, unscaled, before clipping.
            loss: (net, batch) -> terms.
            reduce_mean: mean of a tensor over the ranks.
            ranks: how many there are; each averages its own gradient with the others'.
            loss_scale: the factor by which the backward was scaled.
        """
        if not self._micro_batches:
            return []
        if self._by_example and not self._checked:
            refuse_untrue_shares(self._net, loss, self._batch, batch_size(self._batch))
            self._checked = True
        found = self._noise(gradients, lambda tensor: reduce_mean(tensor) * ranks, ranks, loss_scale)
        if self._examples:
            found += self._example_norms(self._size / loss_scale)
        self.stop()
        return found

    def stop(self) -> None:
        """Forget what was read of a step, hooks included."""
        if self._local is not None:
            self._local.remove()
        self._forget()

    def _noise(
        self, gradients: dict[str, Tensor], reduce_sum: Callable[[Tensor], Tensor], ranks: int, loss_scale: float
    ) -> list[LayerReading]:
        wholes = torch.stack(torch._foreach_norm([touched(g) for g in gradients.values()])).square()
        squares = self._squares(set(gradients))
        zero = wholes.new_zeros(())
        here = [
            *(squares.get(name, zero).to(zero) for name in gradients),
            zero + self._size,
            zero + self._micro_batches,
        ]
        *parts, examples, micro_batches = reduce_sum(torch.stack(here)).unbind()
        shares = int(examples if self._by_example else micro_batches)
        if shares < 2:
            return []
        parts = torch.stack(parts) / (ranks * loss_scale) ** 2
        sums = [torch.cat([one, one.sum(0, keepdim=True)]) for one in (parts, wholes)]
        noise = noise_of_shares(*sums, shares)
        names = [*gradients, ""]
        return [
            ("", "batch_examples", examples),
            *((name, "gradient_signal", value) for name, value in zip(names, noise.signal.unbind(), strict=True)),
            *((name, "gradient_noise", value) for name, value in zip(names, noise.noise.unbind(), strict=True)),
        ]

    def _squares(self, used: set[str]) -> dict[str, Tensor]:
        if not self._by_example:
            return self._local.squares
        sums: dict[str, Tensor] = {}
        for shares, _ in self._examples:
            for name, square_B in shares.close(used).items():
                sums[name] = sums.get(name, 0) + square_B.sum()
        return sums

    def _example_norms(self, factor: float) -> list[LayerReading]:
        norms_B = torch.cat([whole_norms({n: s.sqrt() for n, s in one.squares.items()}) for one, _ in self._examples])
        norms_B = factor * norms_B
        found = [
            ("", "example_gradient_norm/median", norms_B.quantile(0.5)),
            ("", "example_gradient_norm/largest", norms_B.max()),
        ]
        indices = [index for _, index in self._examples if index is not None]
        if len(indices) == len(self._examples) and len(norms_B) > 3 and bool(norms_B.isfinite().all()):
            indices_B = torch.cat(indices).tolist()
            for place, score in outliers(norms_B)[:NAMED]:
                found.append((f"example {indices_B[place]}", "example_outlier_score", norms_B.new_tensor(score)))
        return found
