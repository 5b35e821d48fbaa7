"""`zoo predict` on a user's sentences: answers are the net's, files are streamed, bad input is one line."""

import csv
import json
import re
import sys
import tracemalloc

import pytest
import yaml

from tasks.text.answer_files import LONGEST, answer_file
from tasks.text.answers import answer, in_words
from tasks.text.judged import answers_to
from tests.tasks.text.planted_words import trained
from zoo.cli.main import main
from zoo.errors import InputError

RECIPE = {
    "trainer": {"max_epochs": 2, "threads": 1, "enable_progress_bar": False},
    "model": {
        "class_path": "tasks.text.task.SentenceClassification",
        "init_args": {
            "net": {
                "class_path": "tasks.text.networks.SentenceCNN",
                "init_args": {"vocabulary_size": 80, "num_classes": 2, "embedding_size": 8, "feature_maps": 4},
            },
            "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}},
        },
    },
    "data": {"class_path": "tests.tasks.text.planted_words.PlantedWords", "init_args": {"vocabulary_size": 80}},
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    return tmp_path


def chances(texts: list[str]) -> list[list[float]]:
    task, data = trained()
    return answers_to(task.net, data.tokeniser, texts).probabilities_NC.tolist()


def answered(file, output, column=None) -> int:
    task, data = trained()
    return answer_file(task.net, data, file, column, output)


def test_a_terminal_without_colours_gets_marks_and_a_table():
    task, data = trained()
    (said,) = in_words(task.net, data, ["w1 w2 fine qzx"], colours=False)
    head, words, *rows = said.splitlines()
    assert re.match(r"good, \d+\.\d %   \(bad, \d+\.\d %\)", head)
    assert "[+++fine]" in words and words.endswith("qzx(?)") and words.startswith("w1")
    assert rows[0].split() == ["fine", re.search(r"\+\d.*", rows[0])[0]] and len(rows) == 4


def test_a_terminal_with_colours_shows_the_same_words_and_obeys_none_of_them():
    task, data = trained()
    (said,) = in_words(task.net, data, ["fine \x1b[31m w1"], colours=True)
    line = said.splitlines()[1]
    assert re.sub(r"\x1b\[[0-9;]*m", "", line) == "fine ␛[31m w1"
    assert line.startswith("\x1b[38;5;16;48;5;202mfine\x1b[0m")


def test_colours_are_for_terminals_that_want_them(monkeypatch, capsys):
    task, data = trained()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for value, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        answer(task.net, data, {"text": ["fine"]}, None)
        assert ("\x1b[" in capsys.readouterr().out) is coloured


def test_lines_of_a_file_are_answered_one_by_one(tmp_path):
    texts = ["fine w1", "", "w3 dull", "שלום 🙂"]
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(texts).encode())
    assert answered(tmp_path / "in.txt", tmp_path / "out.jsonl") == 4
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    for number, (row, (bad, good)) in enumerate(zip(rows, chances(texts), strict=True), 1):
        assert row["line"] == number and row["class"] == ("good" if good > bad else "bad")
        assert row["probabilities"] == pytest.approx({"bad": bad, "good": good}, abs=1e-6)
        assert row["probability"] == max(row["probabilities"].values())


@pytest.mark.parametrize(("name", "delimiter"), [("out.tsv", "\t"), ("out.csv", ",")])
def test_columns_of_tables_are_answered_into_tables(tmp_path, name, delimiter):
    (tmp_path / "in.csv").write_text('id,words\n1,"fine, w1\nw2"\n2,dull\n')
    assert answered(tmp_path / "in.csv", tmp_path / name, "words") == 2
    with (tmp_path / name).open(newline="") as file:
        head, *rows = csv.reader(file, delimiter=delimiter)
    assert head == ["line", "class", "probability", "bad", "good"]
    assert [row[:2] for row in rows] == [["2", "good"], ["4", "bad"]]
    assert float(rows[0][4]) == pytest.approx(chances(["fine, w1\nw2"])[0][1], abs=1e-6)


def test_a_large_file_needs_no_more_memory_than_a_small_one(tmp_path):
    peaks = []
    for sentences in (1_000, 6_000):
        file = tmp_path / f"{sentences}.txt"
        file.write_text("w1 w2 fine w3 w4 w5\n" * sentences)
        tracemalloc.start()
        assert answered(file, tmp_path / "out.jsonl") == sentences
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("name", "content", "column", "said"),
    [
        ("a.txt", b"fine\nw1 \xe9t\xe9\n", None, "expected UTF-8, got byte 0xe9 in line 2"),
        ("a.txt", b"fine\n" + b"w1 " * LONGEST, None, "in line 2, got more; cut it into lines"),
        ("a.txt", b"fine\n", "text", "--column: expected a .csv, .tsv or .jsonl file"),
        ("a.csv", b"id,words\n1,fine\n", None, "expected a column 'text', got only 'id', 'words'"),
        ("a.csv", b"text\nfine\n\xe9\n", None, "in line 3"),
        ("a.jsonl", b'{"text": "fine"}\n{"text": null}\n', None, "expected text in line 2, got None"),
        ("a.jsonl", b'{"text": "\\ud83d"}\n', None, "in line 1, got half a character"),
        ("a.jsonl", b'{"text": "fine"}\n{"text": \n', None, "expected JSON in line 2"),
        ("none.txt", None, None, "which does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_leaves_no_answers(tmp_path, name, content, column, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "out.jsonl").write_text("former")
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        answered(tmp_path / name, tmp_path / "out.jsonl", column)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "out.jsonl").read_text() == "former"
    assert len(list(tmp_path.iterdir())) == 1 + (content is not None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "expected --text or --file, got neither"),
        ({"text": ["a"], "file": "b"}, "expected --text or --file, got both"),
        ({"text": ["a"], "column": "b"}, "--column: expected together with --file"),
        ({"text": ["a"], "output": "b"}, "--output: expected together with --file"),
        ({"text": ["a \udce9"]}, "--text: expected UTF-8, got '\\udce9' at character 3"),
        ({"file": "a.txt", "output": "a.json"}, "--output: expected a file named .jsonl, .csv or .tsv"),
        ({"file": "a.csv", "output": "./a.csv"}, "--output: expected another file than --file"),
    ],
)
def test_options_that_do_not_fit_are_one_line(here, options, said):
    task, data = trained()
    with pytest.raises(InputError, match=re.escape(said)):
        answer(task.net, data, options, here)


def test_a_run_answers_from_its_checkpoint_alone(here, capsys, monkeypatch):
    (here / "planted.yaml").write_text(yaml.safe_dump(RECIPE))
    assert main(["fit", "planted.yaml"]) == 0
    run = next(here.rglob("report.html")).parent
    assert "What was read" in (run / "report.html").read_text()

    def gone(self):
        raise AssertionError("the set is not needed")

    monkeypatch.setattr("tests.tasks.text.planted_words.PlantedWords.load", gone)
    (here / "in.txt").write_text("fine w1\n")
    capsys.readouterr()
    assert main(["predict", str(run), "--text", "fine w1", "--text", "w2 dull"]) == 0
    assert len(re.findall(r"^(?:good|bad), ", capsys.readouterr().out, re.M)) == 2
    assert main(["predict", str(run), "--file", "in.txt"]) == 0
    assert "1 sentences: " in capsys.readouterr().out and (run / "predictions.jsonl").is_file()
    assert main(["explain", str(run), "--text", "fine w1 w2", "--methods", "gradient_x_input", "--output", "page"]) == 0
    assert 'class="words"' in (here / "page" / "explain.html").read_text()
    capsys.readouterr()
    for words, said in (
        (["predict", run, "--file", "in.txt", "--file", "in.txt"], "--file: expected once, got it twice"),
        (["predict", run, "--text"], "--text: expected a value, got none"),
        (["explain", run, "--at", "3"], "--at: expected an option of this task's"),
    ):
        assert main([str(word) for word in words]) == 2
        assert said in capsys.readouterr().err


def test_other_sentences_are_judged_with_the_tokeniser_of_the_run(here, capsys):
    learning = {"trainer": RECIPE["trainer"] | {"max_epochs": 8}, "model": RECIPE["model"], "data": RECIPE["data"]}
    (here / "planted.yaml").write_text(yaml.safe_dump(learning))
    assert main(["fit", "planted.yaml"]) == 0
    run = str(next(here.rglob("report.html")).parent)
    capsys.readouterr()
    # All but the planted words are unknown; with a tokeniser of its own, trained anew, their ids would be other words'.
    assert main(["test", run, "--data", "tests.tasks.text.planted_words.OtherSentences"]) == 0
    assert float(re.search(r"test/accuracy: ([0-9.]+)", capsys.readouterr().out)[1]) > 0.9
    assert main(["test", run, "--data", "tests.tasks.text.planted_words.OtherClasses"]) == 2
    assert "expected the classes of the checkpoint, bad, good, got poor, rich" in capsys.readouterr().err


def test_other_tasks_refuse_what_they_do_not_know(here, capsys):
    tiny = ["--trainer.max_epochs", "1", "--model.net.width", "2", "--data.augmentations", "null"]
    assert main(["fit", "vision/digits", *tiny]) == 0
    capsys.readouterr()
    for verb in ("predict", "explain"):
        assert main([verb, "vision/digits", "--text", "a"]) == 2
        assert "--text: expected an option of this task's" in capsys.readouterr().err
    assert not list(here.rglob("predictions*")) and not list(here.rglob("explain.html"))
