"""KPIs of days and the digest of a week as assets, on an embedded lake; the digest reaches a mailbox."""

from datetime import date, timedelta

import dagster as dg
import pytest
from documented_changes import put
from receivers import SmtpReceiver
from recorded_support import record, serve
from support import dataset, drift_report, ref

from llmops_assets.lib import hosting, tables
from llmops_assets.lib.records import (
    DatasetRef,
    EvalReport,
    KpiReport,
    QualityReport,
    SliceScore,
    WeeklyDigest,
)
from llmops_assets.monitoring.kpi_report import kpi_report
from llmops_assets.monitoring.weekly_digest import weekly_digest
from llmops_assets.samples import generator
from resources.notifier import AlertSettings, MailSettings, Notifier

MONDAY = date(2026, 3, 9)


@pytest.fixture
def instance(lake):
    """An installation in which r-1 serves, with what reports of KPIs read."""
    case = generator.load_use_case()
    score = SliceScore(right=8, total=10)
    judged = QualityReport(
        candidate=EvalReport(subject="r-1", suite=dataset(), overall=score, slices={}), incumbent=None, report=ref()
    )
    with dg.DagsterInstance.ephemeral() as made:
        record(made, "use_case", case)
        record(made, "hosting_plan", hosting.plan(case))
        serve(made, lake, "r-1", MONDAY, gate=put(lake, "gate.json", judged.model_dump_json().encode()).ref)
        yield made


def interactions(instance, lake, day: date, handed_over: int, count: int = 10) -> None:
    """A day of interactions, some of them handed over, with two ratings."""
    rows = [
        {
            "id": f"{day}-{n}",
            "time": f"{day}T10:00:00+00:00",
            "release_id": "r-1",
            "question": "q",
            "answer": "a",
            "path": "handover" if n < handed_over else "matched",
            "latency_seconds": 0.1 * n,
            "input_tokens": 0,
            "output_tokens": 0,
            "status": 200,
            "rating": {0: -1, 1: 1}.get(n, 0),
        }
        for n in range(count)
    ]
    file = put(lake, f"days/{day}.parquet", tables.to_parquet(rows, tables.INTERACTIONS))
    made = DatasetRef(name="interactions", ref=file.ref, digest="d", rows=count, counts={"leaking": 0})
    record(instance, "interactions", made, str(day))


def measured(instance, lake, day: date) -> tuple[KpiReport, str]:
    """(record, page) of a day."""
    result = dg.materialize([kpi_report], instance=instance, partition_key=str(day), resources={"lake": lake})
    [event] = result.asset_materializations_for_node("kpi_report")
    page = lake.get("main", f"monitoring/kpi_report/{day}.html").decode()
    return KpiReport.model_validate(event.metadata["record"].value), page


def test_days_become_weeks_an_alarm_and_a_digest_in_the_owners_mailbox(instance, lake):
    for n, handed_over in enumerate((0, 1, 5, 5)):
        day = MONDAY - timedelta(days=1) + timedelta(days=n)
        interactions(instance, lake, day, handed_over)
        report, page = measured(instance, lake, day)
    values = {value.name: value for value in report.values}
    assert (values["handover_share"].state, values["handover_share"].since) == ("alarm", MONDAY + timedelta(days=1))
    assert (values["answer_accuracy"].value, values["answer_accuracy"].state) == (0.8, "met")
    assert [(week.monday, week.days) for week in report.weeks] == [(MONDAY - timedelta(days=7), 1), (MONDAY, 3)]
    [release] = report.releases
    assert (release.release_id, release.answers, release.rated, release.right) == ("r-1", 10, 2, 1)
    for told in (f"alarm since {MONDAY + timedelta(days=1)}", "By release", "r-1"):
        assert told in page

    record(instance, "drift_report", drift_report(MONDAY, [True, True]), str(MONDAY))
    for day, held in ((MONDAY - timedelta(days=1), 5), (MONDAY, 2)):
        taught = DatasetRef(name="f", ref=ref(), digest="d", rows=1, counts={"corrections": 1, "held_back": held})
        record(instance, "feedback_examples", taught, str(day))
    with SmtpReceiver() as smtp:
        mail = MailSettings(host="127.0.0.1", port=smtp.port, sender="llmops@shop.example", encrypted=False)
        result = dg.materialize(
            [weekly_digest],
            instance=instance,
            partition_key=str(MONDAY),
            resources={"lake": lake, "notifier": Notifier(AlertSettings(mail=mail))},
        )
    [event] = result.asset_materializations_for_node("weekly_digest")
    digest = WeeklyDigest.model_validate(event.metadata["record"].value)
    assert (digest.days, digest.alarms) == (3, ("positive_rating_share", "handover_share"))
    assert event.metadata["sent"].value == "sent"
    assert "2 pieces of feedback wait" in lake.read(digest.page).decode(), "those of the week before are not its own"
    [(recipients, received)] = smtp.got
    assert recipients == [generator.load_use_case().owner]
    assert received["Message-ID"] in lake.read(digest.mail).decode()


def test_a_day_without_traffic_is_unmeasured_and_a_week_without_days_has_a_digest(instance, lake):
    interactions(instance, lake, MONDAY, 0, count=0)
    report, page = measured(instance, lake, MONDAY)
    assert {value.name for value in report.values if value.state == "unmeasured"} == {
        "positive_rating_share",
        "handover_share",
        "p95_latency_seconds",
        "cost_per_answer",
    }
    assert "unmeasured" in page
    result = dg.materialize(
        [weekly_digest],
        instance=instance,
        partition_key="2026-03-16",
        resources={"lake": lake, "notifier": Notifier(AlertSettings())},
    )
    [event] = result.asset_materializations_for_node("weekly_digest")
    assert event.metadata["days"].value == 0
    assert event.metadata["sent"].value == "no mail server is named"
