"""Data in memory, checked and identified; files fetched whole."""

from zoo.data.checks import check_finite, check_images, check_labels, content_hash
from zoo.data.fetch import fetch
from zoo.data.seeded_order import SeededOrder, permutation
from zoo.data.tensor_loader import TensorLoader

__all__ = [
    "SeededOrder",
    "TensorLoader",
    "check_finite",
    "check_images",
    "check_labels",
    "content_hash",
    "fetch",
    "permutation",
]
