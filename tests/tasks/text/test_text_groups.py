"""Swaps: a net of known weights moves by the known amount, a net that is blind does not, intervals cover."""

import json
import math

import pytest
import torch
from scipy.stats import t
from torch import nn

from tasks.text.groups import along, crossed_interval, log_odds, swapped
from tasks.text.networks import SentenceCNN
from tasks.text.pages.swap import swap_section
from tasks.text.swaps import DEFAULT, Swap, read_swaps
from tasks.text.tokeniser import Tokeniser
from tests.tasks.text.made_sentences import RECIPE
from zoo.cli.main import main
from zoo.errors import InputError

TERMS = [("ann", "bob"), ("eve", "dan"), ("ida", "tom")]
TEMPLATES = ["{name} is good", "{name} sees {name} here", "a film by {name}"]
SWAP = Swap("names", TEMPLATES, "name", TERMS)
TOKENISER = Tokeniser.trained([" ".join(SWAP.filled(term)) for pair in TERMS for term in pair])


class BagOfWords(nn.Module):
    """logits = sum over words of a row each: the log-odds of two classes are linear in the vectors."""

    def __init__(self, logits_VC):
        super().__init__()
        self.rows = nn.Parameter(logits_VC.double())

    def embed(self, tokens_BT):
        return self.rows[tokens_BT]

    def classify(self, vectors_BTE, present_BT):
        return (vectors_BTE * present_BT[..., None]).sum(1)

    def forward(self, tokens_BT):
        return self.classify(self.embed(tokens_BT), tokens_BT != 0)


def drawn(classes=2, seed=0):
    return BagOfWords(torch.randn(len(TOKENISER), classes, generator=torch.Generator().manual_seed(seed)))


def weight(net, term):
    """What a word adds to the log-odds of class 1 of two."""
    row = net.rows.detach()[TOKENISER.words.index(term)]
    return float(row[1] - row[0])


def test_linear_net_moves_by_its_weights_and_so_do_its_derivatives():
    net = drawn()
    found = swapped(net, TOKENISER, SWAP)
    truth = torch.tensor(
        [[n * (weight(net, b) - weight(net, a)) for a, b in TERMS] for n in (1, 2, 1)], dtype=torch.float64
    )
    line = along(net, found, 1, steps=1)
    for values_LP in (found.change_LPC[..., 1], line.slope_LP, line.path_LP):
        torch.testing.assert_close(values_LP, truth, atol=1e-12, rtol=0)
    torch.testing.assert_close(found.change_LPC[..., 0], -truth)
    p = net(found.first.padded(torch.tensor([0]))).softmax(1)[0]
    torch.testing.assert_close(found.before_LPC[0, 0], p)


def test_slope_is_the_limit_of_small_steps_and_its_average_is_the_change():
    torch.manual_seed(0)
    net = SentenceCNN(len(TOKENISER), 3, 6, region_sizes=(1, 2), feature_maps=4, activation=nn.Tanh).double().eval()
    found = swapped(net, TOKENISER, SWAP)
    for c in range(3):
        line = along(net, found, c, steps=400)
        torch.testing.assert_close(line.path_LP, found.change_LPC[..., c], atol=2e-4, rtol=0)
        for row in range(9):
            tokens = [encoded.padded(torch.tensor([row])) for encoded in (found.first, found.second)]
            a, b = (net.embed(one).detach() for one in tokens)
            odds = [log_odds(net.classify(a + h * (b - a), tokens[0] != 0))[0, c].detach() for h in (-1e-6, 1e-6)]
            assert float(line.slope_LP[row % 3, row // 3]) == pytest.approx(float(odds[1] - odds[0]) / 2e-6, abs=1e-6)


def test_a_net_that_is_blind_to_the_terms_does_not_move():
    net = drawn()
    with torch.no_grad():
        for pair in TERMS:
            for term in pair:
                net.rows[TOKENISER.words.index(term)] = 0
    found = swapped(net, TOKENISER, SWAP)
    one = crossed_interval(found.change_LPC[..., 1])
    assert (one.mean, one.low, one.high) == (0, 0, 0)
    assert not along(net, found, 1).slope_LP.any()


def test_log_odds_are_those_of_the_probabilities():
    logits = torch.randn(5, 4).double() * 3
    p = logits.softmax(1)
    torch.testing.assert_close(log_odds(logits), (p / (1 - p)).log())


def test_interval_is_students_where_only_one_thing_varies():
    x = torch.tensor([0.3, -0.2, 0.9, 0.4]).double()
    half = t.ppf(0.975, 3) * float(x.std()) / 2
    for values_LP in (x[:, None].expand(4, 3), x[None, :], x[:, None]):
        one = crossed_interval(values_LP)
        assert [one.mean, one.low, one.high] == pytest.approx([0.35, 0.35 - half, 0.35 + half])
    assert crossed_interval(torch.ones(1, 1)).high == math.inf


def test_intervals_cover_the_truth_of_drawn_templates_and_pairs_and_plain_ones_do_not():
    generator = torch.Generator().manual_seed(0)
    covered = plain = 0
    for _ in range(400):
        values = torch.randn(6, 1, generator=generator) + torch.randn(1, 8, generator=generator)
        values = values + torch.randn(6, 8, generator=generator)
        one = crossed_interval(values)
        covered += one.low <= 0 <= one.high
        plain += bool(values.mean().abs() <= t.ppf(0.975, 47) * values.std() / 48**0.5)
    assert 0.93 <= covered / 400 <= 0.995 and plain / 400 < 0.7


def test_unknown_terms_are_named_and_left_out():
    swap = Swap("names", TEMPLATES, "name", [("ann", "zoe"), ("eve", "dan"), ("van gogh", "tom"), ("tom ida", "bob")])
    found = swapped(drawn(), TOKENISER, swap)
    assert found.unknown == ["zoe", "van gogh"] and found.pairs == [("eve", "dan"), ("tom ida", "bob")]
    assert found.even_P.tolist() == [True, False] and along(drawn(), found, 1).slope_LP.shape == (3, 1)
    with pytest.raises(InputError, match=r"swap 'x': expected a pair .* got none \(zoe, lea are unknown\)"):
        swapped(drawn(), TOKENISER, Swap("x", TEMPLATES, "name", [("zoe", "lea")]))


def test_a_template_word_that_is_unknown_is_no_fault_of_the_term():
    swap = Swap("names", ["{name} quacks"], "name", [("ann", "bob")])
    assert swapped(drawn(), TOKENISER, swap).pairs == [("ann", "bob")]


# Files and page

GOOD = """templates:
  name: ["{name} is good", "a film by {name}"]
swaps:
  first: {slot: name, from: [ann, eve, zoe], to: [bob, dan, tom]}
  second: {slot: name, from: [lea], to: [max]}
"""


class Task:
    def __init__(self, net):
        self.net = net


class Data:
    tokeniser = TOKENISER
    class_names = ["bad", "good"]


def test_the_section_holds_the_known_numbers_and_names_what_is_left_out(tmp_path):
    (tmp_path / "swaps.yaml").write_text(GOOD)
    net = drawn()
    net.train()
    section = swap_section(Task(net), Data(), tmp_path / "swaps.yaml")
    assert net.training
    row = section.figures[0].table.rows[0]
    truth = [weight(net, b) - weight(net, a) for a, b in TERMS[:2]]
    assert row[:3] == ["good", "change", pytest.approx(sum(truth) / 2)]
    assert "alone" not in section.figures[0].caption
    assert "Not in the vocabulary, left out with their pairs: zoe." in section.figures[0].caption
    assert "Left out: swap 'second'" in section.figures[-1].caption
    assert len(section.data["rows"]) == 4 and section.data["rows"][0][7] == pytest.approx(truth[0])


def test_many_classes_show_those_that_change_most(tmp_path):
    (tmp_path / "swaps.yaml").write_text(GOOD)
    net = drawn(9)
    data = Data()
    data.class_names = list("abcdefghi")
    section = swap_section(Task(net), data, tmp_path / "swaps.yaml")
    moved = swapped(net, TOKENISER, read_swaps(tmp_path / "swaps.yaml")[0]).change_LPC.mean((0, 1)).abs()
    shown = {row[0] for row in section.figures[0].table.rows}
    assert shown == {"abcdefghi"[c] for c in moved.argsort()[-6:].tolist()}


def test_the_shipped_templates_are_good():
    swaps = read_swaps("default")
    assert len(swaps) == 4 and all(len(swap.pairs) and len(swap.templates) > 2 for swap in swaps)
    assert DEFAULT.is_file()


BAD = {
    "absent": (None, "expected default or a file of templates, got .*swaps.yaml"),
    "slot": (
        GOOD.replace("{name} is good", "Ann is good"),
        r"expected \{name\} in the template 'Ann is good', got no slot",
    ),
    "other slot": (GOOD.replace("{name} is good", "{nam} is good"), r"expected \{name\} .* got \{nam\}"),
    "unequal": (
        GOOD.replace("[bob, dan, tom]", "[bob]"),
        "expected as many terms in from and to of 'first', got 3 and 1",
    ),
    "no slot": (
        GOOD.replace("slot: name, from: [lea]", "slot: person, from: [lea]"),
        r"expected a slot with templates \(name\)",
    ),
    "key": (GOOD.replace("from: [lea]", "form: [lea]"), "expected slot, from and to in 'second', got slot, form, to"),
    "number": (GOOD.replace("[lea]", "[1984]"), r"expected a list of texts in from of 'second', got \[1984\]"),
    "top": (GOOD + "extra: 1\n", "expected the keys templates and swaps, got extra"),
    "empty": ("templates: {}\nswaps: {}\n", "expected a mapping under 'templates'"),
    "list": ("- a\n", "expected a mapping"),
    "unknown": (
        GOOD.replace("ann, eve, zoe", "a1, a2, a3"),
        "--swap: expected a swap whose terms the net knows, got none",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_one_line(tmp_path, case):
    text, line = BAD[case]
    if text is not None:
        (tmp_path / "swaps.yaml").write_text(text)
    with pytest.raises(InputError, match=line) as caught:
        swap_section(Task(drawn()), Data(), tmp_path / "swaps.yaml")
    assert "\n" not in str(caught.value)


def test_explain_shows_the_swaps(tmp_path, monkeypatch, capsys):
    (tmp_path / "made.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "made.yaml"]) == 0
    run = str(next(tmp_path.rglob("report.html")).parent)
    words = "templates:\n  x: ['w1 {x} w2', '{x} w3']\nswaps:\n  to bad: {slot: x, from: [good], to: [bad]}\n"
    (tmp_path / "swaps.yaml").write_text(words)
    brief = ["--methods", "gradient_x_input", "--examples", "2", "--steps", "4", "--output", "page"]
    assert main(["explain", run, "--swap", "swaps.yaml", *brief]) == 0
    page = json.loads((tmp_path / "page/explain.json").read_text())
    section = next(one for one in page["sections"] if one["title"] == "Swapped groups")
    mean, low, high = section["figures"][0]["rows"][0][2:5]
    assert "One pair alone: the intervals say nothing of other pairs." in section["figures"][0]["caption"]
    assert low < mean < high < 0  # "bad" speaks against "positive"
    capsys.readouterr()
    assert main(["explain", run, "--swap", "swap.yaml"]) == 2
    assert "--swap: expected default or a file of templates, got swap.yaml" in capsys.readouterr().err
