"""The words of a benchmark's command line that say which seeds it runs."""

import argparse
import logging
import warnings


def words_of_seeds(seeds: int) -> argparse.ArgumentParser:
    """`[--seeds N] [--first SEED]`, N = `seeds` by default; what follows is quiet."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=seeds)
    words.add_argument("--first", type=int, default=0)
    return words


def seeds_of(given: argparse.Namespace) -> range:
    """The seeds that were asked for.

    >>> seeds_of(argparse.Namespace(seeds=3, first=5))
    range(5, 8)
    """
    return range(given.first, given.first + given.seeds)
