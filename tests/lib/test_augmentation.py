import random
from collections import Counter

import pytest

from llmops_assets.lib.augmentation import DEFAULT_METHODS, MEANING, METHODS, augment, vary
from llmops_assets.lib.corpus.glossaries import GLOSSARIES, LANGUAGES

QUESTIONS = (
    "How do I return my Halo lamp within 30 days?",
    "Can I not pay my order <ORDER_NUMBER_1> with PayPal?",
    "Where do I find the invoice, and how long does delivery take?",
    "My parcel is late and nobody answers",
)
TRIO = ("slang", "typos", "fillers")
ROWS = [
    {
        "row_id": f"r{n}",
        "article": "many" if n else "few",
        "question": question,
        "answer": "x",
        "parent": "",
        "method": "",
    }
    for n, question in enumerate(QUESTIONS)
]


def test_slang_is_as_it_was_asked_for():
    assert vary("Can you tell me what to do?", "slang", "1") == "can u tell me wut to do"


def test_every_method_is_drawn_from_its_seed_and_leaves_placeholders_whole():
    for method in METHODS:
        for question in QUESTIONS:
            drawn = vary(question, method, "7")
            assert drawn == vary(question, method, "7")
            assert question.count("<ORDER_NUMBER_1>") == drawn.count("<ORDER_NUMBER_1>")


@pytest.mark.parametrize("method", METHODS)
def test_variants_keep_their_facts_name_their_parent_and_do_not_depend_on_order(method):
    made = augment(ROWS, share=1.0, seed=3, methods=(method,))
    by_id = {row["row_id"]: row for row in ROWS}
    for row in made.rows:
        question = by_id[row["parent"]]["question"]
        assert row["method"] == method
        assert row["question"] != question
        assert row["answer"] == "x"
        assert ("30" in question) == ("30" in row["question"])
        assert ("halo" in question.lower()) == ("halo" in row["question"].lower())
        assert ("paypal" in question.lower()) == ("paypal" in row["question"].lower())
    assert made.rows, "a method that never passes is no method"
    again = augment(ROWS[::-1], share=1.0, seed=3, methods=(method,))
    assert again.rows[::-1] == made.rows
    assert len({row["row_id"] for row in made.rows}) == len(made.rows)


def test_what_the_methods_do():
    rng = random.Random(1)
    assert METHODS["punctuation"]("Is it 4.90, or more (with Wi-Fi)?", rng) == "Is it 4.90 or more with Wi-Fi"
    assert METHODS["casing"]("Where is it", rng) in {"WHERE IS IT", "where is it", "Where Is It"}
    assert METHODS["german"]("where is my order?", rng) == "wo ist mein Bestellung?"
    assert METHODS["spanish"]("can i change the address", rng) == "puedo cambiar el dirección"
    assert METHODS["french"]("how long does delivery take", rng) == "how long does delivery take".replace(
        "how long does", "combien de temps prend"
    ).replace("delivery", "livraison")
    assert METHODS["german"]("Architects crave unusual luminaires", rng) == "Architects crave unusual luminaires"
    assert METHODS["two_turns"]("I paid, where is the receipt?", rng) == "I paid\nwhere is the receipt?"
    first, second = METHODS["context_turn"]("Where is it?", rng).split("\n")
    assert first
    assert second == "Where is it?"
    assert METHODS["paraphrase"]("How do I reset my lamp?", rng) != "How do I reset my lamp?"
    assert METHODS["paraphrase"]("Reset", rng) == "Reset"


def test_a_variant_that_changes_a_fact_is_dropped_and_counted():
    made = augment(
        ROWS[:2], share=1.0, seed=1, methods=(), rewriters={"model": lambda texts: ["all else"] * len(texts)}
    )
    assert made.rows == []
    assert [row["reason"] for row in made.dropped] == ["model: a number changed", "model: a placeholder changed"]


def test_a_models_rewriting_passes_only_with_the_same_meaning(words):
    told = {
        ROWS[2]["question"]: "Where do I find the invoice and how long does a delivery take?",
        ROWS[3]["question"]: "no",
    }
    made = augment(
        ROWS[2:], share=1.0, seed=1, methods=(), rewriters={"model": lambda t: [told[x] for x in t]}, embed=words.embed
    )
    assert [(row["parent"], row["method"]) for row in made.rows] == [("r2", "model")]
    assert made.similarities[made.rows[0]["row_id"]] >= 0.75
    assert [row["reason"] for row in made.dropped] == ["model: the meaning may have changed"]
    strict = augment(
        ROWS[2:3],
        share=1.0,
        seed=1,
        methods=(),
        rewriters={"model": lambda t: [told[x] for x in t]},
        embed=words.embed,
        meaning={"model": 1.01},
    )
    assert strict.rows == []


def test_a_model_that_skips_a_text_is_refused():
    with pytest.raises(ValueError, match="model gave 1 texts for 4 questions"):
        augment(ROWS, share=1.0, seed=1, methods=(), rewriters={"model": lambda texts: texts[:1]})


def test_rare_groups_are_brought_up_to_the_target_and_full_ones_left_alone():
    made = augment(ROWS, share=0.0, seed=1, target=3, methods=TRIO)
    assert Counter(row["article"] for row in made.rows) == {"few": 2}
    assert len({row["question"] for row in made.rows}) == 2
    assert {row["parent"] for row in made.rows} == {"r0"}
    assert augment(ROWS[::-1], share=0.0, seed=1, target=3, methods=TRIO).rows == made.rows
    never = augment(ROWS[:1], share=0.0, seed=1, target=50, methods=("slang",))
    assert len(never.rows) == 1, "one method without chance has one variant to give"


def test_variants_have_no_variants():
    made = augment(ROWS, share=1.0, seed=1, methods=TRIO)
    assert made.rows
    assert augment(made.rows, share=1.0, seed=1, target=9, methods=TRIO).rows == []


def test_about_the_share_of_the_rows_get_a_variant():
    many = [{**ROWS[3], "row_id": f"m{n}"} for n in range(400)]
    assert 90 <= len(augment(many, share=0.3, seed=5, methods=TRIO).rows) <= 150


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no augmentation called loud; there are slang"):
        augment(ROWS, share=1.0, seed=1, methods=("loud",))


def test_defaults_and_thresholds_are_of_methods_that_exist():
    assert DEFAULT_METHODS == (), "docs/decisions/augmentation.md says that none has been measured to help"
    assert augment(ROWS, share=1.0, seed=1, target=9).rows == []
    assert set(MEANING) == set(METHODS)


def test_glossaries_know_the_same_words_in_every_language():
    sizes = {language: len(GLOSSARIES[language]) for language in LANGUAGES}
    assert len(set(sizes.values())) == 1
    assert all(words and other for glossary in GLOSSARIES.values() for words, other in glossary.items())
