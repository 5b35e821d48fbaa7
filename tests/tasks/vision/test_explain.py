"""The images' explanations: planted pixels are found, examples are chosen as asked, pages are built."""

import pytest
import torch
from torch import Tensor, nn

from tasks.vision.data import ImageData, Split
from tasks.vision.explain import METHODS, chosen_examples, explain_sections, judged, methods_of
from tasks.vision.task import ImageClassification
from zoo.errors import InputError


class Planted(ImageData):
    """Noise; class 1 has a bright square at rows 2-3, columns 5-6."""

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        self.class_names = ["noise", "square"]
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(200) % 2
        images = 0.3 * torch.rand(200, 1, 9, 9, generator=generator)
        images[labels == 1, :, 2:4, 5:7] += 0.7
        whole = Split(images, labels)
        return whole.part(0, 150), whole.part(150, 200)


def test_a_score_is_the_trained_nets_and_leaves_it_as_it_was():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 49, 2))
    task = ImageClassification(net, torch.optim.Adam)
    images = torch.rand(6, 1, 9, 9)
    inputs, score = task.attribution_target((images, torch.zeros(6, dtype=torch.int64)))
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    in_training = score(inputs)
    assert net.training and all(buffer.equal(before[name]) for name, buffer in net.named_buffers())
    task.eval()
    assert score(inputs).equal(in_training)


def test_a_net_without_convolutions_is_explained_without_grad_cam():
    data = Planted(batch_size=50, validation=0.0)
    data.setup()
    task = ImageClassification(nn.Sequential(nn.Flatten(), nn.Linear(81, 2)), torch.optim.Adam).eval()
    assert explain_sections(task, data, count=2, steps=4)
    with pytest.raises(InputError, match="leave grad_cam out"):
        explain_sections(task, data, names=("grad_cam",), count=2)


@pytest.fixture(scope="module")
def trained() -> tuple[ImageClassification, Planted]:
    """A small net that has learnt the square."""
    torch.manual_seed(0)
    data = Planted(batch_size=50, validation=0.0)
    data.setup()
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 81, 2))
    task = ImageClassification(net, torch.optim.Adam)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for epoch in range(12):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            optimizer.zero_grad()
            sum(task.loss(net, batch).values()).backward()
            optimizer.step()
    return task.eval(), data


def mass_on_the_square(found: Tensor) -> float:
    """Share of |map| on the planted pixels."""
    return float((found[:, :, 2:4, 5:7].abs().sum((1, 2, 3)) / found.abs().sum((1, 2, 3))).mean())


def test_the_net_has_learnt_the_square(trained):
    seen = judged(*trained)
    assert (seen.probabilities_NC.argmax(1) == seen.labels_N).all()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_finds_the_planted_pixels(trained, name):
    task, data = trained
    seen = judged(task, data)
    squares = seen.take(seen.labels_N == 1)
    score = task.attribution_target((squares.images_NCHW, squares.labels_N))[1]
    baseline = data.normalised(torch.full_like(squares.images_NCHW[:1], 0.15))
    found = methods_of(task.net, (name,), baseline)[name](score, squares.images_NCHW)
    chance = 4 / 81
    assert (
        mass_on_the_square(found) > (3 if name in ("grad_cam", "occlusion", "saliency", "smoothgrad") else 6) * chance
    )


def test_examples_are_chosen_as_asked(trained):
    seen = judged(*trained)
    assert chosen_examples(seen, "each", 10).labels_N.tolist() == [0, 1]
    assert len(chosen_examples(seen, "misclassified", 10).labels_N) == 0
    assert torch.equal(chosen_examples(seen, "3, 4", 10).images_NCHW, seen.images_NCHW[[3, 4]])
    for wrong in ("worst", "50", "-1"):
        with pytest.raises(InputError, match="--choose"):
            chosen_examples(seen, wrong, 3)


def test_the_page_has_its_checks_and_the_net_is_left_as_it_was(trained):
    task, data = trained
    before = {name: value.clone() for name, value in task.state_dict().items()}
    sections = explain_sections(task, data, ("saliency", "integrated_gradients"), "0,1,2,3", 4)
    assert [s.title for s in sections] == ["Maps", "Do the maps mean anything?", "Randomisation check"]
    faithful = sections[1].data["integrated_gradients"]
    assert len(faithful["completeness_gap"]) == 4
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    titles = [section.title for section in task.report_sections(data)]
    assert titles == ["Confusion matrix", "What the answers rest on"]  # no mistakes, so no worst ones
