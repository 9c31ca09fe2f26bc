from collections import Counter

from support import article

from llmops_assets.lib.corpus.curation import curate

TOPICS = "red lamp|blue parcel|green invoice|warm bulb|old shade|new plug|fast courier|late refund".split("|")
ARTICLES = [
    article(
        f"a{n}",
        f"The answer about the {topic} is number {n}",
        *(f"{w} the {topic}" for w in ("where is", "how big is", "who has", "when came")),
    )
    for n, topic in enumerate(TOPICS)
]


def conversation(name, question, answer, subject="s", language="en"):
    return {
        "row_id": name,
        "source": "chat",
        "day": "2026-03-02",
        "subject": subject,
        "question": question,
        "answer": answer,
        "language": language,
    }


CONVERSATIONS = [
    conversation("c1", "please tell me why my red lamp is so dark", ARTICLES[0].answer, "s1"),
    conversation("c2", "Please tell me, why my red lamp is so dark!", ARTICLES[0].answer, "s2"),
    conversation("c3", "please tell me why my red lamp is so dark", ARTICLES[1].answer, "s3"),
    conversation("c4", "??", ARTICLES[1].answer, "s4"),
    conversation("c5", "what is the meaning of blue parcels then", "I will forward this to a colleague.", "s5"),
]


def curated(words, **more):
    settings = {
        "seed": 1,
        "rows_per_article": 6,
        "share": 0.5,
        "held_out_share": 0.2,
        "methods": ("slang", "typos"),
    } | more
    return curate(ARTICLES, CONVERSATIONS, words.embed, **settings)


def test_everything_that_came_in_is_a_row_or_was_dropped_with_a_reason(words):
    found = curated(words)
    reasons = {row["row_id"]: row["reason"] for row in found.dropped}
    assert reasons["c4"] == "too short"
    assert reasons["c5"] == "boilerplate: the answer says nothing"
    assert sum(reason.startswith("duplicate of") for reason in reasons.values()) == 1
    origins = [row for row in found.rows if not row["parent"]]
    held_back = sum(placed.side == "held_back" for placed in found.sides)
    assert len(origins) + held_back == 32 + 2
    assert found.linked == 1.0
    assert found.duplicate_rate == 1 / 35


def test_only_the_training_side_has_variants_and_they_are_on_it(words):
    found = curated(words)
    side = {placed.row_id: placed.side for placed in found.sides}
    assert found.variants
    assert {side[row["parent"]] for row in found.variants} == {"training"}
    assert {side[row["row_id"]] for row in found.variants} == {"training"}
    assert set(side) >= {row["row_id"] for row in found.rows}
    counted = Counter(placed.side for placed in found.sides)
    assert counted["held_out"] >= 4
    assert "held_back" not in {side[row["row_id"]] for row in found.rows}


def test_an_agents_contradiction_is_reported(words):
    [conflict] = curated(words).conflicts
    assert conflict.question == "please tell me why my red lamp is so dark"
    assert conflict.answers == (ARTICLES[0].answer, ARTICLES[1].answer)
    assert conflict.counts == (2, 1)


def test_known_sides_stand_when_rows_come_in_front(words):
    first = curated(words)
    known = {placed.identity: placed.side for placed in first.sides}
    articles = [article("new", "Something new", "who is new here", "what else is new"), *ARTICLES[::-1]]
    later = curate(
        articles, CONVERSATIONS, words.embed, seed=1, rows_per_article=6, share=0.5, held_out_share=0.2, known=known
    )
    before = {p.row_id: p.side for p in first.sides}
    after = {p.row_id: p.side for p in later.sides}
    common = set(before) & set(after)
    assert len(common) >= 34
    assert all(before[name] == after[name] for name in common)


def test_without_conversations_the_articles_teach(words):
    found = curate(ARTICLES, [], words.embed, seed=1, rows_per_article=2, share=0.0)
    assert len(found.rows) == 16
    assert found.conflicts == []
    assert found.linked == 0.0


def test_rows_about_one_case_and_contradicted_ones_teach_nothing(words):
    own = "I have sent you the red lamp again and your bulb arrived yesterday"
    rows = [
        conversation("own", "where has my red lamp gone to then", own, "s1"),
        conversation("held", "how is it with the blue parcel these days", ARTICLES[1].answer, "s2"),
        conversation("free", "tell me more of the green invoice please", ARTICLES[2].answer, "s3"),
    ]
    look_up = ARTICLES[0].model_copy(update={"kind": "look_up", "answer": ARTICLES[2].answer, "id": "z"})
    found = curate([*ARTICLES, look_up], rows, words.embed, seed=1, rows_per_article=6, share=0, undecided={"held"})
    reasons = {row["row_id"]: row["reason"] for row in found.dropped}
    assert reasons["own"] == "personal: something done for a customer"
    assert reasons["held"] == "contradicted: undecided"
    assert [row["article"] for row in found.rows if row["source"] in ("own", "held", "free")] == ["a2"]
