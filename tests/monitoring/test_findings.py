"""The asset `findings` on embedded resources, with vectors that say the topic: from the first day to the cure."""

import json
from datetime import date, datetime, time, timedelta

import dagster as dg
import pytest
from findings_support import MONDAY, TopicEmbedder
from recorded_support import record, serve
from support import article, drift_report

from llmops_assets.data.feedback_examples import HELD, QUARANTINE
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover import anchors
from llmops_assets.handover.reading import newest_day
from llmops_assets.lib import tables
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.records import DatasetRef, FindingsReport, KnowledgeBase
from llmops_assets.lib.watching.findings import closings
from llmops_assets.monitoring.findings import findings
from llmops_assets.samples import generator
from resources import build_resources, open_lake
from resources.workspace import Workspace

pytestmark = pytest.mark.slow
TUESDAY = MONDAY + timedelta(days=1)
TOPICS = ("orders", "returns", "lamps")
ARTICLES = [article(name, f"{name} answer", f"{name} asked") for name in TOPICS]
ANSWER = "recall send it back"


class Installation:
    """What the assets before it leave behind, day by day."""

    def __init__(self, home, instance) -> None:
        self.home, self.instance, self.lake = home, instance, open_lake(Workspace(home))
        known = [
            {"row_id": f"{name} {n}", "day": "2026-03-02", "question": f"{name} known {n}", "intent": name}
            for name in TOPICS
            for n in range(40)
        ]
        self.reference = self.put("reference.parquet", tables.to_parquet(known, tables.REFERENCE))
        served = self.put("articles.jsonl", articles.to_jsonl(ARTICLES))
        record(instance, "use_case", generator.load_use_case())
        record(instance, "knowledge_base", KnowledgeBase(articles=served, trusted=served, corrections=0))

    def put(self, path: str, data: bytes) -> DatasetRef:
        with self.lake.transaction("test", name="test") as draft:
            draft.put(path, data)
        return DatasetRef(name=path, ref=self.lake.uri(draft.merged, path), digest=path, rows=1)

    def day(self, day: date, asked: list[tuple[str, bool]], release: str) -> dg.ExecuteInProcessResult:
        """A day's (question, answered well) under a release, reported."""
        begin, step = datetime.combine(day, time(6)), timedelta(hours=15) / len(asked)
        rows = [
            {
                "id": f"{day} {n}", "time": f"{(begin + n * step).isoformat()}+00:00", "release_id": release,
                "subject": f"s{n}", "conversation": f"c{n}", "question": question, "answer": "-",
                "path": "matched" if good else "handover", "status": 200, "latency_seconds": 0.1,
                "rating": 0 if good else -1, "correction": "" if good else ANSWER,
            }
            for n, (question, good) in enumerate(asked)
        ]  # fmt: skip
        record(self.instance, "interactions", self.put(f"{day}.parquet", tables.to_parquet(rows, tables.INTERACTIONS)),
               str(day))  # fmt: skip
        drift = drift_report(day, [True, True]).model_copy(
            update={"reference": self.reference.ref, "novelty_threshold": 0.5}
        )
        record(self.instance, "drift_report", drift, str(day))
        resources = {**build_resources(self.home), "embedder": TopicEmbedder()}
        return dg.materialize([findings], instance=self.instance, partition_key=str(day), resources=resources)

    def newest(self) -> FindingsReport:
        found = newest_day(self.instance, "findings", FindingsReport)
        assert found is not None
        return found


def asked(recall: bool) -> list[tuple[str, bool]]:
    """Sixty known questions answered well, and thirty about the recall."""
    known = [(f"{name} {n} please", True) for n in range(20) for name in TOPICS]
    return [pair for n, one in enumerate(known) for pair in ([one] if n % 2 else [one, (f"recall no {n}", not recall)])]


def test_from_the_first_day_of_a_topic_to_the_release_that_closed_it(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        place = Installation(tmp_path, instance)
        serve(instance, place.lake, "r-1", MONDAY - timedelta(days=4))
        result = place.day(MONDAY, asked(recall=True), "r-1")
        first = place.newest().of("open")
        assert [one.action for one in first] == ["retrain"]
        assert first[0].total("badly") == 30
        metadata = result.asset_materializations_for_node("findings")[0].metadata
        # A customer's words stand in the lake alone.
        told = json.dumps({name: str(value) for name, value in metadata.items()})
        assert not any(question in told for question, _ in asked(recall=True))
        assert "svg" in metadata["map"].value
        page = place.lake.read(place.newest().report).decode()
        assert ANSWER in page
        names = tuple(one.id for one in first)
        again = place.day(MONDAY, asked(recall=True), "r-1")
        assert again.success
        assert place.newest().of("open") == first, "a day that is reported again has the same findings"
        serve(instance, place.lake, "r-2", MONDAY, findings=names)
        place.day(TUESDAY, asked(recall=False), "r-2")
        later = {one.id: one for one in place.newest().findings}
        assert set(names) <= set(later)
        cured = [later[name] for name in names if later[name].state == "closed"]
        assert cured
        assert all(one.cure is not None and one.cure.release == "r-2" and one.cure.low > 0 for one in cured)
        log = InteractionLog(Workspace(tmp_path).log_url)
        log.audit(closings.ACTION, closings.detail(names[0], MONDAY, "Ada", "it is over"))
        log.close()
        place.day(MONDAY, asked(recall=True), "r-1")
        by_hand = newest_day(instance, "findings", FindingsReport, before=TUESDAY).findings[0]
        assert (by_hand.id, by_hand.closed_because) == (names[0], "by a person: audit entry 1")
        kept = anchors.read(place.lake)
        assert kept is not None
        assert kept.number == 1, "the end of the audit log is published with the report"


def test_what_the_quarantine_holds_back_does_not_retrain(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        place = Installation(tmp_path, instance)
        serve(instance, place.lake, "r-1", MONDAY - timedelta(days=4))
        row = dict.fromkeys(("question", "answer", "served", "article", "author", "release"), "-")
        held = [{**row, "row_id": f"{MONDAY} {n}", "rating": -1, "reasons": ["x"], "doubt": 0.5} for n in range(90)]
        place.lake.branch(QUARANTINE)
        place.lake.put(QUARANTINE, f"{HELD}{MONDAY}.parquet", tables.to_parquet(held, tables.HELD_BACK))
        commit = place.lake.commit(QUARANTINE, "held", {})
        kept = DatasetRef(name="feedback_examples", ref=place.lake.uri(commit, HELD), digest="-", rows=0)
        record(instance, "feedback_examples", kept, str(MONDAY))
        place.day(MONDAY, asked(recall=True), "r-1")
        (found,) = place.newest().of("open")
        assert (found.action, found.held, found.agreeing) == ("decide_feedback", 30, 0)
