"""Questions put to a release through its target, and the answers kept in the lake without grades.

Answers are graded when they are read, so that both sides of a paired test are judged by the rules of today.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence

import dagster as dg

from llmops_assets.handover.memory import inputs_digest
from llmops_assets.handover.publishing import publish
from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.judging import grading
from llmops_assets.lib.judging.grading import Graded
from llmops_assets.lib.records import DatasetRef, EvalItem, EvalReport, ReleaseManifest
from resources.deployment_target import Ask, DeploymentTarget, TargetReply, Which
from resources.lake.base import GoneError, Lake

RETRIES = 3
"""Rounds in which what stayed unanswered is asked again, one question at a time: nobody waits for an evaluation."""


def ask(target: DeploymentTarget, asks: Sequence[Ask], which: Which) -> list[TargetReply]:
    """An answer to every question; Failure when one stays unanswered (no score is made up for it)."""
    replies = list(target.ask_many(asks, which))
    # A busy machine may let a request time out that passes when it is asked alone, later.
    for _ in range(RETRIES):
        for number in [number for number, reply in enumerate(replies) if reply.status != 200]:
            replies[number] = target.ask_many([asks[number]], which)[0]
    if missing := [r for r in replies if r.status != 200]:
        raise dg.Failure(f"{len(missing)} of {len(asks)} questions got no answer: {missing[0].error}")
    return replies


def ask_items(target: DeploymentTarget, items: Sequence[EvalItem], which: Which) -> list[Graded]:
    """The graded answers of a release to eval items. Failure as in `ask`."""
    replies = ask(target, [Ask(item.question, conversation=item.id, history=item.history) for item in items], which)
    return [
        grading.judged(item, r.answer, r.path, r.article, r.latency_seconds)
        for item, r in zip(items, replies, strict=True)
    ]


def rows_of(graded: Iterable[Graded]) -> list[dict]:
    """Answers as rows of the ANSWERS table."""
    return [
        {
            "id": g.item.id,
            "slice": g.item.slice,
            "question": g.item.question,
            "answer": g.answer,
            "path": g.path,
            "article": g.article or "",
            "seconds": g.seconds,
        }
        for g in graded
    ]


def known_answers(lake: Lake, folder: str) -> dict[str, dict]:
    """Item id to the answer that a folder of main has; the id names the question as it is asked."""
    commit, known = lake.resolve("main"), {}
    for file in lake.list(commit, folder):
        with contextlib.suppress(GoneError):
            known |= {row["id"]: row for row in tables.from_parquet(lake.get(commit, file.path))}
    return known


def evaluator(
    context: dg.AssetExecutionContext, lake: Lake, target: DeploymentTarget, suite: DatasetRef
) -> Callable[[str, ReleaseManifest, Sequence[EvalItem]], tuple[EvalReport, list[Graded]]]:
    """A function that asks a manifest some items, named `subject`, through a preview beside the live release.

    A release is asked a question once: answers that the lake has, in whatever suite it was asked, are read back. Their
    folder names the manifest and the asking asset's code version.
    """

    def evaluate(subject: str, manifest: ReleaseManifest, items: Sequence[EvalItem]) -> tuple[EvalReport, list[Graded]]:
        folder = f"evaluation/answers/{manifest.release_id}/{inputs_digest(context)[:16]}"
        path = f"{folder}/{hash_json([item.id for item in items])[:16]}.parquet"
        known = known_answers(lake, f"{folder}/")
        if fresh := [item for item in items if item.id not in known]:
            with target.preview(manifest):
                known |= {row["id"]: row for row in rows_of(ask_items(target, fresh, "preview"))}
        rows = tables.to_parquet([known[item.id] for item in items], tables.ANSWERS)
        commit = publish(context, lake, {path: rows})
        graded = grading.graded(items, tables.from_parquet(rows))
        right = sum(g.right for g in graded)
        context.log.info("%s: %d of %d right (%d answers known)", subject, right, len(graded), len(items) - len(fresh))
        return grading.report(subject, suite, graded, lake.uri(commit, path)), graded

    return evaluate
