"""CIFAR-100 (Krizhevsky 2009) -> data/cifar100/images.pt."""

from torchvision.datasets import CIFAR100

from tasks.vision.archives import cifar_images, published_cifar
from zoo.data.script import DataScript

SCRIPT = DataScript(
    name="cifar100",
    about="CIFAR-100: 50,000 + 10,000 photographs, 32x32 colour, 100 classes; free for research; 169 MB to fetch.",
    files=published_cifar(CIFAR100),
    convert=lambda folder: cifar_images(folder, CIFAR100),
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
