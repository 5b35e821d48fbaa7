"""MNIST (LeCun, Cortes and Burges 1998) -> data/mnist/images.pt."""

from torchvision.datasets import MNIST

from tasks.vision.archives import idx_images, published_idx
from zoo.data.script import DataScript

SCRIPT = DataScript(
    name="mnist",
    about="MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey; CC BY-SA 3.0; 12 MB to fetch.",
    files=published_idx(MNIST),
    convert=lambda folder: idx_images(folder, [str(digit) for digit in range(10)]),
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
