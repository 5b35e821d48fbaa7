"""MNIST (LeCun et al. 1998): 60,000 and 10,000 handwritten digits, 28x28.

python data_scripts/mnist.py [--to data] [--from DIR]
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from torchvision.datasets import MNIST

from data_scripts.idx_images import main

if __name__ == "__main__":
    sums = {file: f"md5:{md5}" for file, md5 in MNIST.resources}
    sys.exit(main("mnist", MNIST.mirrors[-1], sums, [str(digit) for digit in range(10)], sys.argv[1:]))
