"""Image data sets; a batch is (images_NCHW float32 normalised, labels_N int64)."""

from tasks.vision.data.digits import Digits
from tasks.vision.data.image_data import ImageData, Split, as_floats
from tasks.vision.data.image_folder import ImageFolder
from tasks.vision.data.mnist_5k import MNIST5k
from tasks.vision.data.stored import CIFAR10, CIFAR100, MNIST, FashionMNIST, StoredImages

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "Digits",
    "FashionMNIST",
    "ImageData",
    "ImageFolder",
    "MNIST5k",
    "Split",
    "StoredImages",
    "as_floats",
]
