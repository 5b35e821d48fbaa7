"""Fashion-MNIST (Xiao et al. 2017, MIT licence): 60,000 and 10,000 grey images of clothes, 28x28.

python data_scripts/fashion_mnist.py [--to data] [--from DIR]
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from torchvision.datasets import FashionMNIST

from data_scripts.idx_images import main

NAMES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]

# SHA-256 of the unpacked files: Debian's package dataset-fashion-mnist holds the same bytes in other gzip wrappers.
CONTENTS = {
    "train-images-idx3-ubyte.gz": "sha256:c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "sha256:bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "sha256:5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "sha256:0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

if __name__ == "__main__":
    sums = {file: f"md5:{md5}" for file, md5 in FashionMNIST.resources}
    sys.exit(main("fashion_mnist", FashionMNIST.mirrors[0], sums, NAMES, sys.argv[1:], CONTENTS))
