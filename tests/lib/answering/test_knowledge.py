import numpy as np
import pytest
from support import WordEmbedder, article

from llmops_assets.lib.answering.knowledge import PASSAGE_CHARACTERS, KnowledgeIndex, calibrate, passages, route
from llmops_assets.lib.records import RouterPolicy

ARTICLES = (
    article("delivery", "It takes 3 to 5 days.", "how long does delivery take", "when does my parcel arrive"),
    article("returns", "Within 30 days.", "how can i return a lamp", "can i send a lamp back"),
    article("warranty", "Two years.", "how long is the warranty", "is there a guarantee on lamps"),
)


@pytest.fixture
def index(words):
    return KnowledgeIndex.build(ARTICLES, words)


def test_search_gives_each_article_once_by_its_nearest_question(index, words):
    hits = index.search(words.embed(["when does the parcel arrive"])[0], 3)
    assert hits[0].article == "delivery"
    assert len({hit.article for hit in hits}) == 3
    assert hits[0].question == "when does my parcel arrive"
    assert hits[0].similarity >= hits[1].similarity >= hits[2].similarity


def test_held_out_questions_are_not_in_the_index(words):
    index = KnowledgeIndex.build([article("a", "x", "known", held_out=["secret question"])], words)
    assert [entry.question for entry in index.entries] == ["known"]


def test_an_index_is_one_file_with_equal_bytes_for_equal_content(index, words):
    again = KnowledgeIndex.build(ARTICLES, words)
    assert index.to_bytes() == again.to_bytes()
    read = KnowledgeIndex.from_bytes(index.to_bytes())
    assert read.articles == index.articles
    assert read.embedder_digest == words.digest
    vector = words.embed(["guarantee"])[0]
    assert read.search(vector) == index.search(vector)


def test_a_long_answer_is_cut_between_words_in_a_prompt_only():
    long = "word " * 400
    index = KnowledgeIndex.build([article("a", long.strip(), "known")], WordEmbedder())
    hits = index.search(WordEmbedder().embed(["known"])[0])
    [cut] = passages(hits, POLICY)
    assert len(cut) <= PASSAGE_CHARACTERS
    assert cut.endswith("word …")
    assert hits[0].answer == long.strip()
    assert passages(KnowledgeIndex.build(ARTICLES, WordEmbedder()).search(np.ones(256)), POLICY)[0] in {
        a.answer for a in ARTICLES
    }


def test_vectors_must_belong_to_questions(index):
    with pytest.raises(ValueError, match="6 questions but 2"):
        KnowledgeIndex(ARTICLES, index.entries, np.zeros((2, 4)), "x")


POLICY = RouterPolicy(answer_above=0.8, hand_over_below=0.4, margin=0.1, passages=2)


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [(0.9, 0.5, "matched"), (0.9, 0.85, "generated"), (0.6, 0.1, "generated"), (0.3, 0.1, "handover")],
)
def test_a_sure_and_distinct_match_is_answered_an_unknown_question_is_handed_over(index, words, first, second, path):
    hits = index.search(words.embed(["delivery"])[0], 2)
    changed = [
        type(hit)(hit.article, score, hit.question, hit.answer, hit.intent)
        for hit, score in zip(hits, (first, second), strict=True)
    ]
    assert route(changed, POLICY) == path


def test_no_hit_is_a_handover_and_no_retrieval_is_generation():
    assert route([], POLICY) == "handover"
    assert route([], POLICY.model_copy(update={"retrieval": False})) == "generated"


def test_passages_follow_the_policy(index, words):
    hits = index.search(words.embed(["delivery parcel"])[0], 3)
    assert passages(hits, POLICY) == [hit.answer for hit in hits[:2]]
    assert passages(hits, POLICY.model_copy(update={"retrieval": False})) == []


def test_calibration_keeps_the_precision_and_separates_foreign_questions(words):
    many = [
        article(f"topic{n}", f"answer {n}", *(f"topic{n} word{n} variant{v} please" for v in range(4)))
        for n in range(12)
    ]
    index = KnowledgeIndex.build(many, words)
    foreign = words.embed([f"unknown{n} stranger{n} nothing{n}" for n in range(10)])
    policy = calibrate(index, out_of_scope=foreign, precision=0.97)
    assert all(route(index.search(vector, 2), policy) == "handover" for vector in foreign)
    asked = words.embed([f"topic{n} word{n} variant9 please" for n in range(12)])
    found = [index.search(vector, 2) for vector in asked]
    direct = [(n, hits) for n, hits in enumerate(found) if route(hits, policy) == "matched"]
    assert len(direct) >= 10
    assert all(hits[0].article == f"topic{n}" for n, hits in direct)


def test_with_one_phrasing_each_only_near_equality_is_answered(words):
    policy = calibrate(KnowledgeIndex.build([article("a", "x", "one"), article("b", "y", "two")], words))
    assert policy.answer_above == 0.95
