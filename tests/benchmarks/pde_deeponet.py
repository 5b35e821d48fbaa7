"""DeepONet recipes beside DeepXDE: relative l2 error on the same test functions, and CPU seconds of the fit.

python tests/benchmarks/pde_deeponet.py [CASE ...]

DeepXDE has the nets, learning rates and losses of its own examples (antiderivative_aligned, antiderivative_unaligned,
diff_rec_aligned_pideeponet), float32, and our data; it may take PEER_SECONDS of CPU time or its examples' steps,
whichever come first, and is judged at the end of them. That is more time than ours take.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report

PEER_SECONDS = 30.0
UNALIGNED = [
    "--data.own_points=true",
    "--data.functions=10000",
    "--data.points=1",
    "--trainer.max_epochs=1",
    "--data.steps_per_epoch=1",
]
REACTION = ["--model.problem.reaction=-0.01", "--data.problem.reaction=-0.01"]  # the sign of DeepXDE's example
# case -> (recipe, its overrides)
CASES = {
    "antiderivative_aligned": ("deeponet_antiderivative", []),
    "antiderivative_unaligned": ("deeponet_antiderivative", UNALIGNED),
    "reaction_diffusion": ("deeponet_reaction_diffusion", REACTION),
    "reaction_diffusion_physics": ("deeponet_physics", REACTION),
}


def ours(recipe: str, overrides: list[str], seed: int, folder: str) -> tuple[float, float]:
    """(relative l2 error, CPU seconds) of one `zoo fit`."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["fit", f"pde/{recipe}", "--root", folder, "--seed_everything", str(seed), *overrides]
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    newest = max((Path(folder) / "pde" / recipe).iterdir(), key=lambda path: int(path.name))
    metrics = json.loads((newest / "metrics.json").read_text())
    return metrics["test/relative_l2"], metrics["fit_cpu_seconds"]


def data_of(case: str, seed: int):
    """The recipe's data module, set up."""
    from zoo.cli.recipes import find_recipe
    from zoo.training.config_cli import make
    from zoo.training.configuration import pairs, read_yaml

    recipe, overrides = CASES[case]
    words = [*overrides, "--seed_everything", str(seed)]
    data = make(read_yaml(find_recipe(f"pde/{recipe}").path), pairs(words)).data
    data.setup()
    return data


def peer(case: str, seed: int) -> dict[str, float]:
    """DeepXDE on one case, in this process."""
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde
    import torch

    torch.set_default_device("cpu")
    torch.set_num_threads(1)
    dde.config.set_random_seed(seed)
    ours_data = data_of(case, seed)
    if case == "reaction_diffusion_physics":
        data, net, rate, steps = peer_physics(dde)
    else:
        data, net, rate, steps = peer_data(dde, ours_data.batch("train"), case)
    model = dde.Model(data, net)
    model.compile("adam", lr=rate, verbose=0)
    started = time.process_time()

    class Stop(dde.callbacks.Callback):
        def on_epoch_end(self):
            self.model.stop_training = time.process_time() - started > PEER_SECONDS

    _, state = model.train(iterations=steps, callbacks=[Stop()], display_every=10**9, verbose=0)
    seconds = time.process_time() - started
    return {"error": peer_error(model, ours_data, case), "seconds": seconds, "steps": state.step}


def peer_data(dde, batch, case: str):
    """Data, net, learning rate and steps of the examples that learn from solutions."""
    as32 = [part.numpy().astype("float32") for part in (batch.sensors_BM, batch.points, batch.solution_BQ)]
    sensors, points, solution = as32
    if case == "antiderivative_unaligned":
        inputs, solution = (sensors, points[:, 0]), solution
        data = dde.data.Triple(inputs, solution, (sensors[:9], points[:9, 0]), solution[:9])
        return data, dde.nn.DeepONet([100, 40, 40], [1, 40, 40], "relu", "Glorot normal"), 1e-3, 10000
    data = dde.data.TripleCartesianProd((sensors, points), solution, (sensors[:9], points), solution[:9])
    if case == "antiderivative_aligned":
        return data, dde.nn.DeepONetCartesianProd([100, 40, 40], [1, 40, 40], "relu", "Glorot normal"), 1e-3, 10000
    sizes = [100, 128, 128, 128], [2, 128, 128, 128]
    return data, dde.nn.DeepONetCartesianProd(*sizes, "tanh", "Glorot normal"), 1e-3, 10000


def peer_physics(dde):
    """The same of diff_rec_aligned_pideeponet."""
    import numpy as np

    def equation(x, y, v):
        return dde.grad.jacobian(y, x, j=1) - 0.01 * dde.grad.hessian(y, x, j=0) + 0.01 * y**2 - v

    geometry = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1))
    ends = dde.icbc.DirichletBC(geometry, lambda _: 0, lambda _, on: on)
    start = dde.icbc.IC(geometry, lambda _: 0, lambda _, on: on)
    points = dde.data.TimePDE(
        geometry, equation, [ends, start], num_domain=200, num_boundary=40, num_initial=20, num_test=500
    )
    field, sensors = dde.data.GRF(length_scale=0.2), np.linspace(0, 1, 50)[:, None]
    data = dde.data.PDEOperatorCartesianProd(points, field, sensors, 1000, [0], num_test=100, batch_size=50)
    net = dde.nn.DeepONetCartesianProd([50, 128, 128, 128], [2, 128, 128, 128], "tanh", "Glorot normal")
    return data, net, 5e-4, 20000


def peer_error(model, data, case: str) -> float:
    """Mean over our test functions of the relative l2 error on our grid."""
    import numpy as np
    import torch

    batch = data.batch("test")
    sensors, points = batch.sensors_BM.numpy().astype("float32"), batch.points.numpy().astype("float32")
    if case == "reaction_diffusion_physics":  # 50 sensors, and x before t
        inputs = data.inputs("test").at(torch.linspace(0, 1, 50, dtype=torch.float64)).numpy().astype("float32")
        found = model.predict((inputs, points[:, ::-1].copy()))
    elif case == "antiderivative_unaligned":
        found = np.concatenate([model.predict((np.repeat(u[None], len(points), 0), points)).T for u in sensors])
    else:
        found = model.predict((sensors, points))
    expected = batch.solution_BQ.numpy()
    found = found.reshape(expected.shape)
    return float((np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)).mean())


def main(cases: list[str], seeds: int = 3) -> None:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        for case in cases or list(CASES):
            recipe, overrides = CASES[case]
            errors, seconds = zip(*(ours(recipe, overrides, seed, folder) for seed in range(seeds)), strict=True)
            words = [sys.executable, str(Path(__file__)), "--peer", case]
            theirs = json.loads(
                subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\n")[-2]
            )
            note = (
                f"seeds 0-{seeds - 1}, {min(seconds):.1f} to {max(seconds):.1f} CPU s; DeepXDE {theirs['error']:.1e} in "
                f"{theirs['seconds']:.0f} CPU s, {theirs['steps']} steps, seed 0"
            )
            met = max(errors) < theirs["error"] and max(seconds) <= theirs["seconds"]
            report(f"pde/deeponet {case}, relative l2", "below DeepXDE's", list(errors), met, "", note, 14)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        print("\n" + json.dumps(peer(sys.argv[2], 0)))
    else:
        main(sys.argv[1:])
