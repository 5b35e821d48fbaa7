"""Intervals cover the truth, verdicts are those of a planted truth, and what is done survives a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from tests.zoo.studies.made_study import failing, killed, logged, made, measure
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.studies import Claim, Conclusion, Interval, Measurements, cells, corrected_interval, judged
from zoo.studies.conclusion import CONFIRMED, OPEN, REFUTED, UNMEASURED
from zoo.studies.conduct import conduct
from zoo.studies.progress import StudyProgress, remaining_seconds
from zoo.studies.results import Results
from zoo.studies.workers import outcomes

ROOT = Path(__file__).resolve().parents[3]


def verdicts(study, repetitions):
    figures = {cell.key: study.measure(cell.tree) for cell in cells(study, repetitions)}
    return {one.conclusion.text: one.verdict for one in Measurements(study, repetitions, figures).verdicts()}


def test_interval_is_students_where_nothing_overlaps_and_bouckaert_and_franks_where_it_does():
    x = np.random.default_rng(0).normal(0.3, 1, 20)
    low, high = ttest_1samp(x, 0).confidence_interval(0.95)
    plain = corrected_interval(x, 0.0)
    assert [plain.low, plain.high] == pytest.approx([low, high])
    wide = corrected_interval(np.append(x, np.nan), 1 / 9)
    half = t.ppf(0.975, 19) * np.sqrt((1 / 20 + 1 / 9) * x.var(ddof=1))
    assert [wide.low, wide.high, wide.pairs] == pytest.approx([x.mean() - half, x.mean() + half, 20])


def test_corrected_intervals_cover_zero_in_real_cross_validations_and_uncorrected_ones_do_not():
    # Two equally good learners of the same kind on two features that say equally much.
    rng, covered = np.random.default_rng(1), Counter()
    for _ in range(300):
        label = rng.integers(0, 2, 100)
        x = rng.normal(label[:, None] * 0.5, 1, (100, 2))
        fold = rng.permutation(100) % 10
        differences = []
        for k in range(10):
            train, test = fold != k, fold == k
            cut = (x[train & (label == 0)].mean(0) + x[train & (label == 1)].mean(0)) / 2
            right = (x[test] > cut) == label[test][:, None]
            differences.append(right[:, 0].mean() - right[:, 1].mean())
        for overlap in (0.0, 1 / 9):
            one = corrected_interval(np.array(differences), overlap)
            covered[overlap] += one.low <= 0 <= one.high
    assert covered[1 / 9] / 300 >= 0.94
    assert covered[0.0] < covered[1 / 9]


def test_one_pair_says_nothing_of_the_spread():
    one = corrected_interval(np.array([5.0]), 0.1)
    assert (one.mean, one.low, one.high) == (5.0, -np.inf, np.inf)
    assert Claim("f", "a", "b", low=0).holds(one) is None


@pytest.mark.parametrize(
    "claim, interval, holds",
    [
        ((0, np.inf), (0.1, 2), True), ((0, np.inf), (-0.1, 2), None), ((0, np.inf), (-2, -0.1), False),
        ((-1, 1), (-0.9, 0.9), True), ((-1, 1), (0.5, 1.5), None), ((-1, 1), (1.1, 3), False),
        ((0, np.inf), (0, 0), False),
    ],
)  # fmt: skip
def test_a_claim_holds_fails_or_is_open(claim, interval, holds):
    assert Claim("f", "a", "b", *claim).holds(Interval(sum(interval) / 2, *interval, 9)) is holds


def test_few_pairs_decide_nothing_however_equal_they_are():
    assert Claim("f", "a", "b", low=0).holds(Interval(0.72, 0.69, 0.74, 2)) is None
    assert Claim("f", "a", "b", low=0).holds(Interval(0.72, 0.69, 0.74, 5)) is True


def test_bonferroni_counts_pairs_of_levels():
    asked = []
    pairs = (Claim("f", "a", "b", low=0), Claim("f", "b", "a", low=0), Claim("f", "c", "a", low=0))
    judged(Conclusion("x", some=pairs), lambda *words: asked.append(words[3]) or Interval(0, -1, 1, 9))
    assert asked == pytest.approx([0.975] * 3)


def test_planted_truth_is_confirmed_refuted_or_left_open():
    found = verdicts(made(), repetitions=2)
    assert found == {
        "B beats A": CONFIRMED,
        "B is worse": REFUTED,
        "C beats A": OPEN,
        "B and C are about A": REFUTED,
        "one beats A": CONFIRMED,
        "hue counts": UNMEASURED,
    }


def test_pure_noise_is_too_noisy_to_say():
    found = verdicts(made(noise=0.2), repetitions=1)
    assert {found["B beats A"], found["B is worse"], found["C beats A"], found["one beats A"]} == {OPEN}


def test_more_is_seen_with_more_repetitions_and_no_more_than_there_is():
    # 40 made studies without an effect: at 95 %, hardly any is called one.
    study = made()
    factor, wrong = study.factors[0], 0
    for night in range(40):
        shifted = {
            cell.key: study.measure({**cell.tree, "seed": [night, *cell.tree["seed"]]}) for cell in cells(study, 2)
        }
        one = Measurements(study, 2, shifted).change(factor, "C", "A")
        wrong += not one.low <= 0 <= one.high
    assert wrong <= 2


def test_cells_are_computed_once_and_balanced():
    study = made()
    found = cells(study, 2)
    assert len(found) == len({cell.key for cell in found}) == 4 * 10 * 2
    assert [cell.level for cell in found[:4]] == ["baseline", "letter B", "letter C", "letter D"]
    assert [(cell.repetition, cell.fold) for cell in found[::4]] == [(r, k) for r in range(2) for k in range(10)]


def test_tables_hold_the_figures_at_their_places():
    study = made(folds=3)
    figures = {cell.key: study.measure(cell.tree) for cell in cells(study, 2)}
    factor = study.factors[0]
    b = Measurements(study, 2, figures).values(factor, "B")
    assert b[1, 2] == 100 * measure({"letter": "B", "noise": 0.004, "seed": [1, 2]})["test/accuracy"]
    del figures[study.cell(factor, factor.level("B"), 1, 2).key]
    part = Measurements(study, 2, figures)
    assert np.isnan(part.values(factor, "B")[1, 2])
    assert len(part.means(factor, "B")) == 1  # the second repetition is not whole
    assert part.change(factor, "B", "A").pairs == 5


def test_page_json_and_words_agree(tmp_path, capsys):
    assert conduct(made(), tmp_path / "s", repetitions=2) == 0
    out = capsys.readouterr().out
    assert "confirmed:        B beats A" in out and "not confirmed:    B is worse" in out and "hue" not in out
    sections = json.loads((tmp_path / "s/study.json").read_text())["sections"]
    said = {one["conclusion"]: one["verdict"] for one in sections[0]["data"]["verdicts"]}
    assert said["B beats A"] == CONFIRMED and "hue counts" not in said
    rows = {row[0]: row for row in sections[1]["figures"][0]["rows"]}
    assert rows["B"][4] == pytest.approx(2.0, abs=0.3) and rows["A"][4] == "baseline"
    page = (tmp_path / "s/study.html").read_text()
    assert "B against A: better. Measured +" in page


def test_what_is_done_is_not_done_again_and_a_torn_line_is_dropped(tmp_path):
    path = tmp_path / "cells.jsonl"
    study = made(folds=2)
    assert conduct(study, tmp_path) == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])  # killed in the middle of the last line
    again = []
    results = Results(path, study.definition)
    assert len(results.figures) == 7
    counting = made(folds=2, of=lambda tree: again.append(tree["letter"]) or measure(tree))
    assert conduct(counting, tmp_path) == 0
    assert again == ["D"]
    figures = [json.loads(line)["figures"] for line in path.read_text().splitlines()[1:]]
    assert figures == [json.loads(line)["figures"] for line in whole.decode().splitlines()[1:]]


def test_more_repetitions_and_levels_go_on_and_another_baseline_is_refused(tmp_path):
    conduct(made(folds=2, letters="AB"), tmp_path)
    calls = []

    def of(tree):
        return calls.append(tree["letter"]) or measure(tree)

    conduct(made(folds=2, of=of), tmp_path, repetitions=2)
    assert Counter(calls) == {"A": 2, "B": 2, "C": 4, "D": 4}
    with pytest.raises(InputError, match=r"expected base.noise 0.004, .* got 0.1; take the former"):
        conduct(made(noise=0.1, folds=2), tmp_path)
    with pytest.raises(InputError, match="expected folds 2"):
        conduct(made(folds=3), tmp_path)


def test_a_level_that_fails_is_told_and_the_others_are_measured(tmp_path, capsys):
    assert conduct(made(of=failing), tmp_path) == 1
    assert "failed:           letter D: letter: expected A to C, got D" in capsys.readouterr().out
    assert "expected A to C" in (tmp_path / "study.html").read_text()
    assert conduct(made(), tmp_path) == 0  # tried again
    assert "expected A to C" not in (tmp_path / "study.html").read_text()


def test_a_baseline_that_fails_ends_the_study(tmp_path):
    def broken(tree):
        raise ValueError("no data\nat all")

    with pytest.raises(InputError, match="baseline: ValueError: no data at all"):
        conduct(made(of=broken), tmp_path)
    assert not (tmp_path / "study.html").exists()


def test_other_files_and_a_second_process_are_refused(tmp_path):
    (tmp_path / "cells.jsonl").write_text("hello\n")
    with pytest.raises(InputError, match="got another file; remove it"):
        conduct(made(), tmp_path)
    from zoo.training.run_folder import RunLock

    lock = RunLock(tmp_path / ".lock")
    with pytest.raises(InputError, match="to be free"):
        conduct(made(), tmp_path)
    lock.release()


def test_remaining_time_weighs_levels_by_their_cost():
    study = made(folds=2)
    pending = cells(study, 1)
    progress = StudyProgress(pending, 0, {}, processes=2)
    for cell, seconds in zip(pending[:4], (1.0, 2.0, 3.0, 100.0), strict=True):
        progress.pending.pop(cell.key)
        progress.costs[cell.level] = [seconds]
    progress.done = 4
    assert progress.line(pending[3]) == "4/8 cells, about 53 s left (letter D, repetition 1, fold 1)"
    assert remaining_seconds(["A"], {}, 2) is None
    assert remaining_seconds(["A"], {"A": [3.0]}, 8) == 3.0  # one cell is not done faster by eight processes


# Processes


def test_processes_give_what_one_gives(tmp_path):
    study = made(folds=2)
    one, two = ({cell.key: outcome.figures for cell, outcome in outcomes(cells(study, 1), measure, n)} for n in (1, 2))
    assert one == two and len(one) == 8


def test_a_killed_process_is_told(tmp_path):
    with pytest.raises(InputError, match=r"its end \(exit code -9\); .*what is done is kept"):
        list(outcomes(cells(made(), 1), killed, 2))


PLUGIN = "[zoo.studies]\nmade = tests.zoo.studies.made_study:study\n"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that brings a study, found as a third party's is."""
    info = tmp_path / "site/made_study-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-study\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.chdir(tmp_path)
    return info.parent


def test_the_verb_lists_conducts_and_refuses(installed, tmp_path, capsys):
    assert main(["study"]) == 0
    assert "made  A study whose truth is known: level B is better by 2 points" in capsys.readouterr().out
    assert main(["study", "made", "--repetitions", "1", "--root", "r"]) == 0
    assert (tmp_path / "r/study/made/letters/study.html").is_file()
    capsys.readouterr()
    cases = {
        "mode": "did you mean made?",
        "made --factors lettre": "did you mean letter?",
        "made --repetitions none": "--repetitions: expected a whole number",
        "made --processes 0": "--processes: expected a whole number",
        "made --colour red": "--colour: expected no option of this study",
        "made --made.noise 0.2 --root r": "expected base.noise 0.004",
    }
    for words, line in cases.items():
        assert main(["study", *words.split()]) == 2
        err = capsys.readouterr().err
        assert line in err and err.count("\n") == 1
    assert main(["study", "--help"]) == 0
    assert "zoo study NAME" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_study_goes_on_and_ends_as_if_it_had_not(installed, tmp_path, how):
    log = tmp_path / "log"
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.path[:0] = [{str(ROOT)!r}, {str(installed)!r}]; from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["study", "made", "--repetitions", "2", "--processes", "2", "--output", "out"]

    def start():
        return subprocess.Popen([sys.executable, "-c", code, *words], cwd=tmp_path, env={**os.environ, "MADE_LOG": str(log)},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip

    first = start()
    path = tmp_path / "out/cells.jsonl"
    while not path.exists() or len(path.read_bytes().splitlines()) < 12:
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    (os.killpg if how == signal.SIGINT else os.kill)(first.pid, how)
    out, err = first.communicate(timeout=60)
    assert first.returncode == (130 if how == signal.SIGINT else -9)
    if how == signal.SIGINT:
        assert "the same command goes on" in out and "Traceback" not in err
        assert (tmp_path / "out/study.html").is_file()
    second = start()
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert "80/80 cells" in err
    done = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert len({line["key"] for line in done}) == len(done) == 80
    assert max(Counter(log.read_text().splitlines()).values()) <= 2  # at most what was under way is done twice
    assert len(log.read_text().splitlines()) <= 80 + 2
    study = made(of=logged)
    truth = {cell.key: measure(cell.tree) for cell in cells(study, 2)}
    assert {line["key"]: line["figures"] for line in done} == truth
