"""Kim's sets and WordNet's definitions: the scripts on small made files in the original formats, and on the originals."""

import dataclasses
import gzip
import hashlib
from pathlib import Path

import pytest
import torch

from data_scripts import cr, mpqa, mr, sst1, sst2, subj, trec, wordnet_glosses
from data_scripts.wordnet_glosses import (
    SIBLINGS,
    Definition,
    definition,
    definitions,
    distinct,
    normal_form,
    sample,
    split_of,
    table,
)
from tasks.text import data
from tasks.text.archives import labelled_lines
from tasks.text.packed_texts import unpacked
from zoo.data.stored import read_stored
from zoo.errors import InputError

SHARED = [folder / "shared" / "data" / "text" for folder in Path(__file__).resolve().parents]
BIRD = (
    "01503061 05 n 01 bird 0 004 @ 01471682 n 0000 ~ 01503976 n 0000 #m 01503976 n 0000 + 01425661 v 0101 | "
    'warm-blooded egg-laying vertebrates; mostly fly; "birds sing"; "a bird"  \n'
)


def made(script, folder, contents: dict[str, bytes]):
    """The script with the checksums of made files, which are written to `folder`."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    files = [
        dataclasses.replace(file, checksum="sha256:" + hashlib.sha256(contents[file.name]).hexdigest())
        for file in script.files
    ]
    return dataclasses.replace(script, files=files)


def stored_by(script, folder, contents: dict[str, bytes]) -> dict:
    script = made(script, folder / "source", contents)
    assert script.main(["--from", str(folder / "source"), "--to", str(folder / "to")]) == 0
    return read_stored(folder / "to" / "sentences.pt", script.name)


def test_lines_end_at_newlines_alone_and_keep_their_letters(tmp_path):
    # 0x85 is an ellipsis in these files; as Latin-1 it would be a character at which str.splitlines cuts.
    content = "0 hardly perfect… yet it works .\n1 y tu mamá también – fine \n0 \n1  a\tb\n".encode("cp1252")
    stored = stored_by(mr.SCRIPT, tmp_path, {"rt-polarity.all": content})
    texts = unpacked(stored["all_bytes"], stored["all_starts"])
    assert texts == ["hardly perfect… yet it works .", "y tu mamá también – fine", "", "a\tb"]
    assert stored["all_labels"].tolist() == [0, 1, 0, 1]
    assert sorted(stored["all_turns"].tolist()) == [0, 1, 2, 3]


def test_treebank_files_are_utf_8_and_their_dev_part_is_validation(tmp_path):
    names = {"train": "stsa.fine.train", "validation": "stsa.fine.dev", "test": "stsa.fine.test"}
    contents = {name: f"4 a cliché of {part}\n0 b\x85a\u2028d\n".encode() for part, name in names.items()}
    stored = stored_by(sst1.SCRIPT, tmp_path, contents)
    for part in names:
        assert unpacked(stored[f"{part}_bytes"], stored[f"{part}_starts"]) == [f"a cliché of {part}", "b\x85a\u2028d"]
        assert stored[f"{part}_labels"].tolist() == [4, 0]
    assert "all_turns" not in stored and stored["class_names"][4] == "very positive"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"0 fine\n2 other\n", "x.all: expected a label 0..1 in line 2, got '2'"),
        (b"0 fine\n\n1 good\n", "x.all: expected a label 0..1 in line 2, got ''"),
        (b"0 fine\n1 caf\xe9\n", "x.all: expected ascii, got byte 0xe9 at 12"),
    ],
)
def test_damaged_lines_are_one_line(tmp_path, content, words):
    (tmp_path / "x.all").write_bytes(content)
    with pytest.raises(InputError) as error:
        labelled_lines(tmp_path / "x.all", 2, "ascii")
    assert str(error.value).startswith(words) and "\n" not in str(error.value)


def test_another_file_is_refused(tmp_path, capsys):
    (tmp_path / "mpqa.all").write_bytes(b"0 complaining\n")
    assert mpqa.SCRIPT.main(["--from", str(tmp_path), "--to", str(tmp_path / "to")]) == 2
    assert "expected sha256:661de8a0" in capsys.readouterr().err


def test_a_changed_text_is_noticed(tmp_path):
    stored_by(subj.SCRIPT, tmp_path, {"subj.all": b"0 a nice one\n1 a plot\n"})
    path = tmp_path / "to" / "sentences.pt"
    contents = torch.load(path, weights_only=True)
    contents["all_bytes"][0] += 1
    torch.save(contents, path)
    with pytest.raises(InputError, match="expected content"):
        read_stored(path, "data_scripts/subj.py")


PAPERS = [
    (mr, "MR", {"train": 9596, "test": 1066}),
    (subj, "Subj", {"train": 9000, "test": 1000}),
    (cr, "CR", {"train": 3398, "test": 377}),
    (mpqa, "MPQA", {"train": 9546, "test": 1060}),
    (trec, "TREC", {"train": 5452, "test": 500}),
    (sst1, "SST1", {"train": 8544, "validation": 1101, "test": 2210}),
    (sst2, "SST2", {"train": 6920, "validation": 872, "test": 1821}),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """All seven sets, stored from copies of the published files."""
    sources = [folder for folder in SHARED if folder.is_dir()]
    if not sources:
        pytest.skip("no copy of the published files")
    folder = tmp_path_factory.mktemp("data")
    for module, _, _ in PAPERS:
        arguments = ["--from", str(sources[0]), "--to", str(folder / module.SCRIPT.name)]
        assert module.SCRIPT.main(arguments) == 0
    return folder


@pytest.mark.data
@pytest.mark.parametrize(("module", "name", "counts"), PAPERS, ids=[name for _, name, _ in PAPERS])
def test_counts_are_those_of_the_papers(root, module, name, counts):
    splits = getattr(data, name)(str(root)).load()
    whole = sum(len(split) for split in splits.values())
    assert whole == sum(counts.values())
    for part, split in splits.items():
        assert abs(len(split) - counts[part]) <= (1 if "validation" not in counts and name != "TREC" else 0)
        assert not {"\x85", "\n"} & set("".join(split.texts))  # neither cut nor misread
        assert "Ã" not in "".join(split.texts)


@pytest.mark.data
def test_trec_has_eleven_leaked_questions(root):
    whole, clean = (data.TREC(str(root), drop_leaked=drop).load() for drop in (False, True))
    asked = {text.lower() for text in whole["test"].texts}
    assert len(asked & {text.lower() for text in whole["train"].texts}) == 11
    assert not asked & {text.lower() for text in clean["train"].texts}
    assert clean["test"].texts == whole["test"].texts and len(clean["train"]) == 5441


@pytest.mark.data
def test_repeated_and_empty_phrases_are_as_said(root):
    for name, repeated, empty in (("MPQA", 2365, 3), ("CR", 9, 4)):
        texts = [text for split in getattr(data, name)(str(root)).load().values() for text in split.texts]
        assert len(texts) - len(set(texts)) == repeated and texts.count("") == empty


def test_a_synset_line_is_read_by_its_counts():
    assert definition(BIRD) == Definition(
        "01503061", 2, ("01471682",), "warm-blooded egg-laying vertebrates; mostly fly"
    )
    # Two words, numbers in hexadecimal: 0b words would shift the pointers by 22 fields.
    words = " ".join(f"w{i} 0" for i in range(11))
    line = f"00000009 18 n 0b {words} 002 @i 00000007 n 0000 @ 00000008 n 0000 | a poet\n"
    assert definition(line) == Definition("00000009", 15, ("00000007", "00000008"), "a poet")


def test_a_line_that_is_no_noun_is_named(tmp_path):
    (tmp_path / "data.noun").write_text("  1 licence\n" + BIRD + BIRD.replace(" n 01", " v 01", 1))
    with pytest.raises(InputError, match="expected a noun in line 3"):
        definitions(tmp_path / "data.noun")


def one(synset: int, label: int, hypernym: int, text: str) -> Definition:
    return Definition(f"{synset:08d}", label, (f"{hypernym:08d}",), text)


def test_near_duplicates_are_left_out():
    found = distinct(
        [
            one(1, 0, 1, "a Scottish lyric poet (1759-1796)"),
            one(2, 0, 2, "the Scottish lyric poet (1771-1832)"),
            one(3, 0, 3, "the act of running"),
            one(4, 1, 4, "The act of running"),  # the same text in two classes says nothing of either
            one(5, 2, 5, "the ants"),
            Definition("00000006", 2, ("00000001", "00000002"), "a bird of two families"),
            Definition("00000007", 2, (), "that which is perceived"),
        ]
    )
    assert [d.synset for d in found] == ["00000001"]


def test_a_sample_keeps_the_proportions_and_few_of_a_family():
    every = [one(i, 0, i // 2, f"text {i}") for i in range(800)]
    every += [one(1000 + i, 1, 900 + i, f"text {i}") for i in range(200)]
    every += [one(2000 + i, 2, 5000, f"text {i}") for i in range(300)]
    found = sample(every, sentences=102, at_least=15)
    counts = [sum(d.label == label for d in found) for label in range(3)]
    assert counts == [80, 20, 15] and SIBLINGS == 20
    assert sum(d.label == 2 for d in sample(every, 1300)) == SIBLINGS
    assert sample(every[::-1], 102, 15) == found  # nothing but the synsets decides


def test_hypernyms_are_drawn_evenly_and_for_good():
    splits = [split_of(f"{i:08d}") for i in range(20_000)]
    shares = {name: splits.count(name) / len(splits) for name in ("test", "validation", "train")}
    assert shares["test"] == pytest.approx(0.2, abs=0.01) and shares["validation"] == pytest.approx(0.08, abs=0.01)
    assert [split_of(h) for h in ("08524735", "00007846", "12205694")] == ["test", "train", "train"]


def test_a_source_of_another_version_is_refused(tmp_path, capsys):
    (tmp_path / "data.noun").write_text(BIRD)
    for folder, said in ((tmp_path, "take that of Debian's"), (tmp_path / "nowhere", "got no such file")):
        assert wordnet_glosses.main(["--from", str(folder), "--to", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not (tmp_path / "glosses.tsv.gz").exists()


@pytest.mark.data
def test_the_shipped_file_is_made_again():
    source = Path("/usr/share/wordnet/data.noun")
    if not source.is_file():
        pytest.skip("Debian's wordnet-base is not installed")
    shipped = gzip.decompress((data.glosses.FOLDER / data.glosses.FILE).read_bytes())
    assert table(sample(distinct(definitions(source)))) == shipped


def test_normal_form_keeps_words_of_any_script():
    assert normal_form("The État's 2nd  place, (1871)") == "état s nd place"
