"""N-gram models: probabilities sum to one, equal a hand count, and survive the ARPA format."""

import itertools
import math

import pytest

from tasks.speech.decoding.ngram import END, START, UNKNOWN, NGram, adjusted_counts, read_arpa, trained, write_arpa
from zoo.errors import InputError

CORPUS = [s.split() for s in ("a b a c", "b a", "c c a b", "a", "b b c a b a")]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_sum_to_one_after_every_history(order):
    model = trained(CORPUS, order)
    units = ["a", "b", "c", END, UNKNOWN]
    assert set(model.vocabulary) == set(units)
    for length in range(order):
        for history in itertools.product(["a", "b", "c", START, "never"], repeat=length):
            total = sum(10 ** model.log10(unit, history) for unit in units)
            assert total == pytest.approx(1, abs=1e-12), history


def test_bigrams_by_hand():
    # Corpus: <s> a b </s>, <s> a c </s>; d = 0.5. Bigrams: <s>a 2, ab 1, ac 1, b</s> 1, c</s> 1.
    model = trained([["a", "b"], ["a", "c"]], order=2, discount=0.5)
    # Unigrams count contexts: a 1 (<s>), b 1, c 1, </s> 2: five in all, four kinds, five units with <unk>.
    spare = 0.5 * 4 / 5 / 5
    a, end = 0.5 / 5 + spare, 1.5 / 5 + spare
    assert 10 ** model.log10(UNKNOWN, ()) == pytest.approx(spare)
    assert 10 ** model.log10("a", (START,)) == pytest.approx(1.5 / 2 + 0.25 * a)
    assert 10 ** model.log10("b", ("a",)) == pytest.approx(0.5 / 2 + 0.5 * a)
    assert 10 ** model.log10(END, ("b",)) == pytest.approx(0.5 + 0.5 * end)
    assert 10 ** model.log10("a", ("b",)) == pytest.approx(0.5 * a)
    assert model.log10("never", ("b",)) == model.log10(UNKNOWN, ("b",))


def test_lower_orders_count_contexts_not_occurrences():
    counts = adjusted_counts([[START, *"xyxyzy", END]], 2)
    assert counts[0] == {("x",): 2, ("y",): 2, ("z",): 1, (END,): 1}
    assert counts[1][("x", "y")] == 2


def test_a_sentence_and_its_perplexity():
    model = trained(CORPUS, 2)
    steps = [("b", (START,)), ("a", ("b",)), (END, ("a",))]
    assert model.sentence_log10(["b", "a"]) == pytest.approx(sum(model.log10(*step) for step in steps))
    assert model.perplexity([["b", "a"]]) == pytest.approx(10 ** (-model.sentence_log10(["b", "a"]) / 3))
    assert model.perplexity(CORPUS) < trained(CORPUS, 1).perplexity(CORPUS)


def test_arpa_keeps_the_model(tmp_path):
    model = trained(CORPUS, 3)
    write_arpa(model, tmp_path / "m.arpa")
    again = read_arpa(tmp_path / "m.arpa")
    assert again.order == 3
    for history in itertools.product(["a", "b", START, "never"], repeat=2):
        for unit in ("a", "c", END, "never"):
            assert again.log10(unit, history) == pytest.approx(model.log10(unit, history), abs=1e-6)


def test_arpa_as_other_tools_write_it(tmp_path):
    # Spaces for tabs and no back-off where it is 0, as SRILM may.
    (tmp_path / "m.arpa").write_text(
        "\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-0.5 a -0.3\n-0.5\tb\n-99\t<s>\t-0.1\n\n\\2-grams:\n-0.2 a b\n\n\\end\\\n"
    )
    model = read_arpa(tmp_path / "m.arpa")
    assert model.log10("b", ("a",)) == -0.2
    assert model.log10("a", ("a",)) == pytest.approx(-0.8)
    assert model.log10("never", ()) == -math.inf


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected sections"),
        ("\\data\\\n\\1-grams:\nnone a\n", "line 3: expected a probability"),
        ("\\1-grams:\n-1\ta b\n", "line 2: expected a probability, 1 units"),
    ],
)
def test_a_damaged_arpa_file_is_named(tmp_path, text, said):
    (tmp_path / "m.arpa").write_text(text)
    with pytest.raises(InputError, match=said):
        read_arpa(tmp_path / "m.arpa")


def test_wrong_options():
    for options, said in (({"order": 0}, "order: expected 1"), ({"discount": 1.0}, "discount: expected")):
        with pytest.raises(InputError, match=said):
            trained(CORPUS, **options)
    with pytest.raises(InputError, match="expected sentences"):
        trained([])
    assert isinstance(trained([[]], 2), NGram)
