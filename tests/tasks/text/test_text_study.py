"""The study of Zhang and Wallace: folds that part the set, one factor at a time, cells that are what `zoo fit` gives."""

import json

import pytest
import torch
import yaml

from tasks.text.networks import SentenceCNN
from tasks.text.study.conclusions import conclusions
from tasks.text.study.cross_validation import CrossValidated
from tasks.text.study.factors import factors
from tasks.text.study.sensitivity import around_baseline, study
from tests.tasks.text.made_sentences import RECIPE, MadeSentences
from zoo.cli.main import main
from zoo.cli.recipes import find_recipe
from zoo.errors import InputError
from zoo.studies import cells
from zoo.studies.conduct import conduct
from zoo.training.config_cli import make
from zoo.training.configuration import merged, read_yaml
from zoo.training.trained_figures import SAME_DATA, trained_figures


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe of made sentences, and no vectors but those that a test gives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tasks.text.study.sensitivity.find_spec", lambda name: None)
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "made.yaml").write_text(RECIPE)
    return str(folder / "made.yaml")


@pytest.fixture
def glove(tmp_path):
    """Vectors of two words in five dimensions."""
    (tmp_path / "tiny.txt").write_text("good 1 0 0 0 1\nbad 0 1 0 1 0\n")
    return str(tmp_path / "tiny.txt")


def the_study(recipe, *overrides, **options):
    return study({"recipe": recipe, "folds": "2", **options}, list(overrides))


def test_folds_part_the_sentences_and_keep_the_classes():
    tests = []
    for fold in range(5):
        data = CrossValidated(MadeSentences(validation=0.0), fold, 5, split_seed=3)
        parts = data.load()
        assert not set(parts["train"].texts) & set(parts["test"].texts)
        assert len(parts["train"]) + len(parts["test"]) == 200
        assert parts["test"].labels_N.bincount().tolist() == [20, 20]
        tests += parts["test"].texts
    assert sorted(tests) == sorted(text for part in MadeSentences().load().values() for text in part.texts)
    other = CrossValidated(MadeSentences(), 0, 5, split_seed=4).load()["test"].texts
    assert set(other) != set(tests[:40])


def test_folds_take_over_the_settings_of_the_set():
    source = MadeSentences(batch_size=7, vocabulary_size=9, lowercase=False, validation=0.25)
    data = CrossValidated(source, 0, 4)
    data.setup()
    assert (data.batch_size, data.vocabulary_size, len(data.tokeniser)) == (7, 9, 9)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 112, "test": 50, "validation": 38}


def differences(tree, other, name=""):
    """Dotted keys whose values are not the same."""
    if not (isinstance(tree, dict) and isinstance(other, dict)):
        return set() if tree == other else {name}
    return set().union(*(differences(tree.get(k), other.get(k), f"{name}.{k}") for k in {**tree, **other}))


def test_every_level_changes_its_own_setting_alone(recipe, glove):
    one = the_study(recipe, vectors=glove)
    assert [level.name for level in one.factors[0].levels][-3:] == [
        "given, tuned",
        "given, static",
        "given, multichannel",
    ]
    net, task = ".model.init_args.net.init_args", ".model.init_args"
    allowed = {
        "vectors": {f"{task}.vectors", f"{net}.variant", f"{net}.embedding_size"},
        "region": {f"{net}.region_sizes"},
        "regions": {f"{net}.region_sizes"},
        "maps": {f"{net}.feature_maps"},
        "activation": {f"{net}.activation.class_path", f"{net}.activation.init_args"},
        "pooling": {f"{net}.pooling.class_path", f"{net}.pooling.init_args"},
        "dropout": {f"{net}.dropout"},
        "norm": {f"{task}.constraints"},
    }
    assert [factor.name for factor in one.factors] == list(allowed)
    for factor in one.factors:
        for level in factor.levels:
            changed = differences(one.base, merged(one.base, level.overlay))
            assert changed <= allowed[factor.name] and bool(changed) == bool(level.overlay), level.name


def test_levels_make_their_nets(recipe):
    one = the_study(recipe)
    seen = {}
    wanted = {"activation": "none", "pooling": "10-max", "norm": "none 0.5", "regions": "7,7,7"}
    for factor in one.factors:
        for level in factor.levels:
            if level.name.replace(" ", "") in wanted.get(factor.name, "").split():
                seen[factor.name, level.name] = make(one.cell(factor, level, 0, 0).tree, []).task
    assert type(seen["activation", "none"].net.activation) is torch.nn.Identity
    assert seen["pooling", "10-max"].net.output.in_features == 3000
    assert seen["norm", "none"].constraints == [] and seen["norm", "0.5"].constraints[0].max_norm == 0.5
    assert [f.kernel_size for f in seen["regions", "7, 7, 7"].net.filters] == [(7,)] * 3


@pytest.mark.parametrize("name", ["wordnet", "mr", "trec"])
def test_shipped_recipes_give_their_sizes_and_no_more(name):
    tree = read_yaml(find_recipe(f"text/{name}").path)
    data = tree["data"]["init_args"]
    task = make(around_baseline(tree), []).task
    cnn = task.net
    assert type(cnn) is SentenceCNN and cnn.region_sizes == (3, 4, 5) and cnn.places is None
    assert (cnn.dropout.p, cnn.embedding_dropout.p, cnn.embedding.word_dropout) == (0.5, 0.0, 0.0)
    assert cnn.embedding.vocabulary_size == data["vocabulary_size"] and cnn.embedding.sparse
    assert cnn.output.out_features == {"wordnet": 26, "mr": 2, "trec": 6}[name]
    assert task.constraints[0].max_norm == 3 and task.vectors is None


def test_conclusions_speak_of_levels_that_there_are():
    for given in (None, {"class_path": "x"}):
        varied = factors(8, given, 4)
        levels = {(factor.name, level.name) for factor in varied for level in factor.levels}
        for one in conclusions(varied, 1.0):
            assert one.claims
            if given or not any("given" in claim.level for claim in one.claims):
                assert {(c.factor, x) for c in one.claims for x in (c.level, c.other)} <= levels, one.text


def test_a_cell_is_what_fit_gives_whether_or_not_its_data_were_there(recipe, tmp_path, capsys):
    one = the_study(recipe)
    tree = one.cell(one.factors[0], one.factors[0].level("corpus, tuned"), 1, 1).tree
    SAME_DATA.clear()
    first, again = trained_figures(tree), trained_figures(tree)
    assert first == again
    (tmp_path / "text/cell.yaml").write_text(yaml.safe_dump(tree))
    assert main(["fit", str(tmp_path / "text/cell.yaml"), "--root", str(tmp_path / "runs")]) == 0
    metrics = json.loads((tmp_path / "runs/text/cell/1/metrics.json").read_text())
    assert metrics["test/accuracy"] == first["test/accuracy"] and metrics["test/loss"] == first["test/loss"]


def test_given_vectors_are_read_in_their_own_size(recipe, glove):
    one = the_study(recipe, ("trainer.max_epochs", "10"), ("data.batch_size", "10"), vectors=glove)
    found = {
        level.name: make(one.cell(one.factors[0], level, 0, 0).tree, []).task for level in one.factors[0].levels[4:]
    }
    assert found["given, multichannel"].net.embedding.vector_size == 10
    assert found["random, 5 d, tuned"].net.embedding.size == 5 and found["random, 5 d, tuned"].vectors is None
    figures = trained_figures(one.cell(one.factors[0], one.factors[0].level("given, static"), 0, 0).tree)
    assert figures["test/accuracy"] > 0.9  # the two words that decide are the two that have a vector


def test_repetitions_change_folds_and_seeds_and_levels_do_not(recipe):
    one = the_study(recipe).only(["dropout"])
    a, b = (one.cell(one.factors[0], one.factors[0].level("0.9"), r, 1).tree for r in (0, 1))
    assert a["seed_everything"] != b["seed_everything"]
    assert (a["data"]["init_args"]["split_seed"], b["data"]["init_args"]["split_seed"]) == (0, 1)
    base = one.cell(one.factors[0], one.factors[0].level("0.5"), 0, 1).tree
    assert differences(a, base) == {".model.init_args.net.init_args.dropout"}
    own = the_study(recipe, folds="1")
    assert (
        own.overlap == 0 and own.cell(own.factors[0], own.factors[0].levels[0], 2, 0).tree["data"] == own.base["data"]
    )


@pytest.mark.slow
def test_a_whole_study_on_made_sentences(recipe, tmp_path, capsys):
    one = the_study(recipe, ("trainer.max_epochs", "1")).only(["dropout", "norm"])
    assert len(cells(one, 1)) == 2 * (1 + 5 + 6)
    assert conduct(one, tmp_path / "s") == 0
    assert "Large dropout (0.9) harms." in capsys.readouterr().out
    sections = json.loads((tmp_path / "s/study.json").read_text())["sections"]
    rows = {row[0]: row for row in sections[1]["figures"][0]["rows"]}
    assert [section["title"] for section in sections][1:] == ["Dropout", "Norm constraint on the output layer"]
    assert len(rows) >= 6


BAD = {
    "recipe": ({"recipe": "text/wordnot"}, (), "expected a known name or a YAML file"),
    "folds": ({"folds": "ten"}, (), "--folds: expected 2 or more, or 1 for the recipe's own split, got 'ten'"),
    "margin": ({"margin": "-1"}, (), "--margin: expected points of accuracy above 0"),
    "option": ({"colour": "red"}, (), r"--colour: expected an option of this study \(--recipe, --folds"),
    "vectors": ({"vectors": "glove.txt"}, (), "--vectors: expected a file of word vectors, got glove.txt"),
    "baseline": (
        {},
        (("model.net.dropout", "0.3"),),
        "--model.net.dropout: expected 0.5, the study's baseline, got 0.3",
    ),
    "norm": ({}, (("model.constraints", "null"),), "--model.constraints: expected .* got None"),
    "key": ({}, (("trainer.max_epoch", "3"),), "max_epoch"),
    "many": ({"folds": "500"}, (), "--folds: expected 1 to 200, the number of sentences, got 500"),
    "domain": ({"recipe": "vision/digits"}, (), "--recipe: expected one that classifies sentences, got vision/digits"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(recipe, case):
    options, overrides, line = BAD[case]
    with pytest.raises(InputError, match=line) as caught:
        the_study(options.pop("recipe", recipe), *overrides, **{key: options[key] for key in options})
    assert "\n" not in str(caught.value)


def test_a_net_for_other_classes_is_refused_before_anything_is_kept(recipe, tmp_path):
    one = the_study(recipe, ("model.net.num_classes", "3")).only(["dropout"])
    with pytest.raises(InputError, match=r"baseline: model\.net: expected 2 outputs"):
        conduct(one, tmp_path / "s")
