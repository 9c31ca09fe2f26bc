import dataclasses
import io
import json
import mmap
import zipfile

import numpy as np
import pytest
from support import WordEmbedder, article

from llmops_assets.lib.answering.knowledge import (
    LETTERS,
    PASSAGE_CHARACTERS,
    TWIN,
    KnowledgeIndex,
    calibrate,
    passages,
    route,
)
from llmops_assets.lib.records import RouterPolicy

ARTICLES = (
    article("delivery", "It takes 3 to 5 days.", "how long does delivery take", "when does my parcel arrive"),
    article("returns", "Within 30 days.", "how can i return a lamp", "can i send a lamp back"),
    article("warranty", "Two years.", "how long is the warranty", "is there a guarantee on lamps"),
)


@pytest.fixture
def index(words):
    return KnowledgeIndex.build(ARTICLES, words)


def found(index, words, question, k=2):
    return index.search(question, words.embed([question])[0], k)


def test_search_gives_each_article_once_by_its_nearest_question(index, words):
    hits = found(index, words, "when does the parcel arrive", 3)
    assert hits[0].article == "delivery"
    assert len({hit.article for hit in hits}) == 3
    assert hits[0].question == "when does my parcel arrive"
    assert hits[0].similarity >= hits[1].similarity >= hits[2].similarity


def test_an_index_warms_up_before_it_is_asked(words):
    for articles in (ARTICLES, ARTICLES[:1]):
        index = KnowledgeIndex.build(articles, words)
        index.warm_up()
        assert {"speller"} <= set(vars(index))
        assert "_fitted" in vars(index._lexical)


def test_held_out_questions_are_not_in_the_index(words):
    index = KnowledgeIndex.build([article("a", "x", "known", held_out=["secret question"])], words)
    assert [entry.question for entry in index.entries] == ["known"]


def test_an_index_is_one_file_with_equal_bytes_for_equal_content(index, words):
    again = KnowledgeIndex.build(ARTICLES, words)
    assert index.to_bytes() == again.to_bytes()
    read = KnowledgeIndex.from_bytes(index.to_bytes())
    assert read.articles == index.articles
    assert read.embedder_digest == words.digest
    assert found(read, words, "guarantee") == found(index, words, "guarantee")
    assert read.acts is None


def test_an_index_file_is_searched_in_place(index, words, tmp_path):
    (tmp_path / "index.zip").write_bytes(index.to_bytes())
    read = KnowledgeIndex.load(tmp_path / "index.zip")
    assert isinstance(read.vectors.base, np.memmap | mmap.mmap)
    assert not read.vectors.flags.owndata
    assert not read.vectors.flags.writeable
    # What is not aligned is copied by every product.
    assert read.vectors.ctypes.data % 64 == 0
    assert np.array_equal(read.vectors, index.vectors)
    assert found(read, words, "guarantee") == found(index, words, "guarantee")
    empty = KnowledgeIndex([], [], np.zeros((0, 8), np.float32), "e")
    (tmp_path / "empty.zip").write_bytes(empty.to_bytes())
    assert KnowledgeIndex.load(tmp_path / "empty.zip").vectors.shape == (0, 8)


def test_an_index_of_before_whose_vectors_are_compressed_is_read(index, words, tmp_path):
    with (
        zipfile.ZipFile(io.BytesIO(index.to_bytes())) as archive,
        zipfile.ZipFile(tmp_path / "old.zip", "w", zipfile.ZIP_DEFLATED) as old,
    ):
        for name in archive.namelist():
            old.writestr(name, archive.read(name))
    assert np.array_equal(KnowledgeIndex.load(tmp_path / "old.zip").vectors, index.vectors)


def test_a_typing_error_is_found_by_its_letters(words):
    index = KnowledgeIndex.build(ARTICLES, words)
    # No word is known, so the meaning says nothing.
    assert found(index, words, "garantee lmaps")[0].article == "warranty"
    assert found(index, words, "garantee lmaps")[0].similarity < found(index, words, "guarantee lamps")[0].similarity


def test_an_index_of_before_is_searched_as_its_thresholds_were_calibrated(index, words):
    with zipfile.ZipFile(io.BytesIO(index.to_bytes())) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(files["index.json"])
    assert about.pop("letters") == LETTERS
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {**files, "index.json": json.dumps(about)}.items():
            archive.writestr(name, data)
    old = KnowledgeIndex.from_bytes(buffer.getvalue())
    question = "when does my parcel arrive"
    vector = words.embed([question])
    assert old.similarities([question], vector)[0] == pytest.approx(index.vectors @ vector[0], abs=1e-6)


def test_similarity_is_of_meaning_and_letters(index, words):
    vector = words.embed(["when does my parcel arrive"])
    both = index.similarities(["when does my parcel arrive"], vector)[0]
    place = [entry.question for entry in index.entries].index("when does my parcel arrive")
    meaning = float(vector[0] @ index.vectors[place])
    assert both[place] == pytest.approx((1 - LETTERS) * meaning + LETTERS, abs=1e-6)
    # Letters that have nothing in common add nothing.
    assert index.similarities(["zzzz"], vector)[0][place] == pytest.approx((1 - LETTERS) * meaning, abs=1e-6)


def test_a_long_answer_is_cut_between_words_in_a_prompt_only():
    long = "word " * 400
    index = KnowledgeIndex.build([article("a", long.strip(), "known")], WordEmbedder())
    hits = found(index, WordEmbedder(), "known")
    [cut] = passages(hits, POLICY)
    assert len(cut) <= PASSAGE_CHARACTERS
    assert cut.endswith("word …")
    assert hits[0].answer == long.strip()
    short = found(KnowledgeIndex.build(ARTICLES, WordEmbedder()), WordEmbedder(), "delivery")
    assert passages(short, POLICY)[0] in {a.answer for a in ARTICLES}


def test_vectors_must_belong_to_questions(index):
    with pytest.raises(ValueError, match="6 questions but 2"):
        KnowledgeIndex(ARTICLES, index.entries, np.zeros((2, 4)), "x")


POLICY = RouterPolicy(answer_above=0.8, hand_over_below=0.4, margin=0.1, passages=2)


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [(0.9, 0.5, "matched"), (0.9, 0.85, "generated"), (0.6, 0.1, "generated"), (0.3, 0.1, "handover")],
)
def test_a_sure_and_distinct_match_is_answered_an_unknown_question_is_handed_over(index, words, first, second, path):
    hits = found(index, words, "delivery")
    changed = [
        type(hit)(hit.article, score, hit.question, hit.answer, hit.intent)
        for hit, score in zip(hits, (first, second), strict=True)
    ]
    assert route(changed, POLICY) == path


def test_what_needs_a_look_up_is_a_persons_however_near_it_is(index, words):
    [nearest, *_] = found(index, words, "delivery")
    looked_up = dataclasses.replace(nearest, similarity=0.99, kind="look_up")
    assert route([looked_up], POLICY) == "handover"
    assert route([dataclasses.replace(looked_up, kind="answer")], POLICY) == "matched"


def test_no_hit_is_a_handover_and_no_retrieval_is_generation():
    assert route([], POLICY) == "handover"
    assert route([], POLICY.model_copy(update={"retrieval": False})) == "generated"


def test_passages_follow_the_policy(index, words):
    hits = found(index, words, "delivery parcel", 3)
    assert passages(hits, POLICY) == [hit.answer for hit in hits[:2]]
    assert passages(hits, POLICY.model_copy(update={"retrieval": False})) == []


def test_calibration_keeps_the_precision_and_separates_foreign_questions(words):
    many = [
        article(f"topic{n}", f"answer {n}", *(f"topic{n} word{n} variant{v} please" for v in range(4)))
        for n in range(12)
    ]
    index = KnowledgeIndex.build(many, words)
    foreign = [f"unknown{n} stranger{n} nothing{n}" for n in range(10)]
    policy = calibrate(index, out_of_scope=list(zip(foreign, words.embed(foreign), strict=True)), precision=0.97)
    assert all(route(found(index, words, question), policy) == "handover" for question in foreign)
    nearest = [found(index, words, f"topic{n} word{n} variant9 please") for n in range(12)]
    direct = [(n, hits) for n, hits in enumerate(nearest) if route(hits, policy) == "matched"]
    assert len(direct) >= 10
    assert all(hits[0].article == f"topic{n}" for n, hits in direct)


def test_questions_that_are_not_for_support_raise_the_similarity_that_is_answered(words):
    many = [
        article(f"t{n}", f"a {n}", *(f"lamp{n} glass{n} word v{v}" for v in range(4)), f"lamp{n}") for n in range(8)
    ]
    index = KnowledgeIndex.build(many, words)
    asked = [f"lamp{n} glass{n} pepper" for n in range(8)] * 5
    before, after = (
        calibrate(index, out_of_scope=list(zip(foreign, words.embed(foreign), strict=True)), precision=0.99)
        for foreign in ([], asked)
    )
    answered = [sum(route(found(index, words, q), p) == "matched" for q in asked) for p in (before, after)]
    assert answered[1] < answered[0] == len(asked)
    assert route(found(index, words, "lamp3 glass3 word v9"), after) == "matched"


def test_a_question_left_out_for_calibration_takes_its_twins_with_it(words):
    asked = ["how long is the warranty of lamps", "how long is the warranty of lamps?", "guarantee in years"]
    index = KnowledgeIndex.build([article("a", "x", *asked), article("b", "y", "do you ship abroad", "abroad")], words)
    assert index.similarities(asked[:1], index.vectors[:1])[0][1] >= TWIN
    nearest = index.search_without(0)[0]
    assert (nearest.article, nearest.question) != ("a", asked[1])


def test_with_one_phrasing_each_only_near_equality_is_answered(words):
    policy = calibrate(KnowledgeIndex.build([article("a", "x", "one"), article("b", "y", "two")], words))
    assert policy.answer_above == 0.95
