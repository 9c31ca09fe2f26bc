"""Weights of terms are scikit-learn's, which a process that serves does not load."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.answering.acts import _TOKEN, RUN
from llmops_assets.lib.answering.lexical import RUNS, Lexical
from llmops_assets.lib.answering.ngrams import Known, Weights, words

TEXTS = ("Where is my order?", "where  is\tmy parcel", "Can't I return it?", "ab", "", "Straße ÄÖ", "now now now now")


@pytest.fixture(scope="module")
def vectorizer():
    from sklearn.feature_extraction.text import TfidfVectorizer

    return partial(TfidfVectorizer, sublinear_tf=True, dtype=np.float32)


def test_likeness_in_letters_is_scikit_learns(vectorizer):
    reference = vectorizer(analyzer="char", ngram_range=(2, 4))
    known = reference.fit_transform(TEXTS)
    asked = [*TEXTS, "wher is my oder", "x", "completely other words"]
    expected = (reference.transform(asked) @ known.T).toarray()
    assert np.abs(Lexical(TEXTS).similarities(asked) - expected).max() < 1e-6
    assert expected.max() > 0.99


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab ?'Ä\n", max_size=12), min_size=1, max_size=6))
def test_words_and_letters_of_any_text_are_scikit_learns(vectorizer, texts):
    for reference, terms in (
        (vectorizer(analyzer="char", ngram_range=(2, 4)), RUNS),
        (
            vectorizer(ngram_range=(1, RUN), token_pattern=_TOKEN.pattern),
            partial(words, pattern=_TOKEN, longest=RUN),
        ),
    ):
        try:
            rows = reference.fit_transform(texts)
        except ValueError:
            # It refuses a vocabulary without a term.
            assert Known(terms, texts).similarities(texts).max() == 0
            continue
        weights = Weights(terms, list(reference.get_feature_names_out()), reference.idf_)
        for text, row in zip(texts, rows, strict=True):
            columns, values = weights.row(text)
            assert columns.tolist() == sorted(row.indices.tolist())
            assert np.abs(values - row.toarray()[0, columns]).max(initial=0) < 1e-6
        assert np.abs(Known(terms, texts).similarities(texts) - (rows @ rows.T).toarray()).max() < 1e-6


def test_nothing_known_is_like_nothing():
    assert Known(RUNS, []).similarities(["a text"]).shape == (1, 0)


SERVES = """
import json, sys
import numpy as np
from llmops_assets.gateway.__main__ import main
from llmops_assets.lib.answering.acts import ACTS, Acts
from llmops_assets.lib.answering.lexical import Lexical
from llmops_assets.lib.guarding import Guards
Lexical(["where is my order"]).similarities(["wher is my oder"])
Acts(["where"], np.ones(1), np.ones((3, len(ACTS)), np.float32)).tell(["where"], np.ones((1, 1)))
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


@pytest.mark.slow
def test_a_process_that_serves_loads_no_library_of_training():
    done = subprocess.run([sys.executable, "-c", SERVES], capture_output=True, text=True, check=True, timeout=100)
    loaded = set(json.loads(done.stdout))
    assert "llmops_assets" in loaded
    assert loaded & {"sklearn", "scipy", "pandas", "pyarrow", "torch", "spacy", "mlflow", "dagster"} == set()
