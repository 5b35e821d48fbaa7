"""Image networks in plain torch, one architecture a file; usable without Lightning."""

from tasks.vision.networks.densenet import DenseNet
from tasks.vision.networks.lenet import LeNet5
from tasks.vision.networks.nonlocal_resnet import NonLocalBlock, NonLocalResNet
from tasks.vision.networks.plain import PlainCNN
from tasks.vision.networks.resnet import ResNet
from tasks.vision.networks.squeezenet import SqueezeNet

__all__ = ["DenseNet", "LeNet5", "NonLocalBlock", "NonLocalResNet", "PlainCNN", "ResNet", "SqueezeNet"]
