"""`make demo DATA=…` on a small file of a company's own, with a tiny model: the acts that such a file can play."""

import io
import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from commands_support import TOPICS, own_conversations
from rich.console import Console

from llmops_assets.commands.demo import Demo, Sizes
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib import tables
from llmops_assets.lib.auditing.placeholders import placeholders
from resources import open_lake

pytestmark = pytest.mark.slow

ROWS = dict(zip(TOPICS, (60, 60, 50, 15, 15), strict=True))
SIZES = Sizes(
    queries_per_day=20,
    run_config={
        "adapter": {"max_tokens": 2000, "rank": 4},
        "quality_report": {"ablations": False},
    },
)
NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


@pytest.fixture(scope="module")
def played(tmp_path_factory, tiny_gguf):
    """(the demonstration, its figures, its instance, what was printed) of a company's file."""
    folder = tmp_path_factory.mktemp("own")
    own_conversations(folder / "climbers.jsonl", ROWS)
    printed = io.StringIO()
    with dg.DagsterInstance.local_temp(str(folder), overrides={"compute_logs": NO_COMPUTE_LOGS}) as instance:
        demo = Demo(
            folder / "home",
            instance,
            data=folder / "climbers.jsonl",
            sizes=SIZES,
            settings={"base_model": str(tiny_gguf), "gateway_port": 8796},
            console=Console(file=printed, width=110),
        )
        yield demo, demo.run(), instance, printed.getvalue()


def test_the_acts_go_through(played):
    demo, figures, _, printed = played
    assert "climbers.jsonl: 200 rows, all readable" in printed
    assert "fewer than four intents with 20 rows: the acts of the new topic are left out" in " ".join(printed.split())
    assert figures["false_triggers"] == 0
    assert figures["failed_requests"] == 0
    assert figures["first_release_accuracy"] > 0.6
    assert json.loads((demo.home / "demo.json").read_text())["releases"] == figures["releases"]
    assert "poisoned_blocked" not in figures


def test_out_of_scope_is_unmeasured_and_said_so(played):
    _, figures, instance, printed = played
    assert "out_of_scope" not in figures["first_release_slices"]
    assert "out_of_scope" not in printed
    event = instance.get_latest_materialization_event(dg.AssetKey("eval_suite"))
    assert "out_of_scope" in event.asset_materialization.metadata["unmeasured"].value


def test_no_slot_of_a_template_is_known_taught_or_served(played):
    demo, *_ = played
    lake = open_lake(demo.workspace)
    articles = lake.get("main", "data/knowledge_base/articles.jsonl").decode().splitlines()
    assert {json.loads(line)["answer"] for line in articles} <= {answers[0] for _, answers in TOPICS.values()}
    taught = tables.from_parquet(lake.get("main", tables.TRAINING_ROWS))
    start = datetime(2026, 3, 1, tzinfo=UTC)
    answered = InteractionLog(demo.workspace.log_url).interactions(start, start + timedelta(days=30))
    assert len(answered) > 20
    for row in (*taught, *answered):
        assert placeholders(row["answer"]) == []
    stored = [
        row["answer"]
        for stat in lake.list("main", "data/redacted_conversations/2")
        for row in tables.from_parquet(lake.get("main", stat.path))
    ]
    assert any(placeholders(answer) for answer in stored), "the templates are there to be learnt"
