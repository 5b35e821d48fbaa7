"""The same numbers read in every way of taking the same step: precision x accumulation x ranks x fused x manual."""

import json
import os
import subprocess
import sys
import warnings
from functools import partial
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.conftest import Regression
from zoo.data import TensorLoader
from zoo.probes.batch_gradients import gradient_noise
from zoo.training.monitor import MonitorOptions
from zoo.training.trainer import Trainer

PRECISIONS = {"32-true": 1e-5, "bf16-mixed": 1e-2}
EXAMPLES, STEPS = 64, 3
NOISE = {"gradient_signal", "gradient_noise", "batch_examples"}  # says how the step was cut, as it should
WAYS = [
    (precision, accumulate, fused, manual)
    for precision, accumulate, fused, manual in product(PRECISIONS, (1, 4), (False, True), (False, True))
    if not (manual and accumulate > 1)  # Lightning accumulates in automatic optimisation only
]


class Manual(Regression):
    """The same step by manual optimisation."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False


def made_data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(EXAMPLES, 6, generator=generator)
    return x, torch.stack([x[:, :3].sum(1), x[:, 3:].sin().sum(1)], 1)


def made_net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 32), nn.Tanh(), nn.LayerNorm(32), nn.Linear(32, 16), nn.ReLU(inplace=True), nn.Linear(16, 2)
    )


def readings(
    precision: str, accumulate: int, fused: bool, manual: bool, ranks: int = 1, examples: bool = False
) -> dict[str, float]:
    """Everything that is recorded of STEPS steps on the same 64 examples each."""
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    monitor = MonitorOptions(sample_every=1, examples=examples)
    task = (Manual if manual else Regression)(
        made_net(), partial(torch.optim.Adam, lr=1e-3, fused=fused), monitor=monitor
    )
    options = {"devices": ranks, "strategy": "ddp" if ranks > 1 else "auto"}
    trainer = Trainer(
        max_epochs=STEPS, accelerator="cpu", precision=precision, accumulate_grad_batches=accumulate, **options
    )
    trainer.fit(task, TensorLoader(made_data(), EXAMPLES // (accumulate * ranks)))
    record = task.monitor.record
    return {
        f"{quantity} {layer} {step}": value
        for quantity in record.quantities()
        for layer, one in record.series(quantity).items()
        for step, value in zip(one.steps.tolist(), one.values.tolist(), strict=True)
    }


def without_noise(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name.split()[0] not in NOISE}


def assert_same(found: dict[str, float], expected: dict[str, float], precision: str) -> None:
    found, expected = without_noise(found), without_noise(expected)
    assert found.keys() == expected.keys()
    tolerance = PRECISIONS[precision]
    for name, value in expected.items():
        absolute = tolerance if "cosine" in name or "fraction" in name else 1e-9
        assert found[name] == pytest.approx(value, rel=tolerance, abs=absolute), name


@pytest.fixture(scope="module")
def plain() -> dict[str, float]:
    return readings("32-true", 1, False, False)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)))
def test_one_process_reads_the_same(way, plain):
    assert len(plain) > 100
    assert_same(readings(*way), plain, way[0])


SCRIPT = """
import json, sys
from tests.zoo.training.test_reading_invariance import WAYS, readings
ways = [(*way, 2, False) for way in WAYS] + [("32-true", 2, False, False, 2, True)]
found = [readings(*way) for way in ways]
import torch
if torch.distributed.get_rank() == 0:
    open(sys.argv[1], "w").write(json.dumps(found))
"""


@pytest.fixture(scope="module")
def of_two_ranks(tmp_path_factory) -> list[dict[str, float]]:
    """Every way in two processes, and at last one with per-example readings."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "run.py").write_text(SCRIPT)
    root = str(Path(__file__).resolve().parents[3])
    environment = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "NODE_RANK")}
    environment |= {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, str(folder / "run.py"), str(folder / "found.json")]
    done = subprocess.run(arguments, cwd=root, env=environment, timeout=240, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "found.json").read_text())


@pytest.mark.slow
def test_two_processes_read_the_same(of_two_ranks, plain):
    for way, found in zip(WAYS, of_two_ranks, strict=False):
        assert_same(found, plain, way[0])


def gradients_of(batches) -> torch.Tensor:
    """[K, P], at the first step's weights."""
    net, task, rows = made_net(), Regression(made_net(), torch.optim.SGD), []
    for batch in batches:
        found = torch.autograd.grad(sum(task.loss(net, batch).values()), list(net.parameters()))
        rows.append(torch.cat([g.flatten() for g in found]))
    return torch.stack(rows)


@pytest.mark.slow
def test_noise_between_ranks_is_that_of_their_own_gradients(of_two_ranks):
    for (precision, accumulate, *_), found in zip(WAYS, of_two_ranks, strict=False):
        loaders = [TensorLoader(made_data(), EXAMPLES // (2 * accumulate), rank=(rank, 2)) for rank in range(2)]
        expected = gradient_noise(gradients_of([batch for loader in loaders for batch in loader]))
        tolerance = 1e-4 if precision == "32-true" else 0.05
        assert found["gradient_noise  0"] == pytest.approx(expected.noise.item(), rel=tolerance)
        assert found["gradient_signal  0"] == pytest.approx(expected.signal.item(), rel=tolerance)
        assert found["batch_examples  0"] == EXAMPLES


@pytest.mark.slow
def test_noise_between_the_examples_of_two_ranks(of_two_ranks):
    found = of_two_ranks[-1]
    rows = gradients_of(list(TensorLoader(made_data(), 1)))
    expected = gradient_noise(rows)
    assert found["gradient_noise  0"] == pytest.approx(expected.noise.item(), rel=1e-4)
    assert found["gradient_signal  0"] == pytest.approx(expected.signal.item(), rel=1e-4)
    of_rank_0 = rows.norm(dim=1)[::2]  # each rank reports the examples that it holds
    assert found["example_gradient_norm/largest  0"] == pytest.approx(of_rank_0.max().item(), rel=1e-4)
