"""CIFAR-10 (Krizhevsky 2009) -> data/cifar10/images.pt."""

from torchvision.datasets import CIFAR10

from tasks.vision.archives import cifar_images, published_cifar
from zoo.data.script import DataScript

SCRIPT = DataScript(
    name="cifar10",
    about="CIFAR-10: 50,000 + 10,000 photographs, 32x32 colour, 10 classes; free for research; 170 MB to fetch.",
    files=published_cifar(CIFAR10),
    convert=lambda folder: cifar_images(folder, CIFAR10),
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
