"""Files written in one move: whole, or as they were before."""

import pytest

from zoo.atomic import write_atomically, writing_atomically
from zoo.errors import InputError


def test_after_an_error_the_former_file_stands(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, "former é\n")
    with pytest.raises(KeyError), writing_atomically(path) as file:
        file.write("half")
        raise KeyError
    assert path.read_text(encoding="utf8") == "former é\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_nobody_sees_half_of_it(tmp_path):
    path = tmp_path / "a.txt"
    with writing_atomically(path) as file:
        file.write("half")
        file.flush()
        assert not path.exists()
        file.write(" and half")
    assert path.read_text() == "half and half"


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"expected to write .*none/a.txt"):
        write_atomically(tmp_path / "none" / "a.txt", "")
