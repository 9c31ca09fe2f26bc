from support import article

from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.corpus import datasets
from llmops_assets.lib.corpus.deduplication import drop_duplicates, leaks, normalised

ARTICLES = tuple(article(f"a{n}", f"answer number {n}", *(f"question {n} {v}" for v in "abcd")) for n in range(6))
CONVERSATIONS = [
    {"row_id": f"c{n}", "question": f"customer asks {n}", "source": "chat", "day": "2026-03-02"} for n in range(3)
]


def rows():
    return datasets.candidate_rows(ARTICLES, CONVERSATIONS, ["a0", None, "a5"])


def test_a_linked_conversation_is_answered_as_its_article_and_an_unlinked_one_teaches_nothing():
    made = [row for row in rows() if row["source"] != "knowledge_base"]
    assert [(row["source"], row["answer"]) for row in made] == [("c0", "answer number 0"), ("c2", "answer number 5")]


def turns(*asked, conversation="c"):
    about = {"conversation": conversation, "source": "chat", "day": "2026-03-02"}
    return [{**about, "row_id": f"{conversation}{n}", "turn": n, "question": text} for n, text in enumerate(asked)]


def histories(conversations, links):
    made = datasets.candidate_rows(ARTICLES, conversations, links)
    return [row["history"] for row in made if row["source"] != "knowledge_base"]


def test_a_row_that_leans_on_the_turn_before_is_taught_with_it():
    asked = turns("how do i send a desk back", "and what does that cost", "which opening hours does the shop have")
    assert histories(asked, ["a0", "a1", "a2"]) == [[], ["how do i send a desk back", "answer number 0"], []]


def test_a_turn_is_no_history_of_another_conversation_or_where_it_teaches_nothing():
    leaning = turns("how do i send a desk back", "and what does that cost")
    assert histories(leaning, [None, "a1"]) == [[]]
    assert histories([*turns("where is it", conversation="d"), leaning[1]], ["a0", "a1"]) == [[], []]


def test_a_turn_that_is_held_out_or_left_out_is_no_history(words):
    asked = turns("how do i send a desk back", "and what does that cost")
    made = datasets.candidate_rows(ARTICLES, asked, ["a0", "a1"])
    index = KnowledgeIndex.build(ARTICLES, words)
    first = next(row["row_id"] for row in made if row["question"] == asked[0]["question"])

    def history(sides, leaking=()):
        found = datasets.parts(
            made, sides, [], dict.fromkeys(leaking, "leaks"), index, words.vectors([r["question"] for r in made]), [],
            open_book_share=0.0, passages=1, reference_rows=1, seed=1,
        )  # fmt: skip
        return next(row["history"] for row in found.rows if row["question"] == asked[1]["question"])

    learned = dict.fromkeys([row["row_id"] for row in made], "training")
    assert history(learned) == ["how do i send a desk back", "answer number 0"]
    assert history({**learned, first: "held_out"}) == []
    assert history(learned, [first]) == []


def test_equal_questions_after_other_turns_are_different_rows():
    first = turns("how do i send a desk back", "and what does that cost")
    second = turns("where is the shop of yours", "and what does that cost", conversation="d")
    made = datasets.candidate_rows(ARTICLES, [*first, *second], ["a0", "a1", "a2", "a1"])
    assert len({row["row_id"] for row in made}) == len(made)


def test_every_row_says_where_it_comes_from_and_no_two_say_the_same():
    made = [*rows(), *datasets.general_rows([("What is a lamp?", "A light."), ("And a moth?", "An animal.")])]
    named = [row["provenance"] for row in made]
    assert "chat/2026-03-02/c0" in named
    assert len(set(named)) == len(named)


def test_spread_prefers_an_articles_own_phrasings_and_is_independent_of_order():
    first = datasets.spread(rows(), 4, seed=1)
    assert [(row["article"], row["source"]) for row in first] == [
        (f"a{n}", "knowledge_base") for n in range(6) for _ in range(4)
    ]
    assert datasets.spread(rows()[::-1], 4, seed=1) == first
    assert len(datasets.spread(rows(), 9, seed=1)) == 26


def test_open_book_rows_hold_the_right_passage_among_others(words):
    index = KnowledgeIndex.build(ARTICLES, words)
    source = rows()
    made = datasets.with_passages(
        source, index, words.vectors([r["question"] for r in source]), share=1.0, passages=3, seed=1
    )
    assert {row["kind"] for row in made} == {"open_book"}
    assert all(row["answer"] in row["passages"] and len(row["passages"]) == 3 for row in made)
    assert len({row["row_id"] for row in made}) == len(made)
    closed = datasets.with_passages(source, index, {}, share=0.0, passages=3, seed=1)
    assert closed == source


def test_passages_stand_as_served_found_as_if_the_question_were_new(words):
    index = KnowledgeIndex.build([article("a", "A", "red lamp"), article("b", "B", "red lamps", "bulb")], words)
    [row] = datasets.with_passages(
        datasets.candidate_rows([index.articles["a"]], [], []),
        index,
        words.vectors(["red lamp"]),
        share=1.0,
        passages=2,
        seed=1,
    )
    assert row["passages"] == ["B", "A"], "the question itself would have found A first"


def test_duplicates_go_by_normalised_text_and_keep_the_reason():
    kept, dropped = drop_duplicates(
        [{"row_id": "1", "question": "Where is it?"}, {"row_id": "2", "question": "  where IS it "}], ["question"]
    )
    assert [row["row_id"] for row in kept] == ["1"]
    assert dropped == [{"row_id": "2", "question": "  where IS it ", "reason": "duplicate of 1"}]
    assert normalised("Ünïcode, <PERSON_1>!") == "ünïcode <person_1>"


def test_leaks_finds_equal_and_similar_questions_only(words):
    held_out = ["how long does standard delivery take", "is the lamp waterproof"]
    asked = [
        ("same", "How long does standard DELIVERY take?!"),
        ("near", "how long does the standard delivery take"),
        ("other", "where is my invoice"),
    ]
    found = leaks(
        [{"row_id": i, "question": q} for i, q in asked],
        held_out,
        words.vectors([*held_out, *(q for _, q in asked)]),
    )
    assert set(found) == {"same", "near"}
    assert found["same"] == "equals a held-out question"
    assert leaks([], held_out, {}) == {}


def test_a_warm_start_learns_all_that_is_new_and_repeats_some_of_the_old():
    source = rows()
    known = {row["row_id"] for row in source[:20]}
    chosen = datasets.with_replay(source, known, 5, seed=1)
    assert [row for row in chosen if row["row_id"] not in known] == source[20:]
    assert sum(row["row_id"] in known for row in chosen) == 5
    assert datasets.with_replay(source[::-1], known, 5, seed=1) == chosen[::-1]
    assert datasets.with_replay(source, set(), 5, seed=1) == source
    assert datasets.with_replay(source, {row["row_id"] for row in source}, 5, seed=1) == source


def test_an_article_that_needs_a_look_up_teaches_nothing_and_is_no_passage(words):
    looked_up = article("status", "I cannot look.", "question of status").model_copy(update={"kind": "look_up"})
    index = KnowledgeIndex.build([looked_up, *ARTICLES], words)
    made = datasets.candidate_rows([looked_up, ARTICLES[0]], [], [])
    assert {row["article"] for row in made} == {"a0"}
    vectors = words.vectors([row["question"] for row in made])
    told = datasets.with_passages(made, index, vectors, share=1.0, passages=7, seed=1)
    assert all("I cannot look." not in row["passages"] and row["passages"] for row in told)
