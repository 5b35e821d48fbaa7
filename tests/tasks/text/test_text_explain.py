"""Pages of sentences: chosen as asked, shown exactly, with their checks; and the net is left as it was."""

import re
from html import unescape

import pytest
import torch

from tasks.text.data import Sentences, Split
from tasks.text.explain import explain_sections, judged_split
from tasks.text.judged import answers_to, chosen_examples, judged, words_of
from tasks.text.pages.reading_facts import facts_of
from tasks.text.pages.sentences import shaded_sentences
from tasks.text.tokeniser import Tokeniser
from tasks.text.word_values import METHODS
from tests.tasks.text.planted_words import trained
from zoo.errors import InputError

STRANGE = "  fine <b>&amp; dull</b>\t“שלום” w1\u200d 👩‍👩‍👧 e\u0301 qzx!  "


@pytest.fixture(scope="module")
def seen():
    return judged_split(*trained())


def test_answers_are_the_nets_in_the_order_of_the_split(seen):
    task, data = trained()
    split = data.splits["test"]
    expected = task.net(split.encoded.padded(torch.arange(len(split)))).softmax(1)
    torch.testing.assert_close(seen.probabilities_NC, expected.detach())
    part = seen.take(torch.tensor([5, 2]))
    assert part.texts == [seen.texts[5], seen.texts[2]]
    assert part.encoded.tokens_of(1).equal(split.encoded.tokens_of(2))
    assert part.encoded.offsets_of(0) == split.encoded.offsets_of(5)


def test_sentences_are_chosen_as_asked(seen):
    assert chosen_examples(seen, "each", 4).tolist() == [0, 1, 2, 3]  # labels 0 1 0 1
    assert chosen_examples(seen, "each", 3).tolist() == [0, 1, 2]
    assert not len(chosen_examples(seen, "misclassified", 9))
    assert chosen_examples(seen, "7, 3", 9).tolist() == [7, 3]
    for wrong in ("worst", "200", "-1"):
        with pytest.raises(InputError, match="--choose: expected each, misclassified, or indices below 200"):
            chosen_examples(seen, wrong, 3)


def test_the_worst_mistake_comes_first():
    task, data = trained()
    split = data.splits["test"]
    turned = split.labels_N.clone()
    turned[[4, 9]] = 1 - turned[[4, 9]]
    found = judged(task.net, split.sentences.texts, split.encoded, turned)
    chosen = chosen_examples(found, "misclassified", 9)
    of_truth = found.probabilities_NC.gather(1, turned[:, None])[:, 0]
    assert set(chosen.tolist()) == {4, 9} and of_truth[chosen[0]] <= of_truth[chosen[1]]


def test_a_page_shows_the_sentence_exactly_and_every_word_in_the_table():
    task, data = trained()
    shown = answers_to(task.net, data.tokeniser, [STRANGE])
    figure = shaded_sentences(
        shown, {"gradient_x_input": torch.arange(1.0, 1 + len(shown.encoded.tokens_M))}, ["a", "b"]
    )
    paragraph = re.search(r'<p class="words" dir="auto">(.*?)</p>', figure.body, re.S)[1]
    assert unescape(re.sub(r"<[^>]*>", "", paragraph)) == STRANGE
    assert "<b>&amp;" not in paragraph
    table = {row[1]: row for row in figure.table.rows}
    assert table["fine"][2] == "" and table["qzx"][2] == "unknown"
    assert sum(row[3] for row in figure.table.rows) == sum(range(1, 1 + len(shown.encoded.tokens_M)))


def test_words_beyond_the_limit_are_shown_as_not_read():
    words = words_of("a b c d", [(0, 1), (2, 3)], [1.0, -1.0], [False, True], cut=True)
    assert [(w.text, w.value, w.unknown, w.unread) for w in words] == [
        ("a", 1.0, False, False),
        (" ", None, False, False),
        ("b", -1.0, True, False),
        (" c d", None, False, True),
    ]
    assert not words_of("a b.", [(0, 1), (2, 3)], [1.0, -1.0], [False, True])[-1].unread


def test_facts_count_unknown_cut_and_empty():
    tokeniser = Tokeniser.trained(["a b c"], max_length=3)
    texts = ["a b x", "", " \t", "a b c a b"]
    split = Split(Sentences(texts, torch.zeros(4, dtype=torch.int64)), tokeniser.encode(texts))
    assert facts_of(split) == [4, 2.0, 100 * 1 / 8, 1, 2, 2]


def test_the_report_has_its_sections_and_the_net_is_left_as_it_was():
    task, data = trained()
    before = {name: value.clone() for name, value in task.state_dict().items()}
    titles = [section.title for section in task.report_sections(data)]
    assert titles == ["Confusion matrix", "What was read", "N-grams that drive each class", "What the answers rest on"]
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())


def test_the_explanation_has_its_checks_and_they_find_the_planted_net_faithful():
    task, data = trained()
    sections = {s.title: s for s in explain_sections(task, data, count=3, steps=8)}
    assert list(sections) == [
        "Words",
        "N-grams that switched on the maps",
        "Do the values mean anything?",
        "Randomisation check",
    ]
    checks = sections["Do the values mean anything?"]
    deletion, insertion = (dict((row[0], row[1]) for row in figure.table.rows) for figure in checks.figures[:2])
    for name in ("gradient x input", "integrated gradients", "leave one out"):
        assert deletion[name] > 0.9 and insertion[name] > 0.9
    assert len(checks.data["completeness_gap"]) == 50
    last = [list(layers.values())[-1] for layers in sections["Randomisation check"].data.values()]
    assert all(abs(one) < 0.35 for one in last)


def test_a_users_sentences_are_explained_without_the_set():
    task, data = trained()
    fresh = type(data)()
    fresh.load_state_dict(data.state_dict())
    sections = explain_sections(task, fresh, ("integrated_gradients",), texts=["", STRANGE, "fine"], steps=4)
    assert not fresh.splits and "an empty sentence, read as one unknown word" in sections[0].figures[0].body


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"names": ("magic",)}, "--methods: expected some of gradient_norm"),
        ({"choose": "misclassified"}, "no test sentence is misclassified"),
        ({"choose": "each", "texts": ["a"]}, "expected no choice beside --text"),
    ],
)
def test_wrong_options_are_one_line(options, said):
    with pytest.raises(InputError, match=said):
        explain_sections(*trained(), **options)


def test_every_method_is_in_the_default_page():
    assert set(METHODS) == {"gradient_norm", "gradient_x_input", "integrated_gradients", "smoothgrad", "leave_one_out"}
