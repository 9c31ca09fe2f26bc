import numpy as np
import pytest

from llmops_assets.lib.answering.acts import ACTS, Acts, lines
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder

KNOWN = ["Where is my order, it should be here by now", "How do I send something back?", "When are you open?"]


@pytest.fixture(scope="module")
def embedder():
    return Embedder(find_embedder_folder())


@pytest.fixture(scope="module")
def acts(embedder):
    return Acts.fit(embedder, KNOWN)


def told(acts, embedder, *texts):
    return acts.tell(texts, embedder.embed(texts))


def test_every_act_has_lines_and_none_is_twice():
    found = lines()
    assert {act for _, act in found} == set(ACTS)
    assert len({text for text, _ in found}) == len(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("has my repayment left your bank yet", "own_case"),
        ("could you look up what is wrong with <ORDER_NUMBER_1>", "own_case"),
        ("how many days may I keep a parcel before it goes back", "question"),
        ("let me speak with a real human being please", "person"),
        ("i see two identical debits on my card", "own_case"),
        ("my gift card was redeemed by a stranger", "own_case"),
        ("this is the worst shop I ever bought at, shame on you", "sorry"),
        ("please do not close my account", "negated"),
        ("hey there, lovely day isn't it", "chatter"),
    ],
)
def test_a_turn_is_told(acts, embedder, text, act):
    assert told(acts, embedder, text)[0].act == act


@pytest.mark.slow
def test_what_an_article_answers_is_a_question_and_a_number_makes_it_ones_own_case(acts, embedder):
    known, numbered = told(acts, embedder, KNOWN[0], "Where is my order <ORDER_NUMBER_1>?")
    assert (known.act, known.numbered) == ("question", False)
    assert (numbered.act, numbered.numbered) == ("own_case", True)
    assert told(acts, embedder, "where's order no. 4471902")[0].numbered
    for text in (
        "I ordered 2 of the 1500 lumen ones",
        "an order from 2023",
        "an order over 1000 euros",
        "a ticket in 2025",
    ):
        assert not told(acts, embedder, text)[0].numbered, text


@pytest.mark.slow
def test_it_is_kept_in_files_and_tells_the_same(acts, embedder):
    again = Acts.read({**acts.files(), "index.json": b"{}"})
    assert again.files() == acts.files()
    texts = ["where is my parcel", "agent!!"]
    assert told(again, embedder, *texts) == told(acts, embedder, *texts)
    assert Acts.read({"index.json": b"{}"}) is None


@pytest.mark.slow
def test_likelihoods_are_shares(acts, embedder):
    for found in told(acts, embedder, "hello", "", "<ORDER_NUMBER_1>", "x " * 500):
        assert 1 / len(ACTS) <= found.likely <= 1
    assert np.isfinite([found.likely for found in told(acts, embedder, "\u0000")]).all()
