"""A user's own tables: what is read, how it is split, and one line for each fault."""

import json

import pytest

from tasks.text.data import TextFile
from zoo.cli.main import main
from zoo.data.table_rows import table_rows
from zoo.errors import InputError

CSV = 'id,text,label\n1,"a ""fine"" film, really",good\n2,"two\r\nlines",bad\n\n3, kept as it is ,good\n4,,bad\n'


def written(folder, name: str, content: str | bytes) -> str:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder / name)


def many(folder, name="many.jsonl", counts=(40, 20)) -> str:
    rows = [{"text": f"{label} {i}", "label": label} for label, count in enumerate(counts) for i in range(count)]
    return written(folder, name, "\n".join(map(json.dumps, rows)))


def texts_of(splits) -> dict[str, list[str]]:
    return {name: split.texts for name, split in splits.items()}


def test_csv_cells_come_back_exactly(tmp_path):
    path = written(tmp_path, "a.csv", "\ufeff" + CSV)
    data = TextFile(path, test_file=path, validation=0)
    splits = data.load()
    assert splits["train"].texts == ['a "fine" film, really', "two\r\nlines", " kept as it is ", ""]
    assert data.class_names == ["bad", "good"] and splits["train"].labels_N.tolist() == [1, 0, 1, 0]


def test_the_same_rows_from_all_three_formats(tmp_path):
    rows = [("naïve …", "1"), ('"quoted', "2"), ("\x85 and \u2028 are no ends of lines", "10")]
    paths = [
        written(tmp_path, "a.tsv", "label\ttext\n" + "".join(f"{label}\t{text}\n" for text, label in rows)),
        written(tmp_path, "a.jsonl", "".join(json.dumps({"label": int(y), "text": t}) + "\n" for t, y in rows)),
        written(tmp_path, "b.jsonl", "".join(json.dumps({"text": t, "label": float(y)}) + "\r\n\n" for t, y in rows)),
    ]
    for path in paths:
        data = TextFile(path, test_file=path, validation=0)
        train = data.load()["train"]
        assert train.texts == [text for text, _ in rows]
        assert data.class_names == ["1", "2", "10"] and train.labels_N.tolist() == [0, 1, 2]


def test_a_tsv_may_be_quoted_and_a_csv_unquoted(tmp_path):
    tsv = written(tmp_path, "a.tsv", 'text\tlabel\n"a\tb"\t1\n')
    assert list(table_rows(tmp_path / "a.tsv", ["text", "label"], quoted=True)) == [(2, ["a\tb", "1"])]
    with pytest.raises(InputError, match="expected 2 cells in line 2, got 3"):
        TextFile(tsv).load()
    written(tmp_path, "b.csv", 'label,text\n1,"open\n')
    assert list(table_rows(tmp_path / "b.csv", ["text", "label"], quoted=False)) == [(2, ['"open', "1"])]


def test_other_encodings_and_column_names(tmp_path):
    for encoding in ("cp1252", "utf-16"):
        path = written(tmp_path, "a.csv", "Satz,Klasse\nschön,ja\nübel,nein\n".encode(encoding))
        data = TextFile(path, "Satz", "Klasse", test_file=path, validation=0, encoding=encoding)
        assert data.load()["test"].texts == ["schön", "übel"] and data.class_names == ["ja", "nein"]


def test_one_file_is_parted_by_seeded_stratified_shares(tmp_path):
    path = many(tmp_path)
    splits = TextFile(path, test=0.25, validation=0.2).load()
    assert {name: split.labels_N.bincount().tolist() for name, split in splits.items()} == {
        "train": [24, 12],
        "validation": [6, 3],
        "test": [10, 5],
    }
    every = [text for texts in texts_of(splits).values() for text in texts]
    assert len(every) == len(set(every)) == 60
    assert all(text.startswith(f"{y} ") for s in splits.values() for text, y in zip(s.texts, s.labels_N, strict=True))
    assert texts_of(TextFile(path, test=0.25, validation=0.2, seed=7).load()) == texts_of(splits)
    assert texts_of(TextFile(path, test=0.25, validation=0.2, split_seed=1).load()) != texts_of(splits)


def test_files_of_their_own_are_taken_whole(tmp_path):
    train, test = many(tmp_path), many(tmp_path, "test.jsonl", (2, 0))
    data = TextFile(train, test_file=test, validation_file=test)
    data.setup()
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 60, "test": 2, "validation": 2}
    assert {name: len(split) for name, split in TextFile(train, test_file=test).load().items()} == {
        "train": 54,
        "test": 2,
        "validation": 6,
    }


FAULTS = [
    ("a.csv", "text,mark\nx,1\n", {}, "a.csv: expected a column 'label', got only 'text', 'mark'; set data.text"),
    ("a.csv", "text,label,label\nx,1,2\n", {}, "a.csv: expected a column 'label', got it 2 times"),
    ("a.csv", CSV, {"text": "Text"}, "expected a column 'Text', got only 'id', 'text', 'label'"),
    ("a.csv", "", {}, "a.csv: expected a row of column names, got an empty file"),
    ("a.csv", "text,label\n", {}, "a.csv: expected rows of sentences, got none"),
    ("a.csv", "text,label\na,1\nb, c,0\n", {}, "a.csv: expected 2 cells in line 3, got 3; quote a cell"),
    ("a.csv", 'text,label\n"a\nb",1\nc\n', {}, "a.csv: expected 2 cells in line 4, got 1"),
    (
        "a.csv",
        'text,label\na,1\n"b,0\nc,1\n',
        {},
        "a.csv: expected a whole row from line 3, got unexpected end of data",
    ),
    ("a.csv", "text,label\na,1\nb,1\n", {}, "a.csv: expected two labels or more in column 'label', got only '1'"),
    ("a.csv", "text,label\na,1\nb, \n", {}, "a.csv: expected a label, text or number, in line 3, got ' '"),
    (
        "a.csv",
        b"text,label\na,1\nb\xe9,0\n",
        {},
        "a.csv: expected utf-8, got byte 0xe9 at 16, in line 3; set data.encoding",
    ),
    ("a.csv", "text,label\na,1\n".encode("utf-16"), {}, "got byte 0xff at 0, in line 1; set data.encoding to utf-16"),
    ("a.csv", "text,label\né,1\n", {"encoding": "ascii"}, "a.csv: expected ascii, got byte 0xc3 at 11, in line 2"),
    ("a.csv", CSV, {"encoding": "utf-88"}, "data.encoding: expected one that Python knows, got 'utf-88'"),
    ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b"\n', {}, "a.jsonl: expected JSON in line 2"),
    (
        "a.jsonl",
        '{"text": "a", "label": 1}\n\n["b", 0]\n',
        {},
        "a.jsonl: expected an object in line 3, got '[\"b\", 0]'",
    ),
    ("a.jsonl", '{"txt": "a", "label": 1}\n', {}, "a.jsonl: expected 'text' in line 1, got only 'txt', 'label'"),
    ("a.jsonl", '{"text": null, "label": 1}\n', {}, "a.jsonl: expected a text in 'text' of line 1, got None"),
    ("a.jsonl", '{"text": 5, "label": 1}\n', {}, "a.jsonl: expected a text in 'text' of line 1, got 5"),
    ("a.jsonl", '{"text": "a", "label": [1]}\n', {}, "expected a label, text or number, in line 1, got [1]"),
    ("a.jsonl", '{"text": "a", "label": NaN}\n', {}, "expected a label, text or number, in line 1, got nan"),
    ("a.jsonl", "", {}, "a.jsonl: expected rows of sentences, got none"),
    ("a.xlsx", "", {}, "a.xlsx: expected a file named .csv, .tsv, .tab, .jsonl, .ndjson, got '.xlsx'"),
    ("a.csv", CSV, {"text": "label"}, "data.label: expected another column than data.text"),
    ("a.csv", CSV, {"test": 1.0}, "data.test: expected a share between 0 and 1"),
    ("a.csv", CSV, {"split_seed": -1}, "data.split_seed: expected 0"),
    ("a.csv", CSV, {"test": 0.1}, "data.test: expected a share that gives a sentence, got 0.1 of 4 in 2 classes"),
]


@pytest.mark.parametrize(("name", "content", "options", "words"), FAULTS, ids=range(len(FAULTS)))
def test_each_fault_is_one_line(tmp_path, name, content, options, words):
    with pytest.raises(InputError) as error:
        TextFile(written(tmp_path, name, content), **options).load()
    assert words in str(error.value) and "\n" not in str(error.value)
    assert "; " in str(error.value)  # what to mend


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: expected a table, got no such file"):
        TextFile(str(tmp_path / "none.csv")).load()


def test_a_label_that_training_does_not_know_names_its_line(tmp_path):
    test = written(tmp_path, "test.csv", 'text,label\n"two\nlines",0\nx,neutral\n')
    with pytest.raises(InputError, match=r"test\.csv: expected a label of the training file \('0', '1'\) in line 4"):
        TextFile(many(tmp_path), test_file=test).load()


def test_bytes_are_found_behind_the_first_buffer(tmp_path):
    rows = b"".join(b"line %06d,1\n" % i for i in range(20_000))
    path = written(tmp_path, "long.csv", b"text,label\n" + rows + b"\xff,0\n")
    with pytest.raises(InputError, match=f"got byte 0xff at {11 + len(rows)}, in line 20002;"):
        TextFile(path).load()


def test_the_command_says_one_line_and_exits_with_2(tmp_path, capsys):
    written(tmp_path, "a.csv", "text,label\nfine,1\nbad,0\ngood,\n")
    recipe = {
        "model": {
            "class_path": "tasks.text.task.SentenceClassification",
            "init_args": {
                "net": {"class_path": "tasks.text.networks.sentence_cnn.SentenceCNN", "init_args": {"num_classes": 2}},
                "optimizer": {"class_path": "torch.optim.Adam"},
            },
        },
        "data": {"class_path": "tasks.text.data.TextFile", "init_args": {"file": str(tmp_path / "a.csv")}},
    }
    path = written(tmp_path, "mine.yaml", json.dumps(recipe))
    assert main(["fit", path, "--root", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert "a.csv: expected a label, text or number, in line 4" in said and said.count("\n") == 1
