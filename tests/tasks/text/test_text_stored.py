"""Stored sets and their folds."""

import random

import numpy as np
import pytest
import torch

from tasks.text.archives import sentences
from tasks.text.data import CR, TREC
from tasks.text.folds import fold_turns, in_fold, stratified_share
from tasks.text.packed_texts import packed, unpacked
from zoo.data.stored import write_stored
from zoo.errors import InputError


def labels_of(counts: list[int], seed: int) -> torch.Tensor:
    """So many of each class, mixed."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return labels[torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))]


@pytest.mark.parametrize("seed", range(8))
def test_folds_part_the_set_and_every_class(seed):
    drawn = random.Random(seed)
    counts = [drawn.randint(1, 60) for _ in range(drawn.randint(2, 6))]
    num_folds = drawn.randint(2, min(10, sum(counts)))
    labels = labels_of(counts, seed)
    turns = fold_turns(labels, seed)
    folds = torch.stack([in_fold(turns, fold, num_folds) for fold in range(num_folds)])
    assert (folds.sum(0) == 1).all()  # every sentence is tested once
    sizes = folds.sum(1)
    assert sizes.max() - sizes.min() <= 1
    for label in range(len(counts)):
        of_class = (folds & (labels == label)).sum(1)
        assert of_class.max() - of_class.min() <= 1


def test_folds_are_drawn_and_stay_as_they_are():
    labels = labels_of([12, 8], 0)
    assert fold_turns(labels).tolist() == fold_turns(labels.clone()).tolist()
    assert fold_turns(labels, 1).tolist() != fold_turns(labels, 0).tolist()
    # Written down once: a change would give everybody other folds than those of the results.
    assert fold_turns(torch.tensor([0, 1] * 5)).tolist() == [4, 6, 0, 8, 2, 9, 3, 7, 1, 5]
    tested = in_fold(fold_turns(torch.zeros(1000, dtype=torch.long)), 0, 10).nonzero()[:, 0]
    assert 300 < tested.float().mean() < 700 and tested.diff().unique().numel() > 5  # no run, no stride


@pytest.mark.parametrize("seed", range(8))
def test_a_share_is_stratified_and_leaves_one_of_each_class(seed):
    drawn = random.Random(seed)
    counts = [drawn.randint(1, 80) for _ in range(drawn.randint(2, 6))] + [1]
    share, labels = drawn.uniform(0.05, 0.6), labels_of(counts, seed)
    chosen = stratified_share(labels, share, seed)
    total = sum(counts)
    assert int(chosen.sum()) == min(round(share * total), total - len(counts))
    for label, count in enumerate(counts):
        taken = int((chosen & (labels == label)).sum())
        assert taken < count
        assert abs(taken - chosen.sum() * (count - 1) / (total - len(counts))) <= 1


@pytest.mark.parametrize("texts", [["é…", "", "a\tb\nc", "😀 שלום"], [], [""]])
def test_texts_come_back_from_their_bytes(texts):
    assert unpacked(*packed(texts)) == texts


@pytest.mark.parametrize(("bytes_M", "starts"), [([65], [0, 2]), ([65, 66], [0, 2, 1, 2]), ([200], [0, 1]), ([65], [])])
def test_bytes_that_do_not_fit_are_one_line(bytes_M, starts):
    with pytest.raises(InputError, match="make the file anew"):
        unpacked(torch.tensor(bytes_M, dtype=torch.uint8), torch.tensor(starts, dtype=torch.int64))


@pytest.fixture
def root(tmp_path):
    """CR and TREC, made: sentence i says so, its label is i % 3 == 0."""
    whole = b"".join(b"%d Sentence %d\n" % (i % 3 == 0, i) for i in range(60))
    (tmp_path / "whole").write_bytes(whole)
    (tmp_path / "asked").write_bytes(b"0 SENTENCE 4\n1 another\n")
    write_stored(tmp_path / "cr" / "sentences.pt", sentences(tmp_path, {"all": "whole"}, ["no", "yes"], "ascii"))
    parts = {"train": "whole", "test": "asked"}
    write_stored(tmp_path / "trec" / "sentences.pt", sentences(tmp_path, parts, ["no", "yes"], "ascii"))
    return str(tmp_path)


def test_ten_folds_test_every_sentence_once_with_its_label(root):
    tested = []
    for fold in range(10):
        data = CR(root, fold=fold)
        data.setup()
        parts = {name: split.sentences for name, split in data.splits.items()}
        assert sorted(t for s in parts.values() for t in s.texts) == sorted(f"Sentence {i}" for i in range(60))
        assert int(parts["test"].labels_N.sum()) == 2  # 20 of 60, in each fold alike
        for split in parts.values():
            assert [int(t.split()[1]) % 3 == 0 for t in split.texts] == split.labels_N.bool().tolist()
        tested += parts["test"].texts
    assert len(tested) == len(set(tested)) == 60


def test_leaked_questions_leave_the_training_split(root):
    kept, clean = TREC(root).load(), TREC(root, drop_leaked=True).load()
    assert len(kept["train"]) == 60 and len(clean["train"]) == 59
    assert "Sentence 4" not in clean["train"].texts and clean["test"].texts == ["SENTENCE 4", "another"]
    assert clean["train"].labels_N.tolist() == [int(i % 3 == 0) for i in range(60) if i != 4]


@pytest.mark.parametrize(("fold", "num_folds"), [(10, 10), (-1, 10), (0, 1), (0, 61), (0, 0)])
def test_a_fold_that_is_none_is_one_line(root, fold, num_folds):
    with pytest.raises(InputError, match=r"data\.(fold|num_folds): expected") as error:
        CR(root, fold=fold, num_folds=num_folds).load()
    assert "\n" not in str(error.value)


def test_a_missing_set_names_its_script(tmp_path, root):
    with pytest.raises(InputError, match=r"make it with: python data_scripts/cr\.py"):
        CR(str(tmp_path / "nowhere")).load()
    write_stored(tmp_path / "cr" / "sentences.pt", {"class_names": ["a", "b"]})
    with pytest.raises(InputError, match="got no 'all_bytes'; run it again"):
        CR(root).load()
