"""Ctrl-C while a checkpoint is written is Ctrl-C, and leaves the former checkpoint."""

import pytest
import torch

from zoo.data.stored import write_stored
from zoo.training.checkpoints import save_atomically


def broken_off(content, file):
    """torch.save as it ends when Ctrl-C comes between two blocks of an archive."""
    try:
        raise KeyboardInterrupt
    finally:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 86647296 vs 86647184")


@pytest.mark.parametrize("write", [save_atomically, lambda content, path: write_stored(path, content)])
def test_an_interrupt_comes_through_and_the_former_file_stays(tmp_path, monkeypatch, write):
    path = tmp_path / "last.ckpt"
    write({"x": torch.ones(3)}, path)
    former = path.read_bytes()
    monkeypatch.setattr(torch, "save", broken_off)
    with pytest.raises(KeyboardInterrupt):
        write({"x": torch.zeros(3)}, path)
    assert path.read_bytes() == former
    assert [one.name for one in tmp_path.iterdir()] == ["last.ckpt"]
