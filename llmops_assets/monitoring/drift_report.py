"""Have customers' questions changed since the serving release was trained? Evidently's report and our decision."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.days import read_day, run_day
from llmops_assets.handover.display import address, lines
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import tables
from llmops_assets.lib.records import DatasetRef, DriftPolicy, DriftReport, LakeRef, UseCase
from llmops_assets.partitions import DAILY
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake

if TYPE_CHECKING:
    from llmops_assets.lib.watching.drift import DayJudgement, DriftReference

NAME = "drift_report"
NOVEL: tables.Columns = (("id", tables.TEXT), ("question", tables.TEXT), ("distance", tables.FLOAT))
NO_TRAFFIC = b"<!doctype html><title>No traffic</title><p>No interactions on this day.</p>"


def judged(
    known: list[dict], rows: list[dict], policy: DriftPolicy, embedder: InstalledEmbedder
) -> "tuple[DriftReference, DayJudgement, list[str]]":
    """The reference made of known questions, the day's judgement against it, and the day's predicted intents."""
    from llmops_assets.lib.labelling import IntentClassifier
    from llmops_assets.lib.watching import drift

    vectors = embedder.embed([row["question"] for row in known])
    classifier = IntentClassifier(vectors, [row["intent"] for row in known])
    reference = drift.fit_reference(vectors, classifier.fill(vectors, [row["intent"] for row in known]))
    asked = embedder.embed([row["question"] for row in rows])
    intents = [intent for intent, _ in classifier.predict(asked)] if rows else []
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    return reference, drift.judge_day(reference, times, asked, intents, policy), intents


@dg.asset(
    deps=["use_case", "interactions", "deployment"],
    partitions_def=DAILY,
    kinds={"evidently", "html"},
    owners=["team:operations"],
    code_version="2",
)
def drift_report(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], embedder: dg.ResourceParam[InstalledEmbedder]
) -> dg.MaterializeResult:
    """One day's questions against those the serving release was trained on, in windows, with the running CUSUM."""
    from llmops_assets.lib.watching import evidently_report

    day, release = run_day(context), serving.read(context, lake).release
    policy = read(context, "use_case", UseCase).drift
    if release.training is None:
        raise dg.Failure(f"{release.release_id} names no training dataset: there is nothing to compare with")
    rows, known = read_day(context, lake, "interactions", day), release.training.reference
    reference, judgement, intents = judged(read_rows(lake, known.ref), rows, policy, embedder)
    page = NO_TRAFFIC
    if rows:
        questions = [row["question"] for row in rows]
        page = evidently_report.build(reference, judgement, questions, intents, policy.alpha)[0].encode()
    folder = f"monitoring/{NAME}/{day}"
    files = {f"{folder}.html": page, f"{folder}.parquet": tables.to_parquet(novel(judgement, rows), NOVEL)}
    commit = publish(context, lake, files, interactions=len(rows))
    record = make_record(day, known, reference, judgement, rows, policy.alpha, lake.uri(commit, f"{folder}.html"))
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.report,
        figures=figures_of(record),
        novel_questions=address(lake, lake.uri(commit, f"{folder}.parquet")),
        inputs={"reference": known.ref, "release": release.release_id},
    )


def novel(judgement: "DayJudgement", rows: list[dict]) -> list[dict]:
    """The day's questions that nothing known comes near, farthest first."""
    return [
        {"id": rows[i]["id"], "question": rows[i]["question"], "distance": float(judgement.distances[i])}
        for i in judgement.novel
    ]


def figures_of(record: DriftReport) -> dict[str, Any]:
    """What the UI shows of a day."""
    windows = record.windows
    return {
        "drifted": record.drifted,
        "interactions": record.interactions,
        "windows_drifted": sum(w.drifted for w in windows),
        "cusum": record.cusum,
        "cusum_alarm_at": record.cusum_alarm_at or 0,
        "novelty_share_max": max((w.novelty_share for w in windows), default=0.0),
        "novelty_p_min": min((w.novelty_p for w in windows), default=1.0),
        "intents_p_min": min((w.intents_p for w in windows), default=1.0),
        "by_window": lines("share of novel questions by window", {"novelty": [w.novelty_share for w in windows]}),
    }


def make_record(
    day: date,
    known: DatasetRef,
    reference: "DriftReference",
    judgement: "DayJudgement",
    rows: list[dict],
    alpha: float,
    report: LakeRef,
) -> DriftReport:
    """The hand-over of a day's judgement, with the sizes its thresholds belong to."""
    from llmops_assets.lib.watching.drift import EXAMPLES

    return DriftReport(
        day=day,
        reference=known.ref,
        reference_size=len(reference.vectors),
        calibration_size=len(reference.distances),
        novelty_threshold=round(reference.threshold, 6),
        alpha=alpha,
        windows=judgement.windows,
        cusum=judgement.cusum,
        cusum_alarm_at=judgement.cusum_alarm_at,
        interactions=len(rows),
        drifted=judgement.drifted,
        novel=tuple(rows[i]["id"] for i in judgement.novel[:EXAMPLES]),
        report=report,
    )
