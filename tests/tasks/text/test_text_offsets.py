"""Every map joins back to the exact original string: random Unicode through every kind of tokeniser."""

import random

import pytest
import torch
from tokenizers import normalizers

from tasks.text.judged import words_of
from tasks.text.pieces import pieces, spans
from tasks.text.tokeniser import PAD, UNKNOWN, Tokeniser

CORPUS = [
    "a small bird isn't here",
    "Éclair café naïve",
    "שלום עולם",
    "日本語 テキスト",
    "🙂 👩‍👩‍👧 e\u0301 x",
    "1,000.5 well-known it's",
] * 5

# What breaks offsets: accents and vowel signs that stand alone or compose (also under NFC), joiners, variation
# selectors, skin tones, tags, right-to-left letters and overrides, characters whose lower case is longer, ligatures,
# Hangul jamo, line separators, NUL, and the tokeniser's own special words as text.
TRICKY = [
    *"abcdeZ019 .,'’-!?\t\n[]", "\u0301", "\u0308", "\u05b0", "\u064b", "\u3099", "\u20dd", "\u200b", "\u200c",
    "\u200d", "\ufeff", "\ufe0f", "👩", "👧", "🙂", "🏽", "\U000e0041", "ש", "ל", "م", "\u202e", "\u2066", "日", "か", "가",
    "ᄀ", "ᅡ", "ﬁ", "ß", "\u1e9e", "İ", "ŉ", "ǆ", "Å", "Ω", "\U0001d400", "\u0000", "\x85", "\u2028", "[PAD]", "[UNK]",
    "n't", "'s",
]  # fmt: skip


def random_text(source: random.Random) -> str:
    """Tricky characters, or any code points but surrogates."""
    if source.random() < 0.6:
        return "".join(source.choice(TRICKY) for _ in range(source.randint(0, 14)))
    points = (source.randint(0, 0x10FFFF) for _ in range(source.randint(0, 10)))
    return "".join(chr(point) for point in points if not 0xD800 <= point <= 0xDFFF)


@pytest.fixture(scope="module", params=["word", "bpe", "wordpiece", "unigram"])
def tokeniser(request) -> Tokeniser:
    return Tokeniser.trained(CORPUS, request.param, 200)


def test_maps_join_to_the_original_string_and_lose_no_value(tokeniser):
    source = random.Random(0)
    texts = [random_text(source) for _ in range(3000)]
    encoded = tokeniser.encode(texts)
    for n, text in enumerate(texts):
        offsets, tokens = encoded.offsets_of(n), encoded.tokens_of(n)
        values = [1.0 + i for i in range(len(offsets))]
        found = pieces(text, offsets, values)
        assert "".join(part for part, _ in found) == text
        assert all(part for part, _ in found)
        words = words_of(text, offsets, values, (tokens == UNKNOWN).tolist())
        assert "".join(word.text for word in words) == text
        assert all(0 <= start <= stop <= len(text) for start, stop in offsets)
        if offsets != [(0, 0)]:
            assert sum(value for _, value in found if value is not None) == sum(values)
        assert PAD not in tokens.tolist()  # padding starts behind a sentence, whatever it says


def test_only_spaces_are_without_a_piece(tokeniser):
    source = random.Random(1)
    for _ in range(500):
        text = random_text(source)
        offsets = tokeniser.encode([text]).offsets_of(0)
        left = [part for part, value in pieces(text, offsets, [1.0] * len(offsets)) if value is None]
        assert all(part.isspace() for part in left), ascii(text)


def test_a_words_characters_are_the_words():
    tokeniser = Tokeniser.trained(CORPUS)
    fold = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    source = random.Random(2)
    known = 0
    for _ in range(1000):
        words = [source.choice(" ".join(CORPUS).split()) for _ in range(4)]
        text = source.choice([" ", "  ", "\t", " \u202e", "!"]).join(word.upper() for word in words)
        encoded = tokeniser.encode([text])
        tokens = encoded.tokens_of(0).tolist()
        for start, stop, token in spans(text, encoded.offsets_of(0), tokens):
            if token != UNKNOWN and len(tokens) == len(spans(text, encoded.offsets_of(0), tokens)):
                known += 1
                assert fold.normalize_str(text[start:stop]) == tokeniser.words[token]
    assert known > 3000


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("cafe\u0301!", ["cafe\u0301", "!"]),
        ("👩\u200d👩\u200d👧 hi", ["👩\u200d👩\u200d👧", "hi"]),
        ("👍🏽 ok", ["👍🏽", "ok"]),
        ("❤\ufe0f a", ["❤\ufe0f", "a"]),
        ("a\u200d b", ["a\u200d", "b"]),
    ],
)
def test_a_written_sign_stays_in_one_piece(text, signs):
    encoded = Tokeniser.trained(CORPUS).encode([text])
    offsets = encoded.offsets_of(0)
    assert [part for part, value in pieces(text, offsets, [1.0] * len(offsets)) if value is not None] == signs


def test_tokens_that_share_a_character_add_up():
    assert spans("ab", [(0, 1), (0, 2), (2, 2)], [1.0, 2.0, 9.0]) == [(0, 2, 3.0)]


def test_special_words_in_a_sentence_are_text_also_after_reading_back():
    trained = Tokeniser.trained(CORPUS)
    for one in (trained, Tokeniser.from_json(trained.to_json())):
        encoded = one.encode(["a [PAD] bird [UNK]"])
        assert PAD not in encoded.tokens_M.tolist()
        assert [("a [PAD] bird [UNK]")[a:b] for a, b in encoded.offsets_of(0)] == [
            "a",
            "[",
            "PAD",
            "]",
            "bird",
            "[",
            "UNK",
            "]",
        ]


def test_taken_sentences_are_those_of_the_split():
    encoded = Tokeniser.trained(CORPUS, max_length=3).encode(["a small bird isn't", "", "x", "שלום עולם"])
    part = encoded.take(torch.tensor([3, 0, 0]))
    assert [part.tokens_of(n).tolist() for n in range(3)] == [encoded.tokens_of(n).tolist() for n in (3, 0, 0)]
    assert part.offsets_of(0) == encoded.offsets_of(3) and part.cut_N.tolist() == [0, 2, 2]
    assert len(encoded.take(torch.tensor([], dtype=torch.int64))) == 0
