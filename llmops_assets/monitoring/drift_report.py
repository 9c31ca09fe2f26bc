"""Have customers' questions changed since the serving release was trained? Evidently's report and our decision."""

from datetime import date, datetime

import dagster as dg

from llmops_assets.data.labelled_conversations import read_days
from llmops_assets.deployment.release import read_release
from llmops_assets.lib import drift, evidently_report, tables
from llmops_assets.lib.labelling import IntentClassifier
from llmops_assets.lib.records import Deployment, DriftReport, LakeRef, UseCase
from llmops_assets.monitoring.interactions import interactions
from llmops_assets.partitions import DAILY
from llmops_assets.provenance import materialized, publish, read_record, run_day
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "drift_report"


@dg.asset(
    deps=[interactions, "deployment"],
    partitions_def=DAILY,
    kinds={"evidently", "html"},
    owners=["team:operations"],
    code_version="1",
)
def drift_report(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """One day's questions against those the serving release was trained on, in windows, with the running CUSUM."""
    day, embedder = run_day(context), workspace.embedder()
    policy = read_record(context, "use_case", UseCase).drift
    serving = read_release(lake, read_record(context, "deployment", Deployment).release_id)
    if serving.training is None:
        raise dg.Failure(f"{serving.release_id} names no training dataset: there is nothing to compare with")
    rows = [row for row in read_days(context, lake, "interactions", day, 1) if row["time"][:10] == str(day)]
    known = tables.from_parquet(lake.read(serving.training.reference.ref))
    vectors = embedder.embed([row["question"] for row in known])
    classifier = IntentClassifier(vectors, [row["intent"] for row in known])
    reference = drift.fit_reference(vectors, classifier.fill(vectors, [row["intent"] for row in known]))
    asked = embedder.embed([row["question"] for row in rows])
    intents = [intent for intent, _ in classifier.predict(asked)] if rows else []
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    judgement = drift.judge_day(reference, times, asked, intents, policy)
    folder = f"monitoring/{NAME}/{day}"
    files = {}
    if rows:
        questions = [row["question"] for row in rows]
        page, _ = evidently_report.build(reference, judgement, questions, intents, policy.alpha)
        files[f"{folder}.html"] = page.encode()
    else:
        files[f"{folder}.html"] = b"<!doctype html><title>No traffic</title><p>No interactions on this day.</p>"
    commit = publish(context, lake, files, interactions=len(rows))
    report = lake.uri(commit, f"{folder}.html")
    record = make_record(day, serving.training.reference.ref, reference, judgement, rows, policy.alpha, report)
    return materialized(
        context,
        record,
        lake=lake,
        ref=report,
        drifted=record.drifted,
        interactions=len(rows),
        windows_drifted=sum(w.drifted for w in record.windows),
        cusum=record.cusum,
        cusum_alarm_at=record.cusum_alarm_at or 0,
        figures=evidently_report.novelty_summary(judgement),
        novel_questions=list(record.novel_questions),
        inputs={"reference": serving.training.reference.ref, "release": serving.release_id},
    )


def make_record(
    day: date,
    reference_ref: LakeRef,
    reference: drift.DriftReference,
    judgement: drift.DayJudgement,
    rows: list[dict],
    alpha: float,
    report: LakeRef,
) -> DriftReport:
    """The hand-over of a day's judgement, with the sizes its thresholds belong to."""
    return DriftReport(
        day=day,
        reference=reference_ref,
        reference_size=len(reference.vectors),
        calibration_size=len(reference.distances),
        novelty_threshold=round(reference.threshold, 6),
        alpha=alpha,
        windows=judgement.windows,
        cusum=judgement.cusum,
        cusum_alarm_at=judgement.cusum_alarm_at,
        interactions=len(rows),
        drifted=judgement.drifted,
        novel_questions=tuple(rows[i]["question"] for i in judgement.novel[: drift.EXAMPLES]),
        report=report,
    )
