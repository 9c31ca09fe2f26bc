"""Whether the customers of a demonstration were answered rightly."""

from datetime import UTC, datetime

from support import item

from llmops_assets.commands.traffic import Query, graded
from llmops_assets.samples.generator import LiveQuery
from resources.deployment_target import Ask, TargetReply


def query(intent: str = "refund", reference: str = "Refunds take eight days once the parcel is here."):
    about = item("q", article_="unknown", reference=reference).model_copy(update={"intent": intent})
    live = LiveQuery("q", "s", "c", datetime(2026, 3, 2, tzinfo=UTC), "unknown", intent, reference, ())
    return Query(Ask("q"), about, live)


def right(reply: TargetReply, intents=(), **about) -> bool:
    return graded([query(**about)], [reply], dict(intents))[0]


KNOWN = {"refund-1": "refund", "opening-1": "opening"}


def test_an_article_answers_a_row_of_its_intent_however_it_is_worded():
    matched = TargetReply(200, "Wait.", "matched", "refund-1")
    assert right(matched, KNOWN)
    assert not right(matched, KNOWN, intent="opening")
    # Without intents likeness to what the agent said decides.
    assert not right(matched)
    assert not right(matched, KNOWN, intent="")


def test_a_generated_answer_is_compared_with_the_agents_and_a_handover_is_none():
    same = "Refunds take eight days once the parcel is here, yes."
    assert right(TargetReply(200, same, "generated"), KNOWN)
    assert not right(TargetReply(200, "No idea.", "generated"), KNOWN)
    assert not right(TargetReply(200, "A colleague will help.", "handover"), KNOWN)
    assert not right(TargetReply(502, same, "generated"), KNOWN)


def test_what_needs_a_look_into_one_case_is_right_with_a_person_only():
    def right(reply):
        return graded([query(intent="refund")], [reply], KNOWN, {"refund"})[0]

    assert right(TargetReply(200, "A colleague will help.", "handover"))
    assert not right(TargetReply(200, "Wait.", "matched", "refund-1"))
    assert not right(TargetReply(503, "", "handover"))
