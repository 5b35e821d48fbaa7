"""A recipe trained in this process, without a run folder: what a study measures."""

import json
import warnings

from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities.seed import isolate_rng

from zoo.training.config_cli import make
from zoo.training.configuration import Tree

SAME_DATA: dict[str, LightningDataModule] = {}  # the data of the cell before


def trained_figures(tree: Tree) -> dict[str, float]:
    """Figures on the test split of a recipe that is trained as `zoo fit` trains it; nothing is written.

    The data of the call before are taken again where they are described by the same lines, since loading them may
    take as long as the training of a small net.

    Raises:
        InputError: the configuration, or gradients that are not finite.
    """
    parts = make(tree, [])
    data = _set_up(json.dumps(tree.get("data"), sort_keys=True), parts.data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")  # see zoo.training.runs
        try:
            parts.trainer.fit(parts.task, datamodule=data)
            results = parts.trainer.test(parts.task, datamodule=data, verbose=False)
        except SystemExit as stop:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from stop
    return {name: float(value) for result in results for name, value in result.items()}


def _set_up(description: str, data: LightningDataModule) -> LightningDataModule:
    if description not in SAME_DATA:
        SAME_DATA.clear()
        with isolate_rng():  # figures must not depend on whether the data were there already
            data.setup("fit")
        SAME_DATA[description] = data
    return SAME_DATA[description]
