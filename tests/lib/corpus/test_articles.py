"""A knowledge base out of conversations: what becomes an article, what is left out and listed."""

from collections import Counter

from llmops_assets.lib.answering.wordings import BUILT_IN
from llmops_assets.lib.auditing.placeholders import unservable
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.teaching import Judge

ASKED = ("how do I", "where can one", "please tell me how to", "is there a way to", "what do I do to", "may I")


def rows(intent, topic, *answers, language="en"):
    """Six questions on a topic, answered in turn."""
    return [
        {
            "row_id": f"{intent}{number}",
            "question": f"{asked} {topic}?",
            "answer": answers[number % len(answers)],
            "intent": intent,
            "predicted_intent": "",
            "language": language,
        }
        for number, asked in enumerate(ASKED)
    ]


def made(words, *found):
    return articles.made_of([row for part in found for row in part], words.vectors, Judge(), max_articles=80)


BOOTS = rows(
    "boots",
    "rent the boots",
    "Hi <PERSON_1>,\n\nBoots are rented at the desk. Bring your passport.\n\nBest,\n<PERSON_2>",
    "<p>Boots are rented at the desk.</p><p>I have put size 41 aside for you.</p>",
)
PARCEL = rows(
    "parcel",
    "find the parcel",
    "Your parcel was left with the porter.",
    "I've sent your parcel again.",
    "Parcels are kept for ten days.",
)


def test_an_article_is_what_agreeing_answers_share_without_whom_it_was_said_to(words):
    [article] = made(words, BOOTS).articles
    assert article.answer == "Boots are rented at the desk."
    assert article.kind == "answer"
    assert len(article.questions) + len(article.held_out) == 6


def test_each_answer_that_agents_repeat_is_an_article_however_many_an_intent_has(words):
    topics = {
        "boots": "Boots are rented at the desk.",
        "skis": "Skis are waxed in the cellar over night.",
        "passes": "Passes open the gate until four.",
        "lockers": "Lockers take a coin of two francs.",
        "lessons": "Lessons start at the yellow flag.",
    }
    asked = [
        {**row, "row_id": f"{topic}{row['row_id']}"}
        for topic, answer in topics.items()
        for row in rows("hall", topic, answer)
    ]
    found = articles.made_of(asked, words.vectors, Judge(), max_articles=40)
    assert {article.answer for article in found.articles} == set(topics.values())
    for article in found.articles:
        [topic] = [name for name, answer in topics.items() if answer == article.answer]
        assert all(topic in question for question in (*article.questions, *article.held_out))


def test_where_no_answer_is_given_twice_a_few_groups_are_made(words):
    asked = rows("hall", "boots", *(f"Boots are rented at the desk {where}." for where in "abcdef"))
    apart = [
        {**row, "answer": f"{row['answer']} {' '.join([f'w{n}x{m}' for m in range(9)])}"} for n, row in enumerate(asked)
    ]
    found = articles.made_of(apart, words.vectors, Judge(), max_articles=40)
    assert len(found.articles) <= 1


def test_an_intent_that_is_mostly_about_one_case_needs_a_look_up_and_keeps_no_answer(words):
    found = made(words, PARCEL, BOOTS)
    by_intent = {article.intent: article for article in found.articles}
    assert found.look_ups == ["parcel"]
    assert by_intent["parcel"].kind == "look_up"
    assert by_intent["parcel"].answer == BUILT_IN["en"]["own_case"]
    assert by_intent["boots"].kind == "answer"
    assert "ten days" not in str(found.articles)


def test_a_look_up_speaks_the_language_of_its_questions(words):
    [article] = made(
        words, rows("paket", "das Paket finden", "Ihr Paket wurde gestern zugestellt.", language="de")
    ).articles
    assert (article.kind, article.answer) == ("look_up", BUILT_IN["de"]["own_case"])


def test_half_personal_is_not_mostly_personal(words):
    half = rows("pass", "extend the pass", "I've extended your pass.", "Passes are extended at the desk.")
    found = made(words, half)
    assert [article.answer for article in found.articles] == []
    assert found.look_ups == []
    assert dict(found.kinds) == {"personal": 3, "general": 3}


def test_what_is_no_knowledge_is_listed_with_its_reason_and_counted(words):
    found = made(words, PARCEL, rows("hold", "wait", "One moment please."))
    assert found.reasons("personal") == {"the state of one case": 2, "something done for a customer": 2}
    assert found.reasons("empty") == {"hold line": 6}
    listed = {one.row_id: (one.kind, one.answer) for one in found.left_out}
    assert listed["parcel0"] == ("personal", "Your parcel was left with the porter.")
    assert len(listed) == sum(count for kind, count in found.kinds.items() if kind != "general") == 10


def test_contradictory_answers_are_in_no_article_until_somebody_decides(words):
    period = rows("period", "return the skis", "Skis come back within 30 days.", "Skis come back within 14 days.")
    found = made(words, period, BOOTS)
    [pair] = found.contradictions
    assert {pair.one, pair.other} == {"Skis come back within 30 days.", "Skis come back within 14 days."}
    assert set(pair.rows) == {row["row_id"] for row in period}
    assert {article.intent for article in found.articles} == {"boots"}


def test_what_is_not_contradicted_of_an_answer_stays(words):
    period = rows(
        "period",
        "return the skis",
        "Skis come back within 30 days. Dry the skis before you bring them.",
        "Skis come back within 14 days. Dry the skis before you bring them.",
    )
    drying = rows("period", "dry the skis", "Dry the skis before you bring them. Tie them together.")
    found = made(words, period, [{**row, "row_id": f"dry{row['row_id']}"} for row in drying])
    [article] = found.articles
    assert article.answer == "Dry the skis before you bring them. Tie them together."


def test_a_contradicted_sentence_is_left_out_however_many_answers_hold_it(words):
    care = "Dry the skis before you bring them. Tie them together."
    period = rows(
        "period",
        "return the skis",
        f"Skis come back within 30 days. {care}",
        f"Skis come back within 30 days. {care} Thank the porter.",
        f"Skis come back within 14 days. {care}",
        f"Skis come back within 14 days. {care} Thank the porter.",
    )
    drying = rows("period", "dry the skis", care)
    found = made(words, period, [{**row, "row_id": f"dry{row['row_id']}"} for row in drying])
    assert found.contradictions
    assert found.articles
    assert not any("days" in article.answer for article in found.articles)


def test_no_article_can_be_served_with_a_gap_or_markup(words):
    bad = rows("hours", "know the hours", "Open from {{from}}.", "Ask [Agent Name].", "Call <PHONE_1>.")
    found = made(words, bad, BOOTS)
    assert found.unfilled == 6 + 3
    assert [article.intent for article in found.articles] == ["boots"]
    assert not any(unservable(article.answer) for article in found.articles)


def test_a_correction_about_one_case_changes_nothing(words):
    known = made(words, BOOTS).articles
    own = [{"question": "which boots?", "answer": "I've sent you the blue boots.", "article": known[0].id}] * 3
    revision = articles.worked_in(known, own, words.vectors, Judge())
    assert (revision.articles, revision.replaced, revision.added) == (known, (), ())
    agreed = [{"question": "which boots?", "answer": "Boots are rented in the valley.", "article": known[0].id}] * 3
    assert articles.worked_in(known, agreed, words.vectors, Judge()).replaced == (known[0].id,)


def test_three_agreeing_corrections_decide_a_contradiction(words):
    period = rows("period", "return the skis", "Skis come back within 30 days.", "Skis come back within 14 days.")
    undecided = made(words, period).articles
    said = [
        {"question": f"{asked} return the skis?", "answer": "Skis come back within 14 days.", "article": ""}
        for asked in ASKED[:3]
    ]
    [article] = articles.worked_in(undecided, said, words.vectors, Judge()).articles
    assert article.answer == "Skis come back within 14 days."


def test_equal_conversations_give_equal_articles_whatever_their_order(words):
    given = [*BOOTS, *PARCEL]
    one = articles.made_of(given, words.vectors, Judge(), max_articles=80)
    other = articles.made_of(given[::-1], words.vectors, Judge(), max_articles=80)
    assert one.articles == other.articles
    assert Counter(one.left_out) == Counter(other.left_out)


def test_a_correction_keeps_its_apology_and_loses_its_signature(words):
    known = made(words, BOOTS).articles
    said = "We are sorry. Wet boots are changed at the desk at once."
    for correction in (said, f"Hi,\n{said}\n\nBest,\nTom"):
        asked = [{"question": "wet boots?", "answer": correction, "article": known[0].id}] * 3
        [article] = articles.worked_in(known, asked, words.vectors, Judge()).articles
        assert article.answer == (said if correction == said else "Wet boots are changed at the desk at once.")
