"""Finds the change between two releases that hurt a slice, by retraining between them and asking what was lost."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmops_assets.evaluation.asking import ask_items, rows_of
from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_rows, read_suite
from llmops_assets.handover.memory import kept_file
from llmops_assets.lib import bisection, tables
from llmops_assets.lib.corpus import provenance_diff
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.judging import grading
from llmops_assets.lib.records import (
    OVERALL,
    Build,
    DatasetRef,
    EvalItem,
    FileRef,
    LakeRef,
    QualityReport,
    Release,
    ReleaseManifest,
    TunedModel,
)
from llmops_assets.training import rebuilding
from resources import home_folder, open_lake, open_target
from resources.deployment_target import DeploymentTarget
from resources.lake.base import GoneError, Lake, NotFoundError
from resources.models import Models
from resources.wiring import open_models
from resources.workspace import Workspace

ANSWERS = "evaluation/bisection"
TRAINED = ("adapter", "adapter_digest", "prompt")
"""Of a manifest: what a retraining replaces."""


class BisectionError(LlmopsError):
    """There is nothing to search between two releases, or not enough is known of them."""


@dataclass(frozen=True)
class State:
    """What would be served after a change: `kind` says of what (dataset, prompt …), `name` which."""

    kind: str
    name: str
    build: Build


@dataclass(frozen=True)
class Found:
    """The change that hurt, between two states, with how it was found."""

    before: State
    after: State
    search: bisection.Search
    states: int
    retrained: int
    details: tuple[str, ...] = ()
    rows: provenance_diff.DatasetDiff = field(default_factory=lambda: provenance_diff.DatasetDiff({}, ()))


@dataclass
class Bisection:
    """The systems that a search reads and asks; it keeps answers in the lake, and nothing else."""

    lake: Lake
    models: Models
    workspace: Workspace
    target: DeploymentTarget
    tell: Callable[[str], None]
    retrained: int = 0

    def find(self, slice_: str, good: str, bad: str, rows: int = 20) -> Found:
        """The change that hurt a slice (or `overall`), with at most so many of the rows that came with it."""
        first, last = self._release(good), self._release(bad)
        items = self._lost(slice_, first, last)
        begin, end = (rebuilding.build_at(self.lake, _tuned(release).ref) for release in (first, last))
        states = [State("release", good, begin), *changes(self.lake, begin, end)]
        rest = unlike(first.manifest, last.manifest, begin.kind)
        self.tell(
            f"{len(items)} questions were lost; {len(states) - 1} changes to search, {retrainings(states)} at most"
        )
        if rest:
            served = self._vote(states[0], items, last, _tuned(first))
            self.tell(f"{good} with {', '.join(rest)} of {bad}: {served} answered")
            if served.hurt:
                told = tuple(f"{name} of the manifest" for name in rest)
                search = bisection.Search(1, {1: served})
                changed = State("settings", ", ".join(rest), begin)
                return Found(states[0], changed, search, len(states), self.retrained, told)
        if len(states) == 1:
            raise BisectionError(f"{good} and {bad} were trained alike, and what else differs did not hurt {slice_}")

        def asked(number: int) -> bisection.Vote:
            given = self._vote(states[number], items, last)
            self.tell(f"{states[number].kind} {states[number].name}: {given} answered")
            return given

        search = bisection.first_hurt(len(states) - 1, asked)
        before, after = states[search.change - 1], states[search.change]
        return Found(
            before,
            after,
            search,
            len(states),
            self.retrained,
            details(before.build, after.build),
            self._came(before.build.dataset, after.build.dataset, rows),
        )

    # -- what the two releases answered ---------------------------------------------------------------------------

    def _release(self, name: str) -> Release:
        try:
            release = serving.published(self.lake, name)
        except NotFoundError:
            raise BisectionError(f"{name} was never released: name a release that was") from None
        _tuned(release)
        return release

    def _lost(self, slice_: str, good: Release, bad: Release) -> list[EvalItem]:
        reports = [QualityReport.model_validate_json(self.lake.read(release.gate)) for release in (good, bad)]
        asked = read_suite(self.lake, reports[1].candidate.suite.ref)
        suite = [item for item in asked if slice_ in (item.slice, OVERALL)]
        if not suite:
            there = ", ".join(sorted({item.slice for item in asked}))
            raise BisectionError(f"{bad.release_id} was asked nothing of {slice_!r}, only of {there} and {OVERALL}")
        before, after = (self._right(report, suite) for report in reports)
        if not before.keys() & after.keys():
            raise BisectionError(
                f"{good.release_id} and {bad.release_id} were asked no question of {slice_!r} in common: their eval "
                "suites differ"
            )
        names = set(bisection.lost(before, after))
        if not names:
            raise BisectionError(
                f"{bad.release_id} answers all of {slice_!r} that {good.release_id} does: nothing was hurt"
            )
        return [item for item in suite if item.id in names]

    def _right(self, report: QualityReport, suite: Sequence[EvalItem]) -> Mapping[str, bool]:
        if report.candidate.answers is None:
            raise BisectionError(f"the report on {report.candidate.subject} names no answers: evaluate again")
        known = {item.id for item in suite}
        rows = [row for row in read_rows(self.lake, report.candidate.answers) if row["id"] in known]
        return {one.item.id: one.right for one in grading.graded(suite, rows)}

    # -- a state between them -------------------------------------------------------------------------------------

    def _vote(
        self, state: State, items: Sequence[EvalItem], last: Release, tuned: TunedModel | None = None
    ) -> bisection.Vote:
        """How many lost questions a state answers, in the bad release's surroundings; what it said before is kept.

        `tuned` is the model of a state that need not be trained.
        """
        made_of = state.build.model_dump(mode="json", exclude={"environment", "code"})
        around = {k: v for k, v in last.manifest.canonical().items() if k not in TRAINED}
        path = f"{ANSWERS}/{hash_json([made_of, around, [item.content_hash for item in items]])[:16]}.parquet"
        stored = kept_file(self.lake, path)
        if stored is not None:
            graded = grading.graded(items, tables.from_parquet(stored[1]))
        else:
            graded = self._asked(state, items, last, tuned)
            with self.lake.transaction(f"Bisection at {state.kind} {state.name}", {}, name="bisection") as transaction:
                transaction.put(path, tables.to_parquet(rows_of(graded), tables.ANSWERS))
        return bisection.vote([item.id for item in items], {one.item.id: one.right for one in graded})

    def _asked(
        self, state: State, items: Sequence[EvalItem], last: Release, tuned: TunedModel | None
    ) -> list[grading.Graded]:
        with rebuilding.scratch_branch(self.lake, "bisection", "main") as branch:
            file, digest = (tuned.engine_file, tuned.digest) if tuned else self._trained(state, branch)
            with self.target.preview(rebuilding.as_served(last.manifest, state.build, file, digest)):
                return ask_items(self.target, items, "preview")

    def _trained(self, state: State, branch: str) -> tuple[FileRef, str]:
        """A state's model in the form for the engine, on a branch; and the hash of its weights."""
        model = rebuilding.base_model(self.models, state.build, self.workspace.settings.base_model)
        rebuilding.insist_inputs(self.lake, model, state.build, None)
        with self.workspace.scratch() as scratch:
            folder = scratch / "tuned"
            folder.mkdir()
            digest = rebuilding.make(self.lake, model, state.build, None, folder)
            self.retrained += 1
            return rebuilding.on_branch(self.lake, branch, folder, state.build), digest

    def _came(self, before: DatasetRef, after: DatasetRef, limit: int) -> provenance_diff.DatasetDiff:
        if before.digest == after.digest:
            return provenance_diff.DatasetDiff({}, ())
        return provenance_diff.compare(*(read_rows(self.lake, d.ref) for d in (before, after)), limit=limit)


def _tuned(release: Release) -> TunedModel:
    if release.tuned is None:
        raise BisectionError(f"{release.release_id} serves the bare base model: there is nothing to train")
    return release.tuned


def unlike(good: ReleaseManifest, bad: ReleaseManifest, kind: str) -> list[str]:
    """Fields of two manifests that differ beside what is trained: index, thresholds, guards, settings."""
    trained = {*TRAINED, *(("engine_model",) if kind == "model" else ())}
    ours, theirs = ({k: _served(v) for k, v in m.canonical().items() if k not in trained} for m in (good, bad))
    return [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]


def _served(value: Any) -> Any:
    """A manifest's part without where its bytes lie."""
    return {k: v for k, v in value.items() if k != "ref"} if isinstance(value, dict) else value


def changes(lake: Lake, good: Build, bad: Build) -> list[State]:
    """Every state after a change on the way from a good build to a bad one: each dataset commit, then the prompt, the
    recipe, and the adapter that it starts from. BisectionError between different methods or base models."""
    if good.base.ref.digest != bad.base.ref.digest:
        raise BisectionError(
            f"the base models differ ({good.base.ref.name}, {bad.base.ref.name}): retrain on one first"
        )
    if (good.kind, good.recipe.method) != (bad.kind, bad.recipe.method):
        raise BisectionError(
            f"one was trained by {good.recipe.method}, the other by {bad.recipe.method}: name releases of one method"
        )
    states, build = [], good
    for dataset in versions(lake, good.dataset, bad.dataset):
        build = build.model_copy(update={"dataset": dataset})
        states.append(State("dataset", dataset.ref.commit[:12], build))
    steps = {
        "prompt": (("prompt",), f"version {bad.prompt.version}"),
        "recipe": (("recipe", "more"), ", ".join(recipe_changes(good, bad))),
        "warm start": (("start", "start_digest", "known", "replayed"), bad.start_digest[:12] or "none"),
    }
    for kind, (fields, name) in steps.items():
        update = {field: getattr(bad, field) for field in fields if not _alike(good, bad, field)}
        if update:
            build = build.model_copy(update=update)
            states.append(State(kind, name, build))
    return states


def _alike(good: Build, bad: Build, name: str) -> bool:
    if name == "prompt":
        return good.prompt.digest == bad.prompt.digest
    # An adapter that was kept lies at another commit, and is the same.
    return getattr(good, name) == getattr(bad, name) or (name == "start" and good.start_digest == bad.start_digest)


def versions(lake: Lake, good: DatasetRef, bad: DatasetRef) -> list[DatasetRef]:
    """The datasets that were published after the good one, up to the bad one, oldest first; erased ones are left out.

    BisectionError when the good one is no earlier state of the bad one.
    """
    path = bad.ref.path
    begin = lake.stat(good.ref.commit, good.ref.path).sha256
    newest = lake.stat(bad.ref.commit, path).sha256
    if begin == newest:
        return []
    between: list[DatasetRef] = []
    for commit in lake.log(bad.ref.commit, path=path):
        sha256 = lake.stat(commit.id, path).sha256
        if sha256 == begin:
            return [*between[::-1], bad]
        if sha256 != newest and (dataset := _readable(lake, bad.name, lake.uri(commit.id, path))) is not None:
            between.append(dataset)
    raise BisectionError(f"{good.ref} is no earlier state of {bad.ref}: name the older release first")


def _readable(lake: Lake, name: str, ref: LakeRef) -> DatasetRef | None:
    try:
        rows = read_rows(lake, ref)
    except GoneError:
        return None
    return DatasetRef(name=name, ref=ref, digest=tables.digest(rows), rows=len(rows))


def recipe_changes(good: Build, bad: Build) -> list[str]:
    """What of recipe and parameters differs, each as `name before → after`."""
    pairs = {**good.recipe.model_dump(), **good.more}, {**bad.recipe.model_dump(), **bad.more}
    names = sorted(pairs[0].keys() | pairs[1].keys())
    return [f"{n} {pairs[0].get(n)} → {pairs[1].get(n)}" for n in names if pairs[0].get(n) != pairs[1].get(n)]


def details(before: Build, after: Build) -> tuple[str, ...]:
    """What of prompt and recipe differs between two states, for a person."""
    told = recipe_changes(before, after)
    if before.prompt.digest != after.prompt.digest:
        told += [f"before: {before.prompt.template}", f"after: {after.prompt.template}"]
    return tuple(told)


def retrainings(states: Sequence[State]) -> int:
    """How many states are asked at most."""
    return math.ceil(math.log2(max(1, len(states) - 1)))


def told(found: Found) -> list[str]:
    """How a search ended, as lines."""
    before, after = (f"{state.kind} {state.name}" for state in (found.before, found.after))
    lines = [f"{after} hurt it ({before} did not), after {found.retrained} retrainings"]
    votes = {
        f"{n}": found.search.votes[n] for n in (found.search.change - 1, found.search.change) if n in found.search.votes
    }
    lines += [f"of what was lost, state {n} of {found.states - 1} answered {votes[n]}" for n in votes]
    if found.search.doubtful:
        lines.append(
            "a vote beside it was narrow: retraining may have moved it; name a release nearer by, or more questions"
        )
    counts = ", ".join(f"{count} {change}" for change, count in found.rows.counts.items() if count)
    return [*lines, *found.details, *([f"rows: {counts}"] if counts else [])]


def place(provenance: str) -> tuple[str, str, str]:
    """(source, day, row) of a provenance id; a row of the knowledge base has no day."""
    source, _, rest = provenance.partition("/")
    day, _, row = rest.partition("/")
    return source, day, row


def bisect(slice_: str, good: str, bad: str, rows: int, tell: Callable[[str], None]) -> Found:
    """Search between two releases of this installation; its gateway runs as long as it did before."""
    workspace = Workspace(home_folder())
    lake, models = open_lake(workspace), open_models(workspace)
    target = open_target(workspace, lake=lake, models=models)
    search = Bisection(lake, models, workspace, target, tell)
    ran = target.is_running()
    try:
        return search.find(slice_, good, bad, rows)
    finally:
        if not ran:
            target.stop()
