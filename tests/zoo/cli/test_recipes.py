"""Recipes are read as text, the project's and those of other packages."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from zoo.cli.main import main
from zoo.cli.recipes import all_recipes, find_recipe
from zoo.errors import InputError

TEXT = (
    "# What it is\n# command: zoo fit other/one\n# time: 3 s\n# expected: all right: 99 %\ntrainer: {}\n# kept\nx: 1\n"
)


@pytest.fixture
def others(tmp_path, monkeypatch):
    """Entry points of another package: a module beside recipes, one that is gone, and verbs."""
    package = tmp_path / "other_recipes"
    (package / "other").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('never imported')")
    (package / "other" / "one.yaml").write_text(TEXT)
    monkeypatch.syspath_prepend(tmp_path)
    points = {
        "zoo.recipes": [("a", "other_recipes"), ("b", "gone.away"), ("c", "nowhere")],
        "zoo.verbs": [("greet", "builtins:len"), ("list", "builtins:exit"), ("interrupted", f"{__name__}:interrupt")],
    }

    def entry_points(group):
        return [EntryPoint(name, value, group) for name, value in points[group]]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


def interrupt(arguments):
    raise KeyboardInterrupt


def test_recipes_of_other_packages_are_listed_without_importing_them(others, capsys):
    assert {"other/one", "vision/digits"} <= {recipe.name for recipe in all_recipes()}
    assert main(["list"]) == 0
    assert "What it is  [all right: 99 %]" in capsys.readouterr().out


def test_info_shows_the_header_and_the_body_with_its_comments(others, capsys):
    assert main(["info", "other/one"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "other/one: What it is\n  command: zoo fit other/one\n  time: 3 s\n  expected: all right: 99 %\n"
    )
    assert "trainer: {}\n# kept\nx: 1\n" in out and out.count("What it is") == 1


def test_every_recipe_of_the_project_has_a_whole_header():
    for recipe in all_recipes():
        assert recipe.title and {"command", "time", "expected"} <= set(recipe.header), recipe.name
        assert all(recipe.header.values()), recipe.name
        assert recipe.header["command"].startswith(f"zoo fit {recipe.name}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other/won", "did you mean other/one"),
        ("qqqqqq", "`zoo list` shows all"),
        ("none.yaml", "does not exist"),
        ("folder.yaml", "Is a directory"),
        ("bytes.yaml", "expected a YAML file in UTF-8"),
    ],
)
def test_what_is_no_recipe_is_one_line(others, tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    Path("folder.yaml").mkdir()
    Path("bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=said):
        find_recipe(name)


def test_a_path_is_named_after_its_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.yaml").write_text(TEXT)
    assert find_recipe(str(tmp_path / "mine" / "net.yaml")).name == "mine/net"


def test_verbs_of_other_packages(others, capsys):
    assert main(["greet", "a", "b"]) == 2  # len of the arguments
    assert main(["list"]) == 0  # none of them can take the place of ours
    assert main(["interrupted"]) == 130
    assert capsys.readouterr().err.strip() == "zoo: interrupted"


@pytest.mark.parametrize("verb", ["list", "info", "fit", "validate", "test", "predict", "explain", "doctor"])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_verb_has_help(capsys, verb, option):
    assert main([verb, option]) == 0
    assert capsys.readouterr().out.startswith(f"zoo {verb}")


def test_a_reader_that_goes_away_is_no_error():
    import subprocess
    import sys

    root = Path(__file__).resolve().parents[3]
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from zoo.cli.main import console; console()"
    words = [sys.executable, "-u", "-c", code, str(root), "info", "vision/digits"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) == 0


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["info", "vision/digits"]], ids=" ".join)
def test_light_verbs_take_little_time(arguments):
    import resource
    import subprocess
    import sys

    root = Path(__file__).resolve().parents[3]
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from zoo.cli.main import console; console()"
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code, str(root), *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) <= 0.15
