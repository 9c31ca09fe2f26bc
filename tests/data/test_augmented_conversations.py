"""The rows that teach, on embedded resources: sides beside the rows, reasons in the UI, and nothing moves again."""

import dagster as dg
import pytest
from chat_server import ChatServer

from llmops_assets.data.augmented_conversations import augmented_conversations, read_sides
from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.data.interactions import interactions
from llmops_assets.data.knowledge_base import knowledge_base
from llmops_assets.data.labelled_conversations import labelled_conversations
from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.lib import tables
from llmops_assets.lib.records import DatasetRef
from llmops_assets.planning.use_case import use_case
from llmops_assets.samples import generator
from resources import build_resources, open_lake
from resources.workspace import Settings, Workspace

DAY = str(generator.START)
BEFORE = [
    use_case,
    redacted_conversations,
    labelled_conversations,
    interactions,
    feedback_examples,
    knowledge_base,
]
pytestmark = pytest.mark.slow


def test_rows_are_split_varied_and_explained_and_keep_their_sides(tmp_path):
    home = tmp_path / "home"
    workspace = Workspace(home)
    workspace.write_settings(Settings())
    generator.write_archive(home / "inbox", 14 * 40)
    with dg.DagsterInstance.ephemeral() as instance:
        run = {"instance": instance, "resources": build_resources(home)}
        trio = {"methods": ["slang", "typos", "fillers"]}
        first_options = {"ops": {"augmented_conversations": {"config": trio}}}
        assert dg.materialize(
            [*BEFORE, augmented_conversations], partition_key=DAY, run_config=first_options, **run
        ).success
        first = instance.get_latest_materialization_event(dg.AssetKey("augmented_conversations"))
        options = {"ops": {"augmented_conversations": {"config": {"held_out_share": 0.5}}}}
        again = dg.materialize([augmented_conversations], run_config=options, **run)
        assert again.success
        last = instance.get_latest_materialization_event(dg.AssetKey("augmented_conversations"))
    lake = open_lake(workspace)
    metadata = first.asset_materialization.metadata
    record = DatasetRef.model_validate(metadata["record"].value)
    rows, sides = tables.from_parquet(lake.read(record.ref)), read_sides(lake, record.ref)
    assert {row["row_id"] for row in rows} <= set(sides)
    assert {sides[row["parent"]] for row in rows if row["parent"]} == {"training"}
    held_out = sum(sides[row["row_id"]] == "held_out" for row in rows)
    assert 0.03 < held_out / sum(not row["parent"] for row in rows) < 0.09
    reasons = {found.data["reason"]: found.data["rows"] for found in metadata["dropped_by_reason"].records}
    assert reasons["duplicate"] > 0
    methods = {found.data["method"]: found.data["rows"] for found in metadata["variants_by_method"].records}
    assert sum(methods.values()) == record.counts["variants"] > 0
    assert sum(found.data["rows"] for found in metadata["variants_by_cosine"].records) == record.counts["variants"]
    second = DatasetRef.model_validate(last.asset_materialization.metadata["record"].value)
    origins = {row["row_id"] for row in rows if not row["parent"]}
    kept = read_sides(lake, second.ref)
    assert {name: kept[name] for name in origins} == {name: sides[name] for name in origins}


def test_a_model_behind_an_api_rewords_once_and_its_variants_are_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_KEY", "secret")
    workspace = Workspace(tmp_path)
    workspace.write_settings(Settings())
    generator.write_archive(tmp_path / "inbox", 14 * 20)
    # Every third reply is about something else.
    server = ChatServer(lambda text, number: "What is the weather?" if number % 3 == 0 else f"May I ask you, {text}")
    model = {"name": "reworded", "url": server.address, "model": "large", "key_variable": "LLM_KEY", "parallel": 1}
    options = {"ops": {"augmented_conversations": {"config": {"rewriters": [model], "target": 0}}}}
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            run = {"instance": instance, "resources": build_resources(tmp_path), "run_config": options}
            assert dg.materialize([*BEFORE, augmented_conversations], partition_key=DAY, **run).success
            asked = len(server.requests)
            again = dg.materialize([augmented_conversations], **run)
    finally:
        server.close()
    assert len(server.requests) == asked > 0, "equal inputs are not asked again"
    assert {request["key"] for request in server.requests} == {"Bearer secret"}
    metadata = again.asset_materializations_for_node("augmented_conversations")[0].metadata
    record = DatasetRef.model_validate(metadata["record"].value)
    rows = {row["row_id"]: row for row in tables.from_parquet(open_lake(workspace).read(record.ref))}
    variants = [row for row in rows.values() if row["parent"]]
    assert {row["method"] for row in variants} == {"reworded"}
    assert all(row["question"] == f"May I ask you, {rows[row['parent']]['question']}" for row in variants)
    reasons = {found.data["reason"]: found.data["rows"] for found in metadata["dropped_by_reason"].records}
    dropped = sum(count for reason, count in reasons.items() if reason.startswith("reworded"))
    assert dropped == asked - len(variants) > 0
