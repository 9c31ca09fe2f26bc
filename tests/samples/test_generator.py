"""The sample: enough of it, seeded, in days, and never showing what is held out."""

import json
from collections import Counter

from llmops_assets.lib.corpus.deduplication import normalised
from llmops_assets.lib.sources import check, read_rows
from llmops_assets.samples import generator


def test_the_knowledge_base_has_facts_paraphrases_and_a_topic_that_comes_later():
    articles = generator.load_articles()
    old = [a for a in articles if a.available_from is None]
    assert len({a.intent for a in articles}) >= 12
    assert len(articles) >= 60
    assert all(a.facts and len(a.questions) >= 4 and len(a.held_out) >= 2 for a in articles)
    assert {a.available_from for a in articles if a.intent == generator.NEW_TOPIC_INTENT} == {generator.NEW_TOPIC_DAY}
    assert len(old) < len(articles)
    assert all("{" not in text for a in articles for text in (*a.questions, *a.held_out, a.answer))


def test_every_answer_carries_its_own_facts():
    from llmops_assets.lib.judging.texts import has_facts

    assert [a.id for a in generator.load_articles() if not has_facts(a.answer, a.facts)] == []


def test_held_out_questions_are_no_known_phrasing_of_any_article():
    articles = generator.load_articles()
    known = {normalised(q) for a in articles for q in a.questions}
    assert [q for a in articles for q in a.held_out if normalised(q) in known] == []


def test_the_same_seed_gives_the_same_conversations_and_another_others():
    first = list(generator.conversations(200))
    assert first == list(generator.conversations(200))
    assert first != list(generator.conversations(200, seed=8))
    assert len({row["id"] for row in first}) == 200


def test_two_weeks_in_order_with_the_new_topic_from_its_day_on():
    rows = list(generator.conversations(1400))
    days = [row["time"][:10] for row in rows]
    assert days == sorted(days)
    assert set(Counter(days).values()) == {100}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    new = [row["time"][:10] for row in rows if row["intent"] == generator.NEW_TOPIC_INTENT]
    assert min(new) == str(generator.NEW_TOPIC_DAY)
    assert 0.15 < len(new) / sum(day >= str(generator.NEW_TOPIC_DAY) for day in days) < 0.35


def test_the_archive_is_what_the_reader_reads(tmp_path):
    files = generator.write_archive(tmp_path, 140)
    assert len(files) == 14
    assert sum(check(file) for file in files) == 140
    row = next(read_rows(files[0]))
    assert row.time is not None
    assert "@" in row.subject
    assert not list(tmp_path.glob(".*"))


def test_conversations_carry_personal_data_slang_and_typos():
    rows = list(generator.conversations(600))
    text = json.dumps(rows)
    assert sum("LM-" in row["question"] for row in rows) > 40
    assert "IBAN" not in text
    assert sum(" u " in f" {row['question']} " or " ur " in f" {row['question']} " for row in rows) > 10
    assert {row["source"] for row in rows} == {"chat", "ticket", "email", "faq"}


def test_live_traffic_knows_what_is_right_and_feedback_corrects_what_is_not():
    queries = generator.live_traffic(generator.NEW_TOPIC_DAY, 200, seed=1)
    assert 20 < sum(q.intent == generator.NEW_TOPIC_INTENT for q in queries) < 80
    assert sum(q.article is None for q in queries) > 0
    said = [generator.feedback_for(q, False) for q in queries if q.article]
    corrections = [f[2] for f in said if f]
    assert len(corrections) > 100
    assert set(corrections) <= {q.reference for q in queries}
    right = [generator.feedback_for(q, True) for q in queries]
    assert {f[0] for f in right if f} == {1}


def test_the_samples_policy_facts_are_answered_by_its_articles_exactly():
    from llmops_assets.lib import evalsuite
    from llmops_assets.lib.judging.grading import grade
    from llmops_assets.lib.slices import read_folder

    known = {article.id: article for article in generator.load_articles()}
    slices = read_folder(generator.SLICES, generator.SCORERS)
    items = evalsuite.build_suite(list(known.values()), (), new_since=None, slices=slices)
    asked = [item for item in items if item.slice == "policy_facts"]
    assert len(asked) == sum(len(one.questions) for one in slices) == 10
    for item in asked:
        assert item.article in known
        assert item.question not in known[item.article].questions
        assert grade(item, known[item.article].answer, "matched", item.article), item.question
        assert not grade(item, f"{known[item.article].answer} Or 77 of them.", "matched", item.article)
