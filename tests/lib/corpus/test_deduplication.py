import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.corpus import deduplication
from llmops_assets.lib.corpus.deduplication import (
    NearIndex,
    conflicting_answers,
    contaminated,
    drop_alike,
    drop_near_duplicates,
    near_duplicate_groups,
    signatures,
)

WORDS = "how do i return my lamp when will the parcel arrive can you send an invoice where is your shop".split()
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join), max_size=12)


def rows(*texts, answer="a"):
    return [{"row_id": f"r{n}", "question": text, "answer": answer} for n, text in enumerate(texts)]


def dropped(found):
    return {row["row_id"]: match.row_id for row, match in found if match is not None}


def test_typos_greetings_and_marks_make_no_new_question_but_other_words_do():
    asked = rows(
        "How do I return a lamp that I bought online?",
        "how do i return a lamp that i bought online",
        "Hello, how do I return a lamp that I bougt online?",
        "Where do I find the invoice of my last order?",
    )
    found = list(drop_near_duplicates(asked))
    assert dropped(found) == {"r1": "r0", "r2": "r0"}
    assert found[1][1].similarity == 1.0
    assert deduplication.NEAR <= found[2][1].similarity < 1.0


def test_numbers_negation_and_other_answers_keep_near_duplicates_apart():
    asked = rows(
        "Can I return the floor lamp after 30 days?",
        "Can I return the floor lamp after 60 days?",
        "Can I not return the floor lamp after 30 days?",
    )
    other = {"row_id": "other", "question": asked[0]["question"], "answer": "b"}
    assert dropped(drop_near_duplicates([*asked, other])) == {}


def test_duplicates_are_found_across_sources_and_the_first_row_wins():
    asked = [{**row, "source": source} for row, source in zip(rows("Where is it?", "where is it"), "ab", strict=True)]
    assert dropped(drop_near_duplicates(asked)) == {"r1": "r0"}
    assert dropped(drop_near_duplicates(asked[::-1])) == {"r0": "r1"}


@pytest.mark.slow
@given(TEXTS, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_nothing_depends_on_how_rows_are_batched(texts, size):
    asked = rows(*texts)
    whole = [(row["row_id"], match) for row, match in drop_near_duplicates(asked)]
    index = NearIndex()
    pieces = []
    for start in range(0, len(asked), size):
        part = [(row["row_id"], row["question"], "a") for row in asked[start : start + size]]
        pieces += [
            (row_id, max(matches, key=lambda m: m.similarity, default=None))
            for row_id, matches in index.scan(part, lambda _, matches: not matches)
        ]
    assert pieces == whole


@pytest.mark.slow
@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_a_rows_group_never_changes_when_rows_are_added(texts):
    groups = [(found.row_id, found.group) for found in near_duplicate_groups(rows(*texts))]
    for length in range(len(texts)):
        assert [(f.row_id, f.group) for f in near_duplicate_groups(rows(*texts[:length]))] == groups[:length]
    anchors = {group for _, group in groups}
    assert all((row_id in anchors) == (row_id == group) for row_id, group in groups)


@pytest.mark.slow
def test_more_texts_than_a_table_holds_at_first_are_all_found_again():
    rng = random.Random(1)
    asked = rows(*(" ".join(rng.choices("abcdefghijklmnop", k=12)) + f" {n}" for n in range(5000)))
    index = NearIndex()
    texts = [(row["row_id"], row["question"], "") for row in asked]
    assert not any(matches for _, matches in index.scan(texts, lambda _, matches: not matches))
    again = [matches[0].row_id for _, matches in index.scan(texts, lambda _, matches: True)]
    assert again == [row["row_id"] for row in asked]
    assert len(index) == 5000
    assert index.bytes_held / len(index) < 600


def test_a_signature_estimates_the_share_of_common_letter_groups_whatever_stands_beside_it():
    one, other = "how long does delivery take", "how long does the delivery take"
    left, right = ({f" {t} "[i : i + 4] for i in range(len(t) - 1)} for t in (one, other))
    found = signatures([one, "", "x", other, "é" * 9000])
    assert (found[0] == found[3]).mean() == pytest.approx(len(left & right) / len(left | right), abs=0.12)
    assert (signatures([other])[0] == found[3]).all()
    assert signatures([]).shape == (0, 128)


def test_embeddings_find_repetitions_in_other_words_of_one_answer(words):
    asked = rows("return my red lamp", "my red lamp return", "where is my parcel")
    other = {"row_id": "b", "question": "return my red lamp", "answer": "another"}
    found = list(drop_alike([*asked, other], words.embed, 0.95))
    assert dropped(found) == {"r1": "r0"}
    assert found[1][1].similarity == pytest.approx(1.0, abs=1e-3)


def test_answers_that_differ_in_meaning_or_numbers_are_reported_with_their_counts(words):
    question = "How long can I return a lamp that I bought?"
    told = [
        {"row_id": str(n), "question": question.lower() if n % 2 else question, "answer": answer}
        for n, answer in enumerate(
            ["You have 30 days for that"] * 3
            + ["For that you have 30 days"]
            + ["You have 60 days for that"] * 2
            + ["A colleague calls back"]
        )
    ]
    told.append({"row_id": "x", "question": "Where is the shop?", "answer": "In Ghent"})
    [conflict] = conflicting_answers(told, words.embed)
    assert conflict.question == question
    assert conflict.answers == ("You have 30 days for that", "You have 60 days for that", "A colleague calls back")
    assert conflict.counts == (4, 2, 1)
    assert conflicting_answers(told[:4], words.embed) == []


def test_contamination_names_how_a_training_row_repeats_an_evaluation_question_and_where(words):
    evaluation = ["How do I return a lamp that I bought online?", "Is the garden lamp waterproof?"]
    trained = [
        ("commit-1", "a", "how do I return a lamp that I bought online"),
        ("commit-1", "b", "Hi, how do I return a lamp that I bought online"),
        ("commit-2", "c", "waterproof lamp garden, the is"),
        ("commit-2", "a", "how do I return a lamp that I bought online"),
        ("commit-2", "d", "Where is my parcel?"),
    ]
    hits = contaminated(evaluation, iter(trained), embed=words.embed)
    assert [(h.row_id, h.where, h.kind) for h in hits] == [
        ("a", "commit-1", "exact"),
        ("b", "commit-1", "embedding"),
        ("b", "commit-1", "near"),
        ("c", "commit-2", "embedding"),
    ]
    assert {h.question for h in hits if h.row_id != "c"} == {evaluation[0]}
    assert {h.kind for h in contaminated(evaluation, iter(trained))} == {"exact", "near"}
    assert contaminated([], iter(trained)) == []
    assert contaminated(evaluation, []) == []


def test_contamination_does_not_depend_on_batches(words):
    rng = np.random.default_rng(0)
    trained = [("c", str(n), " ".join(rng.choice(WORDS, 5))) for n in range(deduplication.BATCH + 50)]
    trained[0], trained[-2] = (("c", row_id, "How do I return the lamps?") for row_id in ("first", "again"))
    trained[-1] = ("c", "last", "how do i return my lamp")
    hits = contaminated(["How do I return my lamp?", "How do I return the lamps?"], iter(trained))
    assert [hit.row_id for hit in hits if hit.kind == "exact"] == ["last", "first"]


@pytest.mark.parametrize(
    ("trained", "kinds"),
    [
        ("Can I return the floor lamp after 30 days?", {"exact"}),
        ("can i return the FLOOR lamp after 30 days", {"exact"}),
        ("Can I return the floor lamp aftr 30 days?", {"near"}),
        ("Can I return the floor lamp after 60 days?", {"near"}),
        ("Can I not return the floor lamp after 30 days?", {"near"}),
        ("Hello, can I return the floor lamp after 30 days?", {"near"}),
        ("days 30 after lamp floor the return I can", {"embedding"}),
        ("Can I return the table lamp?", set()),
        ("Is the floor lamp heavy?", set()),
        ("", set()),
    ],
)
def test_contamination_planted_on_purpose_is_found_by_what_it_keeps(words, trained, kinds):
    planted = ("Can I return the floor lamp after 30 days?", "Where is your shop?")
    hits = contaminated(planted, [("c", "row", trained)], embed=words.embed, similarity=0.99)
    assert {hit.kind for hit in hits} == kinds
    assert {(hit.question, hit.trained, hit.row_id, hit.where) for hit in hits} <= {(planted[0], trained, "row", "c")}


def test_contamination_is_told_once_a_question_and_text_at_its_first_place():
    question = "Can I return the floor lamp after 30 days?"
    told = [(f"c{n}", f"r{n}", question) for n in range(3)] + [
        ("c3", "r3", "can i return the floor lamp after 30 days")
    ]
    hits = contaminated([question, question], told)
    assert [(hit.where, hit.row_id) for hit in hits] == [("c0", "r0"), ("c3", "r3")]
