"""Yesterday's questions asked again: a window of the log, answered by a candidate and by what serves, side by side.

What decides and what is listed is `lib.judging.replay`; here it meets lake, log and target. Only redacted questions
leave the lake, and nothing of a replay is logged as traffic.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from llmops_assets.data.eval_suite import trained_on, was_erased
from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_articles, read_rows
from llmops_assets.handover.reading import RecordType, recorded, recorded_days
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.evalsuite import item_of
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.judging import recent
from llmops_assets.lib.judging.replay import Compared, Logged, Pair, Said, compared, disagreements, logged
from llmops_assets.lib.labelling.labelfiles import MACHINE, LabelError, kept_labels, write_queue
from llmops_assets.lib.labelling.queue import QueueItem
from llmops_assets.lib.records import RECENT, Article, Candidate, DatasetRef, KnowledgeBase, ReleaseManifest, UseCase
from llmops_assets.lib.tables import TRAINING_TAG
from resources import home_folder, open_lake, open_target
from resources.deployment_target import Ask, DeploymentTarget
from resources.lake.base import Lake, NotFoundError
from resources.workspace import Workspace


class ReplayError(LlmopsError, ValueError):
    """A window cannot be replayed; the message says why and what to do."""


@dataclass(frozen=True)
class Replayed:
    """What a replay found: the sides, the comparison, why rows were left out or are not graded, and the listed ones."""

    candidate: str
    incumbent: str
    result: Compared
    left_out: dict[str, int]
    unknown: dict[str, int]
    listed: tuple[QueueItem, ...]


def replay(first: date, last: date, *, candidate: str, incumbent: str, limit: int) -> Replayed:
    """Ask the questions of the days from `first` to `last`; of more than `limit` a sample by hash. ReplayError."""
    if first > last:
        raise ReplayError(f"--from {first} is after --to {last}: exchange the two")
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    with dg.DagsterInstance.get() as instance:
        case, articles = _read(instance, "use_case", UseCase), _trusted(instance, lake)
        mine, other = _candidate(instance, lake, candidate), _incumbent(instance, lake, incumbent)
        days = recorded_days(instance, "interactions", DatasetRef, after=first - timedelta(days=1), until=last)
    if mine.release_id == other.release_id:
        raise ReplayError(f"{mine.release_id} would be compared with itself: name another one as --candidate")
    rows = [row for ref in days.values() for row in read_rows(lake, ref.ref)]
    asked, left_out = _chosen(rows, limit)
    if not asked:
        raise ReplayError(
            f"no logged question from {first} to {last} can be asked again ({len(days)} days in the lake, "
            f"{len(rows)} interactions): materialize interactions for those days, or name others"
        )
    labels = {
        i: label.intent for i, label in kept_labels(workspace.labels_folder).items() if _by_person(label.annotator)
    }
    found = recent.outcomes([row for row in rows if row["id"] in {one.id for one in asked}], articles, labels)
    known, taught = _not_taught(lake, {one.interaction: one for one in found.known})
    target = open_target(workspace, lake=lake)
    answers = [_answers(target, manifest, asked) for manifest in (mine, other)]
    pairs = []
    for one in asked:
        if not all(one.id in side for side in answers):
            left_out["not answered now"] += 1
            continue
        told = known.get(one.id)
        item = item_of(RECENT, one.question, told.article) if told else None
        pairs.append(Pair(one, answers[0][one.id], answers[1][one.id], item))
    if not pairs:
        raise ReplayError(f"{target.name} answered none of {len(asked)} questions: see its log")
    unknown = {**found.unknown, **({"taught to some release": taught} if taught else {})}
    listed = tuple(QueueItem.model_validate(row) for row in disagreements(pairs, found.disputed, articles))
    return Replayed(mine.release_id, other.release_id, compared(pairs, case.gate), dict(left_out), unknown, listed)


def write(file: Path, form: str, found: Replayed) -> None:
    """Write the disagreements for a person; `llmops labels import` reads them back. LabelError."""
    try:
        file.write_text(write_queue(found.listed, form), encoding="utf-8")
    except OSError as error:
        raise LabelError(f"{file} cannot be written: {error.strerror or error}") from None


def told(found: Replayed) -> list[str]:
    """What a person is told, a line each."""
    result, points = found.result, 100 * (found.result.candidate - found.result.incumbent)
    lines = [f"{found.candidate} against {found.incumbent} on {result.asked} logged questions"]
    if result.known:
        lines += [
            f"right answer known of {result.known}: {result.candidate} right, incumbent {result.incumbent} "
            f"({result.won} won, {result.lost} lost)",
            f"difference {points / result.known:+.1f} points, {100 * (1 - 2 * result.alpha):.0f} % interval "
            f"{100 * result.low:+.1f} to {100 * result.high:+.1f}, margin {100 * result.margin:g}: {result.verdict}",
        ]
    else:
        lines.append("right answer known of none: label the disagreements, or wait for feedback")
    if result.ungraded:
        lines.append(f"{result.ungraded} could not be graded")
    lines += [
        f"retrieval of the {side} differs from the recorded one for {count} of {result.asked}"
        for side, count in result.moved.items()
        if count
    ]
    lines += [f"not graded, {reason}: {count}" for reason, count in sorted(found.unknown.items())]
    return lines + [f"left out, {reason}: {count}" for reason, count in sorted(found.left_out.items())]


def _by_person(annotator: str) -> bool:
    return not annotator.startswith(MACHINE)


def _read(instance: dg.DagsterInstance, asset: str, record: type[RecordType]) -> RecordType:
    found = recorded(instance, asset, record)
    if found is None:
        raise ReplayError(f"{asset} was never materialized: build a release first (`llmops build`)")
    return found


def _trusted(instance: dg.DagsterInstance, lake: Lake) -> tuple[Article, ...]:
    return read_articles(lake, _read(instance, "knowledge_base", KnowledgeBase).trusted.ref)


def _candidate(instance: dg.DagsterInstance, lake: Lake, wanted: str) -> ReleaseManifest:
    """The manifest of the candidate that was put together last, or of a release."""
    last = recorded(instance, "candidate", Candidate)
    if last is not None and wanted in ("", last.release_id):
        return last.manifest
    if not wanted:
        raise ReplayError("no candidate was put together yet: build one (`llmops build`), or name a release")
    return _published(lake, wanted)


def _incumbent(instance: dg.DagsterInstance, lake: Lake, wanted: str) -> ReleaseManifest:
    """The manifest of a release, or of what serves."""
    if wanted:
        return _published(lake, wanted)
    live = serving.recorded(instance, lake)
    if live is None:
        raise ReplayError("nothing serves yet: there is nothing to compare with")
    return live.release.manifest


def _published(lake: Lake, release: str) -> ReleaseManifest:
    try:
        return serving.published(lake, release).manifest
    except NotFoundError:
        raise ReplayError(f"{release} is neither the last candidate nor a release: name one that is") from None


def _chosen(rows: Sequence[Mapping], limit: int) -> tuple[list[Logged], Counter[str]]:
    """What is asked, every wording once, and why the rest is not."""
    found: dict[str, Logged] = {}
    left_out: Counter[str] = Counter()
    for one in logged(sorted(rows, key=lambda row: (row["time"], row["id"]))):
        if isinstance(one, str):
            left_out[one] += 1
        elif found.setdefault(hash_json([one.question.lower(), one.history]), one) is not one:
            left_out["asked before in the window"] += 1
    ranked = sorted(found.values(), key=lambda one: hash_json(one.id))
    if len(ranked) > limit:
        left_out["beyond --limit"] = len(ranked) - limit
    return ranked[:limit], left_out


def _not_taught(lake: Lake, known: dict[str, recent.Known]) -> tuple[dict[str, recent.Known], int]:
    """The outcomes of questions that no training dataset nearly equals, and how many do."""
    from llmops_assets.lib.corpus.deduplication import contaminated

    tags = {tag: commit for tag, commit in lake.tags().items() if tag.startswith(TRAINING_TAG)}
    rows = (
        (tag, *row)
        for tag, commit in sorted(tags.items())
        if not was_erased(lake, commit)
        for row in trained_on(lake, commit)
    )
    taught = {hit.question for hit in contaminated([one.question for one in known.values()], rows)}
    kept = {name: one for name, one in known.items() if one.question not in taught}
    return kept, len(known) - len(kept)


def _answers(target: DeploymentTarget, manifest: ReleaseManifest, asked: Sequence[Logged]) -> dict[str, Said]:
    """Id to a release's answer, of the questions that it answered."""
    asks = [Ask(one.question, conversation=f"replay-{one.id}", history=one.history) for one in asked]
    with target.preview(manifest):
        replies = target.ask_many(asks, "preview")
    return {
        one.id: Said(r.answer, r.path, r.article, r.similarity)
        for one, r in zip(asked, replies, strict=True)
        if r.status == 200
    }
