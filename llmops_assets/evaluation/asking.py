"""Questions put to a release through its target, and the answers kept in the lake without grades.

Answers are graded when they are read, so that both sides of a paired test are judged by the rules of today.
"""

from collections.abc import Callable, Iterable, Sequence

import dagster as dg

from llmops_assets.handover.memory import inputs_digest, kept_file
from llmops_assets.handover.publishing import publish
from llmops_assets.lib import tables
from llmops_assets.lib.judging import grading
from llmops_assets.lib.judging.grading import Graded
from llmops_assets.lib.records import DatasetRef, EvalItem, EvalReport, ReleaseManifest
from resources.deployment_target import Ask, DeploymentTarget, TargetReply, Which
from resources.lake.base import Lake

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
        Graded(item, r.answer, r.path, r.article, grading.grade(item, r.answer, r.path, r.article), r.latency_seconds)
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


def evaluator(
    context: dg.AssetExecutionContext, lake: Lake, target: DeploymentTarget, suite: DatasetRef
) -> Callable[[str, ReleaseManifest, Sequence[EvalItem]], tuple[EvalReport, list[Graded]]]:
    """A function that asks a manifest some items, named `subject`, through a preview beside the live release.

    Answers that the lake has are read back: their path names manifest, questions and the asking asset's code version.
    """

    def evaluate(subject: str, manifest: ReleaseManifest, items: Sequence[EvalItem]) -> tuple[EvalReport, list[Graded]]:
        asked = inputs_digest(context, suite.digest, *(item.id for item in items))
        path = f"evaluation/answers/{manifest.release_id}/{asked[:16]}.parquet"
        stored = kept_file(lake, path)
        if stored is None:
            with target.preview(manifest):
                graded = ask_items(target, items, "preview")
            commit = publish(context, lake, {path: tables.to_parquet(rows_of(graded), tables.ANSWERS)})
        else:
            commit, graded = stored[0], grading.graded(items, tables.from_parquet(stored[1]))
        right = sum(g.right for g in graded)
        context.log.info("%s: %d of %d right%s", subject, right, len(graded), " (answers known)" if stored else "")
        return grading.report(subject, suite, graded, lake.uri(commit, path)), graded

    return evaluate
