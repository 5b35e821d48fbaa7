"""The examples in the docstrings say what the code does."""

import doctest
import importlib
import pkgutil

import pytest

import tasks.rl

MODULES = [module.name for module in pkgutil.walk_packages(tasks.rl.__path__, "tasks.rl.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
