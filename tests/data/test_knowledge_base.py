"""A knowledge base out of a company's own conversations, on embedded resources: what is known, counted, and listed."""

import json

import dagster as dg
import pytest

from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.data.interactions import interactions
from llmops_assets.data.knowledge_base import LISTS, PATHS, knowledge_base
from llmops_assets.data.labelled_conversations import labelled_conversations
from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.lib import tables
from llmops_assets.lib.records import KnowledgeBase
from llmops_assets.planning.use_case import use_case
from resources import build_resources, open_lake
from resources.workspace import Settings, Workspace

DAY = "2026-03-02"
CHAIN = [use_case, redacted_conversations, labelled_conversations, interactions, feedback_examples, knowledge_base]
ASKED = ("how do I", "where can one", "please tell me how to", "is there a way to", "what do I do to", "may I")
ANSWERS = {
    "rent the boots": ["<p>Hello there,</p><p>Boots are rented at the desk in the hall.</p><p>Best,<br>Ski desk</p>"],
    "find the parcel": ["I have sent your parcel again.", "Your parcel was left with the porter yesterday."],
    "return the skis": ["Skis come back within 30 days.", "Skis come back within 14 days."],
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(lake, metadata) of a knowledge base out of 18 conversations."""
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace(home)
    workspace.write_settings(Settings(knowledge_from_conversations=True))
    rows = [
        {
            "id": f"{topic.split()[-1]}{number}",
            "question": f"{asked} {topic}?",
            "answer": answers[number % len(answers)],
            "intent": topic.split()[-1],
            "time": f"{DAY}T09:0{number}:00",
            "source": "chat",
        }
        for topic, answers in ANSWERS.items()
        for number, asked in enumerate(ASKED)
    ]
    (home / "inbox").mkdir(parents=True, exist_ok=True)
    file = home / "inbox" / f"conversations-{DAY}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(CHAIN, instance=instance, partition_key=DAY, resources=build_resources(home))
        [event] = result.asset_materializations_for_node("knowledge_base")
    return open_lake(workspace), event.metadata


def test_articles_hold_what_is_general_and_an_intent_of_one_cases_needs_a_look_up(built):
    lake, metadata = built
    articles = {
        row["intent"]: (row["kind"], row["answer"])
        for row in map(json.loads, lake.get("main", PATHS["articles"]).decode().splitlines())
    }
    assert articles["boots"] == ("answer", "Boots are rented at the desk in the hall.")
    assert articles["parcel"][0] == "look_up"
    assert set(articles) == {"boots", "parcel"}
    assert metadata["needs_a_look_up"].value == ["parcel"]


def test_what_is_left_out_is_counted_without_texts_and_listed_for_a_person(built):
    lake, metadata = built
    counted = {row.data["kind"]: row.data["answers"] for row in metadata["answers_by_kind"].records}
    assert counted == {"general": 12, "personal": 6}
    reasons = {row.data["reason"]: row.data["answers"] for row in metadata["personal_answers"].records}
    assert sum(reasons.values()) == 6
    assert "porter" not in str(metadata), "a customer's words belong into the lake"
    listed = tables.from_parquet(lake.get("main", LISTS["left_out"]))
    assert {row["row_id"] for row in listed} == {f"parcel{number}" for number in range(6)}


def test_contradictions_are_listed_and_their_rows_named(built):
    lake, metadata = built
    [pair] = tables.from_parquet(lake.get("main", LISTS["contradictions"]))
    assert {pair["one"], pair["other"]} == set(ANSWERS["return the skis"])
    assert (pair["intent"], pair["reason"], pair["conversations"]) == ("skis", "different time", 6)
    assert (metadata["contradictions"].value, metadata["undecided_conversations"].value) == (1, 6)
    record = KnowledgeBase.model_validate(metadata["record"].value)
    assert record.undecided is not None
    undecided = tables.from_parquet(lake.read(record.undecided.ref))
    assert {row["row_id"] for row in undecided} == {f"skis{number}" for number in range(6)}
