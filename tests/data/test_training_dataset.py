"""What is published to learn from: refused as a whole when one row may not be learned from, and told what changed."""

import json

import dagster as dg
import findings_support
import pytest
from recorded_support import record

from llmops_assets.data.augmented_conversations import augmented_conversations
from llmops_assets.data.eval_suite import eval_suite
from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.data.interactions import interactions
from llmops_assets.data.knowledge_base import knowledge_base
from llmops_assets.data.knowledge_index import knowledge_index
from llmops_assets.data.labelled_conversations import labelled_conversations
from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.data.training_dataset import PATHS, training_dataset
from llmops_assets.lib import tables
from llmops_assets.lib.answering.smalltalk import words
from llmops_assets.lib.tables import TRAINING_ROWS
from llmops_assets.lib.watching.findings.members import COLUMNS, to_rows
from llmops_assets.planning.use_case import use_case
from llmops_assets.samples import generator
from resources import build_resources, open_lake
from resources.lake.base import NotFoundError
from resources.workspace import Settings, Workspace

DAY, MINE = "2026-03-02", "f-0000000001"
CHAIN = [
    use_case,
    redacted_conversations,
    labelled_conversations,
    interactions,
    feedback_examples,
    knowledge_base,
    knowledge_index,
    eval_suite,
    augmented_conversations,
    training_dataset,
]
pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path):
    Workspace(tmp_path).write_settings(Settings())
    generator.write_archive(tmp_path / "inbox", 14 * 30)
    return tmp_path


def add_row(home, number: int, **tags) -> None:
    article = generator.load_articles()[0]
    row = {"id": f"own-{number}", "question": f"{article.questions[0]} It is about lamp number {number} in the hall."}
    row |= {"answer": article.answer, "time": f"{DAY}T12:00:00", "source": "phone", **tags}
    with (home / "inbox" / f"conversations-{DAY}.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def materialize(home, instance) -> dg.ExecuteInProcessResult:
    # Enough rows of an article for one more phrasing to be among them.
    many = {"ops": {"augmented_conversations": {"config": {"rows_per_article": 40}}}}
    return dg.materialize(
        CHAIN,
        instance=instance,
        partition_key=DAY,
        resources=build_resources(home),
        run_config=many,
        raise_on_error=False,
    )


def test_one_row_that_may_not_be_learned_from_stops_the_dataset(home):
    add_row(home, 1, purpose="support")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(home, instance)
    assert not result.success
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks["every_row_allows_training"] is False
    assert checks["no_eval_leakage"] is True
    failure = next(e for e in result.all_events if e.is_step_failure)
    assert "purpose training is not allowed by every row" in str(failure.step_failure_data.error)
    lake = open_lake(Workspace(home))
    with pytest.raises(NotFoundError):
        lake.get("main", TRAINING_ROWS)
    assert not lake.tags()


def test_a_second_dataset_says_which_conversations_came_and_what_every_row_allows(home):
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(home, instance).success
        add_row(home, 2, licence="CC-BY-4.0")
        again = materialize(home, instance)
    assert again.success
    metadata = again.asset_materializations_for_node("training_dataset")[0].metadata
    assert metadata["rows_came"].value >= 1
    lake = open_lake(Workspace(home))
    changes = tables.from_parquet(lake.get("main", "data/training_dataset/changes.parquet"))
    came = [row["provenance"] for row in changes if row["change"] == "came"]
    assert "lamp number 2" not in str(metadata), "a customer's words belong into the lake"
    assert f"phone/{DAY}/own-2" in came
    terms = metadata["record"].value["terms"]
    assert terms["licences"] == ["CC-BY-4.0", "own"]
    assert terms["purposes"] == ["support", "training"]
    rows = tables.from_parquet(lake.get("main", TRAINING_ROWS))
    assert {row["provenance"] for row in rows} >= {f"phone/{DAY}/own-2"}


def test_an_unchanged_dataset_is_kept_with_its_checks_and_a_changed_tag_alone_makes_a_new_one(home):
    file = home / "inbox" / f"conversations-{DAY}.jsonl"
    add_row(home, 3, licence="CC-BY-4.0")
    with dg.DagsterInstance.ephemeral() as instance:
        first, second = materialize(home, instance), materialize(home, instance)
        file.write_text(file.read_text().replace("CC-BY-4.0", "CC-BY-SA-4.0"))
        third = materialize(home, instance)
    unchanged = []
    for result in (first, second, third):
        checks = {e.check_name for e in result.get_asset_check_evaluations() if e.asset_key == training_dataset.key}
        assert checks == {
            "expectations_hold",
            "no_eval_leakage",
            "no_personal_data_left",
            "every_slot_is_filled",
            "every_row_allows_training",
        }
        (event,) = result.asset_materializations_for_node("training_dataset")
        unchanged.append("unchanged" in event.metadata)
        licences = event.metadata["record"].value["terms"]["licences"]
    assert unchanged == [False, True, False]
    assert licences == ["CC-BY-SA-4.0", "own"]


def test_its_rows_lead_back_to_the_finding_that_asked_for_them(home):
    article = generator.load_articles()[0]
    with dg.DagsterInstance.ephemeral() as instance:
        lake = open_lake(Workspace(home))
        asked = findings_support.asked("recall", 3, correction=article.answer)
        rows = [row for one in (MINE, "f-0000000002") for row in to_rows(one, asked)]
        with lake.transaction("test", name="test") as draft:
            draft.put("members.parquet", tables.to_parquet(rows, COLUMNS))
        members = lake.uri(draft.merged, "members.parquet")
        made = findings_support.report(findings_support.finding(MINE), members=members)
        record(instance, "findings", made, str(made.day))
        result = materialize(home, instance)
    metadata = result.asset_materializations_for_node("training_dataset")[0].metadata
    assert list(metadata["findings"].value) == [MINE]
    answers = {row["row_id"]: row["answer"] for row in tables.from_parquet(lake.get("main", TRAINING_ROWS))}
    lines = tables.from_parquet(lake.get("main", PATHS["findings"]))
    assert {line["finding"] for line in lines} == {MINE}
    assert {words(answers[line["row_id"]]) for line in lines} == {words(article.answer)}
