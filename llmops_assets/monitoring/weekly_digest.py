"""A week for the product owner, as a page and as a mail."""

from collections import Counter
from datetime import timedelta

import dagster as dg

from llmops_assets.handover import reading
from llmops_assets.handover.days import run_day
from llmops_assets.handover.display import address, bullets
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib.records import DriftReport, KpiReport, UseCase, WeeklyDigest
from llmops_assets.partitions import WEEKLY
from resources.lake.base import Lake
from resources.notifier import Notifier

NAME = "weekly_digest"
FEEDBACK = ("corrections", "held_back", "released", "of_releases_that_serve_no_more")


@dg.asset(
    deps=["use_case", "feedback_examples", "kpi_report", "drift_report"],
    partitions_def=WEEKLY,
    kinds={"html"},
    owners=["team:product"],
    code_version="1",
)
def weekly_digest(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], notifier: dg.ResourceParam[Notifier]
) -> dg.MaterializeResult:
    """KPIs of a week beside the week before, releases, drift and feedback; sent where a mail server is named."""
    from llmops_assets.lib.watching import digest

    monday, case = run_day(context), reading.read(context, "use_case", UseCase)
    before, sunday = monday - timedelta(days=1), monday + timedelta(days=6)
    kpis = reading.day_records(context, "kpi_report", KpiReport, after=before, until=sunday)
    drift = reading.day_records(context, "drift_report", DriftReport, after=before, until=sunday)
    taught = reading.days(context, "feedback_examples", until=sunday)
    feedback = sum((Counter(ref.counts) for day, ref in taught.items() if day > before), Counter())
    week = digest.Week(
        assistant=case.name,
        monday=monday,
        kpis=tuple(kpis.values()),
        drift=tuple(drift.values()),
        feedback={name: feedback[name] for name in FEEDBACK if feedback[name]},
        descriptions={kpi.name: kpi.description for kpi in case.kpis},
    )
    mail = digest.mail(week, notifier.sender, case.owner)
    paths = {kind: f"monitoring/{NAME}/{monday}.{kind}" for kind in ("html", "eml")}
    files = {paths["html"]: digest.page(week).encode(), paths["eml"]: mail.as_bytes()}
    commit = publish(context, lake, files, days=len(week.days))
    where = {kind: lake.uri(commit, path) for kind, path in paths.items()}
    record = WeeklyDigest(monday=monday, days=len(week.days), alarms=week.alarms, page=where["html"], mail=where["eml"])
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.page,
        mail=address(lake, record.mail),
        days=record.days,
        alarms=list(record.alarms),
        headlines=bullets(digest.headlines(week)),
        sent=notifier.mail(mail),
    )
