"""Have customers' questions changed since the serving release was trained? Evidently's report and our decision."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from llmops_assets.gateway.identity.roles import ANONYMOUS
from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.days import read_day, run_day
from llmops_assets.handover.display import address, lines
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import tables
from llmops_assets.lib.records import DatasetRef, DriftPolicy, DriftReport, LakeRef, UseCase
from llmops_assets.lib.watching import evidently_history
from llmops_assets.lib.watching.answered import poorly_answered
from llmops_assets.partitions import DAILY
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake
from resources.redactor import Redactors
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.watching.counting import Counted
    from llmops_assets.lib.watching.drift import DayJudgement, DriftReference

NAME = "drift_report"
NOVEL: tables.Columns = (("id", tables.TEXT), ("question", tables.TEXT), ("distance", tables.FLOAT))


@dataclass(frozen=True)
class Judged:
    """A day's judgement: against which reference, of which of its rows, with their texts, and what was left out."""

    reference: "DriftReference"
    day: "DayJudgement"
    counted: "Counted"
    rows: list[dict]
    left_out: dict[str, int]


def judged(
    known: list[dict],
    rows: list[dict],
    policy: DriftPolicy,
    embedder: InstalledEmbedder,
    unnamed: Collection[str] = (),
    day: date | None = None,
) -> Judged:
    """Judge the rows that count against the reference made of known questions; `unnamed` are nobody's pseudonyms.

    Rows of another day than `day` do not count.
    """
    from llmops_assets.lib.labelling import IntentClassifier
    from llmops_assets.lib.watching import drift
    from llmops_assets.lib.watching.counting import Forms, counted, readable

    forms = Forms(row["question"] for row in known)
    vectors = embedder.embed([forms.message(row["question"]) for row in known])
    classifier = IntentClassifier(vectors, [row["intent"] for row in known])
    intents = classifier.fill(vectors, [row["intent"] for row in known])
    reference = drift.fit_reference(vectors, intents, embedder=embedder.digest)
    rows, unreadable = readable(rows, day)
    count = counted(rows, unnamed=unnamed)
    kept = [rows[n] for n in count.kept]
    times, poor = [datetime.fromisoformat(row["time"]) for row in kept], [poorly_answered(row) for row in kept]
    asked = embedder.embed(list(count.texts))
    found = drift.judge_day(reference, times, asked, policy, poor=poor, embedder=embedder.digest)
    return Judged(reference, found, count, kept, {**unreadable, **count.left_out})


@dg.asset(
    deps=["use_case", "interactions", "deployment"],
    partitions_def=DAILY,
    kinds={"evidently", "html"},
    owners=["team:operations"],
    code_version="6",
)
def drift_report(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    embedder: dg.ResourceParam[InstalledEmbedder],
    redactor: dg.ResourceParam[Redactors],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """One day's questions against those the serving release was trained on, in windows, with the running CUSUM."""
    from llmops_assets.lib.watching import evidently_report

    day, release = run_day(context), serving.read(context, lake).release
    case = read(context, "use_case", UseCase)
    if release.training is None:
        raise dg.Failure(f"{release.release_id} names no training dataset: there is nothing to compare with")
    rows, known = read_day(context, lake, "interactions", day), release.training.reference
    nobody = redactor.of(case).subjects(ANONYMOUS)
    found = judged(read_rows(lake, known.ref), rows, case.drift, embedder, nobody, day)
    folder = f"monitoring/{NAME}/{day}"
    files = {f"{folder}.parquet": tables.to_parquet(novel(found), NOVEL)}
    page, history = not_judged(found, len(rows)), {}
    if found.day.outcome == "judged":
        count = len(found.counted.texts)
        page, snapshot = evidently_report.build(found.reference, found.day, count, case.drift.alpha, day)
        files[f"{folder}.json"] = snapshot.encode()
        place = f"http://127.0.0.1:{workspace.settings.evidently_port}/{evidently_history.address(day)}"
        history = {"history": dg.MetadataValue.url(place)}
    files[f"{folder}.html"] = page.encode()
    commit = publish(context, lake, files, interactions=len(rows))
    record = make_record(day, known, found, len(rows), case.drift.alpha, lake.uri(commit, f"{folder}.html"))
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.report,
        figures={**figures_of(record), **history},
        novel_questions=address(lake, lake.uri(commit, f"{folder}.parquet")),
        inputs={"reference": known.ref, "release": release.release_id},
    )


def not_judged(found: Judged, interactions: int) -> str:
    """The page of a day on which too little was asked to say anything."""
    told = f"{len(found.rows)} of {interactions} interactions count. Nothing is said about drift."
    return f"<!doctype html><title>Not judged</title><p>Not judged: {found.day.outcome}. {told}</p>"


def novel(found: Judged) -> list[dict]:
    """The day's questions that nothing known comes near, farthest first."""
    return [
        {"id": found.rows[i]["id"], "question": found.counted.texts[i], "distance": float(found.day.distances[i])}
        for i in found.day.novel
    ]


def figures_of(record: DriftReport) -> dict[str, Any]:
    """What the UI shows of a day."""
    windows = record.windows
    cannot = {f"cannot_fire_{name}": reason for name, reason in record.cannot.items()}
    return {
        "drifted": record.drifted,
        "outcome": record.outcome,
        "alarm_at": record.alarm_at or 0,
        "alarm_by": ", ".join(record.by) or "none",
        "p": record.p,
        "window": record.window,
        **{f"p_{name}": p for name, p in record.p_values.items()},
        **cannot,
        "interactions": record.interactions,
        "left_out": sum(record.left_out.values()),
        **{f"left_out_{reason.replace(' ', '_').replace('-', '_')}": n for reason, n in record.left_out.items()},
        "windows_drifted": sum(w.drifted for w in windows),
        "windows_of_more_volume": sum(w.volume for w in windows),
        "answered_poorly": record.poor_share or 0.0,
        "cusum": record.cusum,
        "cusum_alarm_at": record.cusum_alarm_at or 0,
        "novelty_share_max": max((w.novelty_share for w in windows), default=0.0),
        "novelty_p_min": min((w.novelty_p for w in windows), default=1.0),
        "intents_p_min": min((w.intents_p for w in windows), default=1.0),
        "by_window": lines("share of novel questions by window", {"novelty": [w.novelty_share for w in windows]}),
    }


def make_record(
    day: date, known: DatasetRef, found: Judged, interactions: int, alpha: float, report: LakeRef
) -> DriftReport:
    """The hand-over of a day's judgement, with the sizes its thresholds belong to."""
    from llmops_assets.lib.watching.drift import EXAMPLES

    return DriftReport(
        day=day,
        reference=known.ref,
        reference_size=len(found.reference.known),
        calibration_size=len(found.reference.distances),
        novelty_threshold=round(found.reference.threshold, 6),
        alpha=alpha,
        windows=found.day.windows,
        cusum=found.day.cusum,
        cusum_alarm_at=found.day.cusum_alarm_at,
        interactions=interactions,
        left_out=found.left_out,
        drifted=found.day.drifted,
        outcome=found.day.outcome,
        alarm_at=found.day.alarm_at,
        by=found.day.by,
        p=found.day.p,
        window=found.day.window,
        p_values={name: round(p, 9) for name, p in (found.day.p_values or {}).items()},
        level=found.day.level,
        cannot=dict(found.day.cannot or {}),
        poor_share=sum(map(poorly_answered, found.rows)) / len(found.rows) if found.rows else None,
        novel=tuple(found.rows[i]["id"] for i in found.day.novel[:EXAMPLES]),
        report=report,
    )
