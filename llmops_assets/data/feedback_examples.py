"""What a day's feedback teaches: corrections, with the question they belong to and what had been answered.

What may be poison waits for a person on a branch of its own (`QUARANTINE`), which nothing is built from. Why, and what
is held back: docs/decisions/feedback.md.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from llmops_assets.data.interactions import interactions
from llmops_assets.gateway.identity.roles import ANONYMOUS
from llmops_assets.handover import serving
from llmops_assets.handover.days import read_day, read_days, run_day
from llmops_assets.handover.display import address, counted
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import tables
from llmops_assets.lib.judging.recent import is_judged
from llmops_assets.lib.records import DatasetRef, LakeRef, UseCase
from llmops_assets.partitions import DAILY
from resources.embedder import InstalledEmbedder
from resources.lake.base import AlreadyExistsError, Lake
from resources.redactor import Redactors
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.feedback.decisions import Decision
    from llmops_assets.lib.feedback.quarantine import Held
    from llmops_assets.lib.feedback.said import Said

NAME = "feedback_examples"
QUARANTINE = "feedback-quarantine"
"""Branch of the lake that holds what waits for a person; never merged."""
HELD = f"data/{NAME}/held/"


def example_of(said: "Said", author: str | None = None) -> dict[str, Any]:
    """Feedback as a row to learn from; `author` in place of its own."""
    return {
        "row_id": said.id,
        "question": said.question,
        "answer": said.correction,
        "served": said.answer,
        "article": said.article,
        "rating": said.rating,
        "author": said.author if author is None else author,
        "release": said.release,
    }


def examples_of(
    kept: Iterable["Said"], held: Iterable["Held"], decided: Mapping[str, "Decision"]
) -> tuple[list[dict], list["Held"]]:
    """(rows to learn from, what still waits or was rejected): what a person released teaches as well.

    A released correction is the word of who released it: each counts for itself, whoever sent it. What the eval suite
    judges by is never taught.
    """
    released, waiting = [], []
    for one in held:
        decision = decided.get(one.said.id)
        (released if decision and decision.decision == "release" else waiting).append(one)
    rows = [example_of(said) for said in kept]
    rows += [example_of(one.said, f"released:{one.said.id}") for one in released]
    return sorted((row for row in rows if not is_judged(row["question"])), key=lambda row: row["row_id"]), waiting


def hold_back(context: dg.AssetExecutionContext, lake: Lake, path: str, held: Sequence["Held"]) -> LakeRef | None:
    """Put what waits on its own branch, in the order a person should read it; where it is, None where nothing is."""
    rows = [
        {**example_of(one.said), "reasons": list(one.reasons.values()), "doubt": round(one.doubt, 4)} for one in held
    ]
    branch = QUARANTINE in lake.branches()
    if not rows and not (branch and any(stat.path == path for stat in lake.list(QUARANTINE, path))):
        return None
    if not branch:
        # Of two days at a time the second one finds it there.
        with contextlib.suppress(AlreadyExistsError):
            lake.branch(QUARANTINE)
    data = tables.to_parquet(rows, tables.HELD_BACK)
    return lake.uri(publish(context, lake, {path: data}, branch=QUARANTINE, held=len(rows)), path)


@dg.asset(
    deps=["use_case", interactions],
    partitions_def=DAILY,
    kinds={"parquet"},
    owners=["team:data-engineering"],
    code_version="4",
)
def feedback_examples(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    embedder: dg.ResourceParam[InstalledEmbedder],
    redactor: dg.ResourceParam[Redactors],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """A day's corrections and bad ratings as examples to learn from, without what waits for a person.

    A fifth of the questions, by hash, is kept for the eval suite and never taught. Empty on a day without traffic.
    """
    from llmops_assets.lib.feedback.decisions import kept_decisions
    from llmops_assets.lib.feedback.quarantine import sift
    from llmops_assets.lib.feedback.said import said_in

    day, case = run_day(context), read(context, "use_case", UseCase)
    nobody, yesterday = redactor.of(case).subjects(ANONYMOUS), day - timedelta(days=1)
    since = day - timedelta(days=case.feedback.days)
    today, left_out = said_in(read_day(context, lake, "interactions", day), nobody, day)
    before, _ = said_in(read_days(context, lake, "interactions", yesterday, since=since), nobody)
    found = sift(today, before, embedder.vectors, case.feedback)
    rows, waiting = examples_of(found.kept, found.held, kept_decisions(workspace.feedback_folder))
    path = f"data/{NAME}/{day}.parquet"
    commit = publish(context, lake, {path: tables.to_parquet(rows, tables.CORRECTIONS)}, rows=len(rows))
    where = hold_back(context, lake, f"{HELD}{day}.parquet", waiting)
    live = serving.find(context, lake)
    serves = live.release.release_id if live else ""
    counts = {
        "corrections": sum(bool(row["answer"]) for row in rows),
        "held_back": len(waiting),
        "released": sum(row["author"].startswith("released:") for row in rows),
        "kept_for_the_eval_suite": sum(said.teaches and is_judged(said.question) for said in found.kept),
        "of_releases_that_serve_no_more": sum(said.teaches and said.release != serves for said in today),
    }
    record = DatasetRef(
        name=NAME, ref=lake.uri(commit, path), digest=tables.digest(rows), rows=len(rows), counts=counts
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=len(rows),
        figures=counts,
        held_back_by_rule=counted("rule", Counter(rule for one in waiting for rule in one.reasons), "feedback"),
        left_out_by_reason=counted("reason", left_out, "interactions"),
        waits_for_a_person=address(lake, where) if where else "nothing",
    )
