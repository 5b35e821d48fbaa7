"""How image attributions are drawn: overlays, faithfulness against chance, and the randomisation check.

Legend: N = images shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tasks.vision.data import ImageData
from zoo.attribution import (
    Score,
    against_random,
    completeness_gap,
    grad_cam,
    input_x_gradient,
    integrated_gradients,
    occlusion,
    randomisation_check,
    saliency,
    smoothgrad,
)
from zoo.errors import InputError
from zoo.reports import Figure, Section, bar_chart, confusion_matrix, image_grid, line_chart, overlay
from zoo.reports.images import rgb

if TYPE_CHECKING:
    from tasks.vision.task import ImageClassification

Method = Callable[[Score, Tensor], Tensor]

BEATEN = "Share of 20 random orders that a map beats"
METHODS = ("saliency", "input_x_gradient", "smoothgrad", "integrated_gradients", "grad_cam", "occlusion")


@dataclass(frozen=True)
class Judged:
    """A split as the net sees it: inputs, labels, class probabilities."""

    images_NCHW: Tensor
    labels_N: Tensor
    probabilities_NC: Tensor

    def take(self, chosen: Tensor) -> "Judged":
        """The chosen examples."""
        return Judged(self.images_NCHW[chosen], self.labels_N[chosen], self.probabilities_NC[chosen])


@torch.no_grad()
def judged(task: "ImageClassification", data: ImageData, split: str = "test") -> Judged:
    """Every example of a split with its probabilities, the net in eval mode."""
    was_training = task.net.training
    task.net.eval()
    dtype = next(task.net.parameters()).dtype
    batches = ((batch[0].to(dtype), batch[1]) for batch in data.loader(split))
    parts = [(*batch, task.predict_step(batch, 0)["probabilities"]) for batch in batches]
    task.net.train(was_training)
    return Judged(*(torch.cat(column) for column in zip(*parts, strict=True)))


def classification_sections(task: "ImageClassification", data: ImageData) -> list[Section]:
    """The confusion matrix, the worst mistakes, and what a few answers rest on."""
    seen = judged(task, data)
    predicted_N = seen.probabilities_NC.argmax(1)
    counts = torch.zeros(data.num_classes, data.num_classes, dtype=torch.int64)
    counts.index_put_((seen.labels_N, predicted_N), torch.ones_like(predicted_N), accumulate=True)
    wrong = int((predicted_N != seen.labels_N).sum())
    matrix = confusion_matrix(counts.numpy(), data.class_names)
    lead = f"Rows are what the test images show, columns what the net says: {wrong} of {len(predicted_N)} are wrong."
    sections = [Section("Confusion matrix", lead, [matrix])]
    worst = chosen_examples(seen, "misclassified", 8)
    if len(worst.labels_N):
        lead = "The test images whose true class gets the lowest probability, and what speaks for the answer in them."
        sections.append(Section("Worst mistakes", lead, [overlays(task, data, worst, ("integrated_gradients",))]))
    shown = chosen_examples(seen, "each", 10)
    lead = (
        "What the score of the predicted class rests on in the first test image of each class, by integrated "
        "gradients from a black image: red speaks for the class, blue against. `zoo explain` shows more methods."
    )
    sections.append(Section("What the answers rest on", lead, [overlays(task, data, shown, ("integrated_gradients",))]))
    return sections


def chosen_examples(seen: Judged, choose: str, count: int) -> Judged:
    """Examples to look at.

    Args:
        seen: all of them.
        choose: "each" (the first of every class), "misclassified" (lowest probability of the true class first), or
            indices such as "3,17".
        count: how many at most.

    Raises:
        InputError: another word, or an index beyond the split.
    """
    if choose == "each":
        firsts = [(seen.labels_N == c).nonzero()[:1, 0] for c in range(seen.probabilities_NC.shape[1])]
        return seen.take(torch.cat(firsts)[:count])
    if choose == "misclassified":
        of_truth = seen.probabilities_NC.gather(1, seen.labels_N[:, None])[:, 0]
        wrong = (seen.probabilities_NC.argmax(1) != seen.labels_N).nonzero()[:, 0]
        return seen.take(wrong[of_truth[wrong].argsort()][:count])
    words = choose.split(",")
    if not all(word.strip().isdigit() and int(word) < len(seen.labels_N) for word in words):
        raise InputError(
            f"--choose: expected each, misclassified, or indices below {len(seen.labels_N)}, got {choose!r}; mend it"
        )
    return seen.take(torch.tensor([int(word) for word in words][:count]))


def score_of_prediction(task: "ImageClassification", shown: Judged) -> Score:
    """The logit of the class that the net predicts for each image."""
    return task.attribution_target((shown.images_NCHW, shown.probabilities_NC.argmax(1)))[1]


def black_image(data: ImageData, shown: Judged) -> Tensor:
    """The baseline [1, C, H, W] of the methods that need one."""
    return data.normalised(torch.zeros_like(shown.images_NCHW[:1])).to(shown.images_NCHW.dtype)


def convolutions_of(net: nn.Module) -> list[nn.Conv2d]:
    """Its two-dimensional convolutions, in the order of registration."""
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


def methods_of(net: nn.Module, names: tuple[str, ...], baseline: Tensor, steps: int = 50) -> dict[str, Method]:
    """Name -> (score, inputs) -> map, with the baseline and layer that fit images.

    Raises:
        InputError: an unknown name.
    """
    convolutions = convolutions_of(net)
    known: dict[str, Method] = {
        "saliency": saliency,
        "input_x_gradient": input_x_gradient,
        "smoothgrad": smoothgrad,
        "integrated_gradients": lambda score, x: integrated_gradients(score, x, baseline, steps),
        "grad_cam": lambda score, x: grad_cam(score, x, convolutions[-1]),
        "occlusion": lambda score, x: occlusion(
            score, x, max(2, x.shape[2] // 5), 1 if x.shape[2] < 16 else 2, baseline
        ),
    }
    for name in names:
        if name not in known:
            raise InputError(f"--methods: expected some of {', '.join(known)}, got {name!r}; mend the list")
    if "grad_cam" in names and not convolutions:
        raise InputError("--methods: expected a net with a convolution for grad_cam, got none; leave grad_cam out")
    return {name: known[name] for name in names}


def overlays(
    task: "ImageClassification", data: ImageData, shown: Judged, names: tuple[str, ...], steps: int = 50
) -> Figure:
    """One row an image: the image with its answer, then the overlay of every method."""
    score, was_training = score_of_prediction(task, shown), task.net.training
    task.net.eval()
    try:
        baseline = black_image(data, shown)
        maps = {n: f(score, shown.images_NCHW) for n, f in methods_of(task.net, names, baseline, steps).items()}
    finally:
        task.net.train(was_training)
    pixels = data.pixels(shown.images_NCHW.float()).numpy()
    predicted_N = shown.probabilities_NC.argmax(1)
    cells = []
    for i in range(len(pixels)):
        truth, said = data.class_names[shown.labels_N[i]], data.class_names[predicted_N[i]]
        share = f"{100 * float(shown.probabilities_NC[i, predicted_N[i]]):.1f} %"
        text = f"{said}, {share}" if truth == said else f"{truth} taken for {said}, {share}"
        cells.append([(rgb(pixels[i]), text)])
        for name, found in maps.items():
            signed = name in ("input_x_gradient", "integrated_gradients", "occlusion")
            cells[-1].append((overlay(pixels[i], found[i].sum(0).float().numpy(), signed), name.replace("_", " ")))
    if len(names) == 1:  # pairs side by side fill a row of the page
        per_row = 4
        cells = [[pair for row in cells[i : i + per_row] for pair in row] for i in range(0, len(cells), per_row)]
    return image_grid(cells, side=84)


def explain_sections(
    task: "ImageClassification",
    data: ImageData,
    names: tuple[str, ...] | None = None,
    choose: str = "each",
    count: int = 10,
    steps: int = 50,
) -> list[Section]:
    """Maps of every method, their faithfulness against chance, completeness and the randomisation check."""
    if names is None:
        names = tuple(name for name in METHODS if name != "grad_cam" or convolutions_of(task.net))
    shown = chosen_examples(judged(task, data), choose, count)
    if not len(shown.labels_N):
        raise InputError("--choose: expected examples, got none; no test image is misclassified")
    lead = "Red speaks for the predicted class, blue against; unsigned methods use one scale from dark to bright."
    sections = [Section("Maps", lead, [overlays(task, data, shown, names, steps)])]
    return [
        *sections,
        faithfulness_section(task, data, shown, names, steps),
        randomisation_section(task, data, shown, steps),
    ]


def faithfulness_section(
    task: "ImageClassification", data: ImageData, shown: Judged, names: tuple[str, ...], steps: int
) -> Section:
    """Deletion and insertion of every method against random orders, and the completeness gap."""
    task.net.eval()
    score = score_of_prediction(task, shown)
    baseline = black_image(data, shown)
    maps = {n: f(score, shown.images_NCHW) for n, f in methods_of(task.net, names, baseline, steps).items()}
    compared = against_random(score, shown.images_NCHW, maps, baseline)
    beaten = {name: one.better_than_random() for name, one in compared.items()}
    figures = [
        bar_chart({n: b["deletion"] for n, b in beaten.items()}, caption=f"{BEATEN} when positions are deleted"),
        bar_chart({n: b["insertion"] for n, b in beaten.items()}, caption=f"{BEATEN} when positions are inserted"),
    ]
    data_rows = {name: {field: value.tolist() for field, value in vars(one).items()} for name, one in compared.items()}
    lead = (
        "The score should fall fast when the positions that a map calls important are blackened, and rise fast when "
        "only they are shown. 1 is always faster than chance, 0.5 is chance: below it a map means nothing here."
    )
    if "integrated_gradients" in maps:
        gap = completeness_gap(score, shown.images_NCHW, maps["integrated_gradients"], baseline).abs()
        data_rows["integrated_gradients"]["completeness_gap"] = gap.tolist()
        worst = float(gap.max())
        lead += (
            f" Integrated gradients add up to the change of the score within {worst:.2g} (largest completeness gap)."
        )
    return Section("Do the maps mean anything?", lead, figures, data_rows)


def randomisation_section(task: "ImageClassification", data: ImageData, shown: Judged, steps: int) -> Section:
    """Rank correlation of saliency and integrated gradients with those of a net with shuffled weights."""
    task.net.eval()
    labels = shown.probabilities_NC.argmax(1)
    baseline = black_image(data, shown)

    def maps_of(method: Method) -> Callable[[nn.Module], Tensor]:
        def of_net(net: nn.Module) -> Tensor:
            def score(images: Tensor) -> Tensor:
                return net(images).gather(1, labels.repeat(len(images) // len(labels))[:, None])[:, 0]

            return method(score, shown.images_NCHW)

        return of_net

    found = {
        name: randomisation_check(task.net, maps_of(method))
        for name, method in methods_of(task.net, ("saliency", "integrated_gradients"), baseline, min(steps, 20)).items()
    }
    lines = {name: (np.arange(1, len(c) + 1), np.array(list(c.values()))) for name, c in found.items()}
    lead = (
        "Weights are shuffled layer by layer from the output down. A map that explains this net must lose its "
        "likeness to the original (rank correlation of absolute values towards 0); one that stays shows the image only."
    )
    chart = line_chart(lines, x_label="layers shuffled", y_label="rank correlation")
    return Section("Randomisation check", lead, [chart], {name: dict(c) for name, c in found.items()})
