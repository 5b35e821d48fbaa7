"""One progress bar for the whole fit: Lightning's own starts a new line every epoch and costs a millisecond a step."""

import sys
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm.auto import tqdm


class FitProgress(ProgressBar):
    """Steps done of all steps, the mean training loss since the last flush, and the last validation figures."""

    def __init__(self):
        super().__init__()
        self._bar: tqdm | None = None
        self._enabled = True

    def disable(self) -> None:
        """Show nothing (ranks other than the first)."""
        self._enabled = False

    def enable(self) -> None:
        """Show the bar."""
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar at the batch that comes next, which is not the first in a resumed run."""
        batches, epochs, steps = trainer.num_training_batches, trainer.max_epochs, trainer.max_steps
        total = batches * epochs if epochs and epochs > 0 and batches != float("inf") else None
        if steps > 0 and trainer.accumulate_grad_batches == 1:
            total = min(total, steps) if total else steps
        done = trainer.fit_loop.total_batch_idx + 1
        # Written to a file or a pipe, a bar is only noise: it is shown on a terminal.
        hidden = not self._enabled or not sys.stderr.isatty()
        self._bar = tqdm(total=total, initial=done, unit="batch", dynamic_ncols=True, mininterval=0.2, disable=hidden)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Count one batch."""
        self._bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the figures of the epoch."""
        figures = {name: f"{float(value):.4g}" for name, value in trainer.callback_metrics.items()}
        loss = getattr(pl_module, "recent_loss", None)
        shown = {"epoch": trainer.current_epoch + 1, **({"loss": f"{loss:.4g}"} if loss is not None else {}), **figures}
        self._bar.set_postfix(shown, refresh=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar, leaving its last state on the screen."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the bar, so that the error starts on a line of its own."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
