"""Gathers why an answer was given: from the interaction log, the release that gave it, and the lake at its commits."""

import contextlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from llmops_assets.data import knowledge_base
from llmops_assets.evaluation.evidence import DECISION, REPORT
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_rows
from llmops_assets.lib import explaining
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.explanations import support
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.explaining import ERASED, Section
from llmops_assets.lib.records import Build, GateDecision, HostingOption, Interaction, LakeRef, Release
from llmops_assets.lib.watching import costs
from llmops_assets.training import rebuilding
from llmops_assets.training.rebuilding import NotRebuildableError
from resources import home_folder, open_lake
from resources.embedder import InstalledEmbedder
from resources.lake.base import GoneError, Lake, LakeError, NotFoundError
from resources.use_case import UseCaseFiles
from resources.wiring import hosting_option
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.answering.knowledge import KnowledgeIndex

NEAREST = 5
"""Training rows shown."""


class UnknownAnswerError(LlmopsError):
    """The log has no such answer; the message says what is known of it."""


@dataclass(frozen=True)
class Explainer:
    """The systems that an explanation reads; it writes nothing."""

    lake: Lake
    log: InteractionLog
    embedder: InstalledEmbedder
    option: HostingOption | None = None

    def sections(self, name: str, rows: int = NEAREST) -> list[Section]:
        """Everything known of an answer. UnknownAnswerError when the log does not have it."""
        answer = self._answer(name)
        release = self._release(answer.release_id)
        links = self._links(release) if release else []
        return [
            self._told(answer, release),
            self._passages(answer, release),
            Section("guards that fired", columns=("guard", "where", "did"), rows=guards)
            if (guards := explaining.guards_that_fired(answer.guards))
            else Section("guards that fired", ("none",)),
            *([] if release is None else [self._release_section(release), self._datasets(release, links)]),
            self._nearest(answer, release, links, rows),
            self._cost(answer),
        ]

    def trained(self, name: str) -> tuple[Interaction, Release, list[tuple[LakeRef, Build]]]:
        """An answer, its release, and the trainings behind it, the first one first. UnknownAnswerError without any."""
        answer = self._answer(name)
        release = self._release(answer.release_id)
        links = self._links(release) if release else []
        if release is None or not links:
            raise UnknownAnswerError(
                f"no training behind {answer.release_id} is known: there is nothing to train again"
            )
        return answer, release, links

    # -- the answer -----------------------------------------------------------------------------------------------

    def _answer(self, name: str) -> Interaction:
        found = [answer for answer in self.log.find(name) if answer.id == name]
        if found:
            return found[0]
        told = [e for e in self.log.audit_entries() if json.dumps(name) in e["detail"]]
        if told:
            last = told[-1]
            raise UnknownAnswerError(
                f"{name} is no longer in the interaction log: audit entry {last['number']} of {last['time'][:19]} says "
                f"{last['action']!r} of it"
            )
        raise UnknownAnswerError(
            f"the interaction log has no answer {name!r}: it was never logged (tests of a candidate are not), or erased"
        )

    def _told(self, answer: Interaction, release: Release | None) -> Section:
        router = release.manifest.router if release else None
        lines = [
            f"{answer.time:%Y-%m-%d %H:%M:%S} UTC, turn {answer.turn + 1}, status {answer.status}",
            f"path: {explaining.path_taken(answer, router)}",
        ]
        if _worded(answer):
            lines += [f"question: {answer.question}", f"answer: {answer.answer}"]
        else:
            lines.append(ERASED)
        said = self.log.interactions(answer.time, answer.time + timedelta(microseconds=1))
        for row in (row for row in said if row["id"] == answer.id and (row["rating"] or row["correction"])):
            lines.append(f"feedback: rated {row['rating']:+d}. {row['reason']}".rstrip())
            if row["correction"]:
                lines.append(f"corrected to: {row['correction']}")
        return Section("answer", tuple(lines))

    def _cost(self, answer: Interaction) -> Section:
        lines = [f"{answer.latency_seconds:.3f} s, {answer.input_tokens} tokens read, {answer.output_tokens} written"]
        if self.option is not None:
            # As the ledger counts: an answer that nobody worked for costs nothing.
            worked = answer.output_tokens or (answer.path == "generated" and answer.cached_seconds is None)
            spent = (answer.latency_seconds, answer.input_tokens, answer.output_tokens) if worked else (0.0, 0, 0)
            lines.append(f"{costs.price(*spent, self.option):.8f} at the prices of {self.option.name!r}")
        return Section("cost", tuple(lines))

    # -- what it read -----------------------------------------------------------------------------------------------

    def _passages(self, answer: Interaction, release: Release | None) -> Section:
        title = "articles"
        if release is None:
            return Section(title, (f"{answer.release_id} is not in the lake: what it read is not known",))
        file = release.manifest.knowledge_index
        if file is None:
            return Section(title, ("the release has no index: the model answered alone",))
        if not _worded(answer):
            return Section(title, (f"the article was {answer.article or 'none'}; {ERASED}",))
        from llmops_assets.lib.answering.knowledge import KnowledgeIndex

        try:
            index = KnowledgeIndex.from_bytes(self.lake.read(file.ref))
        except GoneError:
            return Section(title, (f"the index {file.ref} was erased",))
        version = f"as of lake commit {self._version(file.ref)}, index {file.ref}"
        if index.embedder_digest != self.embedder.digest:
            return Section(title, (version, "the index was made with another embedder: nothing is looked up again"))
        return self._looked_up(answer, release, index, version)

    def _looked_up(self, answer: Interaction, release: Release, index: "KnowledgeIndex", version: str) -> Section:
        """The articles that the gateway's own way of reading finds for the logged words."""
        from llmops_assets.lib.answering.deciding import decide
        from llmops_assets.lib.answering.reading import read

        turns = self.turns_before(answer)
        history = [said for asked, told in turns for said in (Said("user", asked), Said("assistant", told))]
        manifest = release.manifest
        turn = read(answer.question, history, index, self.embedder, manifest.router, manifest.language)
        decision = decide(turn, history, manifest.language)
        reason = f" ({decision.reason})" if decision.reason else ""
        again = f"looked up again with the logged, redacted words: {decision.path}{reason}"
        hits = turn.found.hits[: max(1, manifest.router.passages)]
        rows = [
            (
                hit.article,
                f"{hit.similarity:.3f}",
                "cited" if hit.article == answer.article else "",
                f"{support(answer.answer, [hit.answer]).best:.0%}",
                hit.answer,
            )
            for hit in hits
        ]
        columns = ("article", "similarity", "", "of the answer in it", "text")
        return Section("articles", (version, again), columns, tuple(rows))

    def prompt_of(self, answer: Interaction, release: Release) -> tuple[list[str], list[Said]]:
        """The passages and turns that stood in the prompt of a generated answer, looked up again."""
        from llmops_assets.lib.answering.knowledge import KnowledgeIndex, passages
        from llmops_assets.lib.answering.reading import read

        manifest = release.manifest
        turns = self.turns_before(answer)
        history = [said for asked, told in turns for said in (Said("user", asked), Said("assistant", told))]
        if manifest.knowledge_index is None:
            return [], history
        index = KnowledgeIndex.from_bytes(self.lake.read(manifest.knowledge_index.ref))
        turn = read(answer.question, history, index, self.embedder, manifest.router, manifest.language)
        return passages(turn.found.hits, manifest.router), history

    def turns_before(self, answer: Interaction) -> tuple[tuple[str, str], ...]:
        """(customer, assistant) of the conversation before it, as far as the log has them, the oldest first."""
        found = (a for a in self.log.find(answer.subject) if a.conversation == answer.conversation)
        before = sorted((a for a in found if a.turn < answer.turn), key=lambda a: (a.turn, a.time))
        return tuple((a.question, a.answer) for a in before if a.question and a.answer)

    def _version(self, index: LakeRef) -> str:
        """The commit that last changed the articles before an index was made of them."""
        newest = next(iter(self.lake.log(index.commit, path=knowledge_base.PATHS["articles"], limit=1)), None)
        return newest.id if newest else index.commit

    # -- what it came from -------------------------------------------------------------------------------------------

    def _release(self, name: str) -> Release | None:
        try:
            return serving.published(self.lake, name)
        except NotFoundError:
            return None

    def _release_section(self, release: Release) -> Section:
        manifest, lines = release.manifest, []
        lines.append(f"{release.release_id}, manifest {release.manifest_ref}")
        lines.append(
            f"base model {manifest.base.name}, prompt {manifest.prompt.name} version {manifest.prompt.version}"
        )
        if release.tuned is not None:
            lines.append(f"{release.tuned.kind} {release.tuned.digest} ({release.tuned.recipe.method})")
        lines.append(self._decision(release))
        if release.approval is not None:
            word = release.approval
            lines.append(f"{word.verdict} by {word.name}, audit entry {word.entry}: {word.reason}")
        return Section("release", tuple(lines))

    def _decision(self, release: Release) -> str:
        at = release.gate.model_copy(update={"path": f"{release.gate.path.removesuffix(REPORT)}{DECISION}"})
        try:
            decision = GateDecision.model_validate_json(self.lake.read(at))
        except LakeError as error:
            return f"the gate's decision cannot be read: {error}"
        against = f" against {decision.incumbent}" if decision.incumbent else ""
        status = decision.status or ("passed" if decision.passed else "blocked")
        return f"the gate decided{against}: {status}. {'; '.join(decision.reasons)}".rstrip(". ")

    def _links(self, release: Release) -> list[tuple[LakeRef, Build]]:
        """The trainings behind a release, as far as their builds are known."""
        if release.tuned is None:
            return []
        try:
            return rebuilding.chain(self.lake, release.tuned.ref)
        except (NotRebuildableError, LakeError):
            return []

    def _datasets(self, release: Release, links: list[tuple[LakeRef, Build]]) -> Section:
        known = [(build.kind, at.path.rpartition("/")[2], build.dataset) for at, build in links]
        if not known and release.training is not None:
            known = [("release", release.release_id, release.training.rows)]
        rows = tuple(
            (kind, made, dataset.ref.commit, dataset.tag, dataset.rows, "" if self._there(dataset.ref) else "erased")
            for kind, made, dataset in known
        )
        return Section("trained on", (), ("what", "made", "dataset commit", "tag", "rows", "state"), rows)

    def _there(self, ref: LakeRef) -> bool:
        try:
            self.lake.open(ref.commit, ref.path).close()
        except LakeError:
            return False
        return True

    def _nearest(
        self, answer: Interaction, release: Release | None, links: list[tuple[LakeRef, Build]], count: int
    ) -> Section:
        title = "nearest training rows"
        if release is None or not _worded(answer):
            return Section(title, ("nothing to compare with",))
        rows = list(self.rows_of(links) if links else self._reference(release))
        if not rows:
            return Section(title, ("none is left: their datasets were erased",))
        vectors = self.embedder.vectors([answer.question, *(row["question"] for row in rows)])
        found = explaining.nearest(answer.question, rows, vectors, count)
        columns = ("similarity", "row", "provenance", "kind", "question", "answer")
        shown = ((f"{s:.3f}", r["row_id"], r["provenance"], r["kind"], r["question"], r["answer"]) for s, r in found)
        return Section(
            title, ("likeness of questions; it is no proof that a row caused the answer",), columns, tuple(shown)
        )

    def rows_of(self, links: Sequence[tuple[LakeRef, Build]]) -> Iterator[dict]:
        """The rows that were learned from in some trainings, but for preferences and what was erased."""
        for _, build in links:
            if build.recipe.method != "dpo" and self._there(build.dataset.ref):
                yield from read_rows(self.lake, build.dataset.ref)

    def _reference(self, release: Release) -> list[dict]:
        """The dataset of a release whose builds are not known."""
        ref = release.training.rows.ref if release.training else None
        return read_rows(self.lake, ref) if ref is not None and self._there(ref) else []


def _worded(answer: Interaction) -> bool:
    """Whether what was said is still there."""
    return bool(answer.question or answer.answer)


@contextlib.contextmanager
def opened(workspace: Workspace) -> Generator[Explainer]:
    """What an explanation reads of an installation."""
    option = hosting_option(UseCaseFiles(workspace.settings).read())
    lake, log = open_lake(workspace), InteractionLog(workspace.log_url)
    try:
        yield Explainer(lake, log, InstalledEmbedder(workspace.embeddings), option)
    finally:
        log.close()


def explain(name: str, rows: int) -> list[Section]:
    """Why an answer of this installation was given."""
    with opened(Workspace(home_folder())) as work:
        return work.sections(name, rows)
