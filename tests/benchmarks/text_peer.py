"""The peer of text classification: TF-IDF and logistic regression of scikit-learn, on the very splits of the nets.

    python tests/benchmarks/text_peer.py

`accuracy` answers for any two `Sentences`; the command measures WordNet's definitions. Validation is not trained on.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from tasks.text.data.glosses import WordNetGlosses
from tasks.text.data.sentences import Sentences
from tests.benchmarks.results import report


def classifier(bigrams: bool = False, inverse_penalty: float = 1.0) -> Pipeline:
    """TF-IDF of words, or of words and pairs, and multinomial logistic regression; scikit-learn's defaults otherwise."""
    words = TfidfVectorizer(ngram_range=(1, 2) if bigrams else (1, 1))
    return make_pipeline(words, LogisticRegression(C=inverse_penalty, max_iter=1000))


def accuracy(train: Sentences, test: Sentences, bigrams: bool = False, inverse_penalty: float = 1.0) -> float:
    """Share of the test sentences that a classifier of the training ones gets right, in percent."""
    fitted = classifier(bigrams, inverse_penalty).fit(train.texts, train.labels_N.numpy())
    return 100 * fitted.score(test.texts, test.labels_N.numpy())


def main() -> None:
    """Measure and report; the penalty of the last row is chosen on validation."""
    splits = WordNetGlosses().load()
    for name, bigrams in (("words", False), ("words and pairs", True)):
        start = time.process_time()
        found = accuracy(splits["train"], splits["test"], bigrams)
        note = f"scikit-learn's defaults, {time.process_time() - start:.0f} CPU s"
        report(f"WordNet definitions, TF-IDF of {name} + logistic regression", "a peer's", [found], True, "%", note)
    choices = {C: accuracy(splits["train"], splits["validation"], inverse_penalty=C) for C in (3.0, 10.0, 30.0)}
    best = max(choices, key=choices.__getitem__)
    found = accuracy(splits["train"], splits["test"], inverse_penalty=best)
    note = f"C = {best:g}, the best of 3, 10, 30 on validation"
    report("WordNet definitions, TF-IDF of words + logistic regression, tuned", "a peer's", [found], True, "%", note)


if __name__ == "__main__":
    main()
