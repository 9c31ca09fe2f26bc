"""Questions put to a release through its target, and the answers kept in the lake without grades.

Answers are graded when they are read, so that both sides of a paired test are judged by the rules of today.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

import dagster as dg

from llmops_assets.gateway.upstreams.premises import stays
from llmops_assets.handover.memory import inputs_digest, kept_file
from llmops_assets.handover.publishing import publish
from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.judging import grading, jury
from llmops_assets.lib.judging.grading import Graded
from llmops_assets.lib.records import Agreed, DatasetRef, EvalItem, EvalReport, JudgePolicy, ReleaseManifest, UseCase
from resources.chat_endpoint import ChatEndpoint
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
    for file in (stored for stored in lake.list(commit, folder) if stored.path.endswith(".parquet")):
        with contextlib.suppress(GoneError):
            known |= {row["id"]: row for row in tables.from_parquet(lake.get(commit, file.path))}
    return known


def measured(lake: Lake, judge: JudgePolicy) -> Agreed | None:
    """How far a judge was found to agree with people, by `llmops judge`; None: it was never measured."""
    stored = kept_file(lake, jury.path_of(judge))
    return Agreed.model_validate_json(stored[1]) if stored else None


def endpoint_of(judge: JudgePolicy, case: UseCase) -> ChatEndpoint:
    """Where a judge is asked. JudgeError when customers' data would leave the premises although it must stay."""
    host = urlsplit(judge.url).hostname
    if case.data_must_stay_on_premises and (host is None or not stays(host)):
        raise jury.JudgeError(
            f"judge.url of the use case, {judge.url}, is not on the premises, and the use case says that data must "
            "stay (data_must_stay_on_premises): name another judge"
        )
    key = dg.EnvVar(judge.key_variable).get_value("") if judge.key_variable else ""
    return ChatEndpoint(judge.url, judge.model, key or "", judge.timeout_seconds, max_tokens=8)


def voting(
    context: dg.AssetExecutionContext,
    lake: Lake,
    case: UseCase,
    release: str,
    items: Sequence[EvalItem],
    rows: Mapping[str, Mapping],
) -> dict[str, bool]:
    """Item id to vote, of the items that want one; none when there is no judge, or it may not vote."""
    judge = case.judge
    if judge is None or not any(item.scorer == jury.SCORER for item in items):
        return {}
    if why := jury.may_vote(judge, measured(lake, judge)):
        context.log.warning("the judge does not vote: %s", why)
        return {}
    path = f"evaluation/votes/{jury.digest(judge)}/{release}.json"
    stored = kept_file(lake, path)
    kept = json.loads(stored[1]) if stored else {}
    answers = {name: row["answer"] for name, row in rows.items()}
    # A vote is on an answer: one that was erased and asked for again may be another.
    names = {name: f"{name} {hash_json(answer)[:16]}" for name, answer in answers.items()}
    known = {name: kept[names[name]] for name in answers if names[name] in kept}
    found, missing = jury.votes(endpoint_of(judge, case).ask, items, answers, known)
    kept |= {names[name]: vote for name, vote in found.items()}
    publish(context, lake, {path: json.dumps(kept, sort_keys=True).encode()})
    if missing:
        context.log.warning("%s: no vote of the judge on %d answers: %s", release, sum(missing.values()), missing)
    return found


def evaluator(
    context: dg.AssetExecutionContext,
    lake: Lake,
    target: DeploymentTarget,
    suite: DatasetRef,
    case: UseCase | None = None,
) -> Callable[[str, ReleaseManifest, Sequence[EvalItem]], tuple[EvalReport, list[Graded]]]:
    """A function that asks a manifest some items, named `subject`, through a preview beside the live release.

    A release is asked a question once: answers that the lake has, in whatever suite it was asked, are read back. Their
    folder names the manifest and the asking asset's code version. So it is with the votes of a judge that may vote.
    """

    def evaluate(subject: str, manifest: ReleaseManifest, items: Sequence[EvalItem]) -> tuple[EvalReport, list[Graded]]:
        folder = f"evaluation/answers/{manifest.release_id}/{inputs_digest(context)[:16]}"
        path = f"{folder}/{hash_json([item.id for item in items])[:16]}.parquet"
        known = known_answers(lake, f"{folder}/")
        if fresh := [item for item in items if item.id not in known]:
            with target.preview(manifest):
                known |= {row["id"]: row for row in rows_of(ask_items(target, fresh, "preview"))}
        rows = tables.to_parquet([known[item.id] for item in items], tables.ANSWERS)
        voted = voting(context, lake, case, manifest.release_id, items, known) if case else None
        beside = f"{folder}/votes/{hash_json(voted)[:16]}.json"
        files = {path: rows} | ({beside: json.dumps(voted, sort_keys=True).encode()} if voted else {})
        commit = publish(context, lake, files)
        graded = grading.graded(items, tables.from_parquet(rows), voted or {})
        right = sum(g.right for g in graded)
        context.log.info("%s: %d of %d right (%d answers known)", subject, right, len(graded), len(items) - len(fresh))
        votes = lake.uri(commit, beside) if voted else None
        return grading.report(subject, suite, graded, lake.uri(commit, path), votes), graded

    return evaluate
