"""A deployment target in memory that answers from a script: for what the graph does with a target, whatever serves.

It fills the hooks and keeps their promises as the real ones do (tests/resources/test_deployment_target.py holds both to
them): files come from the lake and must hash to the manifest, moves are those of `rollout.MOVES`, a stopped target
answers nobody. Only questions take no way over HTTP.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops_assets.gateway.releases import share_of
from llmops_assets.gateway.state import ServingState
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import ReleaseManifest
from resources.deployment_target import Ask, DeploymentError, DeploymentTarget, Seal, TargetReply, TargetStatus, Which
from resources.deployment_target.client import FeedbackEntry
from resources.lake.base import Lake
from resources.models import Models


@dataclass(frozen=True)
class Said:
    """What is answered, and how."""

    answer: str = ""
    path: str = "matched"
    article: str | None = None
    status: int = 200


class ScriptedTarget(DeploymentTarget):
    """Answers what `say` told it to, and hands over whatever it was not told.

    `fault` is called with the stage and the question of every ask, and raises where one shall fail. `refused` are the
    stages (live, canary, shadow, preview) at which no release can be loaded. `worse_as_canary` hands over everything.
    """

    name = "scripted"

    def __init__(self, lake: Lake, models: Models, trusted: Path) -> None:
        super().__init__(lake, models, trusted)
        self.refused: set[str] = set()
        self.worse_as_canary = False
        self.fault: Callable[[Which, str], None] = lambda *_: None
        self.asked: list[tuple[Which, str, str]] = []
        """Stage, release and question of everything that was asked."""
        self.given: list[FeedbackEntry] = []
        self.states: list[ServingState] = [ServingState()]
        """Every state that was served, in order."""
        self._script: dict[tuple[str, str], Said] = {}
        self._brought: dict[str, ReleaseManifest] = {}
        self._running = False

    def say(self, question: str, said: Said, release: str = "") -> None:
        """Answer a question; of one release only, where it is named."""
        self._script[release, question] = said

    # -- hooks ------------------------------------------------------------------------------------------------------

    def start(self) -> TargetStatus:
        self._running = True
        return self.status()

    def stop(self) -> None:
        self._running = False

    def status(self) -> TargetStatus:
        if not self._running:
            raise DeploymentError("the scripted target is stopped: start it")
        state = self._state()
        return TargetStatus(state.live, state.previous, state.canary, self.address)

    @property
    def address(self) -> str:
        return "http://scripted.example"

    def _bring(self, manifest: ReleaseManifest, seal: Seal) -> None:
        for file in (manifest.engine_model, manifest.adapter, manifest.knowledge_index):
            if file is not None and hash_bytes(self.lake.read(file.ref)) != file.sha256:
                raise DeploymentError(f"{manifest.release_id}: {file.ref} is not the file that its manifest names")
        self._brought[manifest.release_id] = manifest

    def _state(self) -> ServingState:
        return self.states[-1]

    def _serve(self, before: ServingState, wanted: ServingState) -> TargetStatus:
        for stage in self.refused:
            if getattr(wanted, stage) not in (None, getattr(before, stage)):
                raise DeploymentError(f"the scripted target did not take the release as {stage}")
        if missing := set(wanted.releases()) - self._brought.keys():
            raise DeploymentError(f"the scripted target has no files of {', '.join(sorted(missing))}")
        self.states.append(wanted)
        return self.status()

    # -- requests ---------------------------------------------------------------------------------------------------

    def ask_many(self, asks: Sequence[Ask], which: Which = "live", *, concurrency: int = 4) -> list[TargetReply]:
        return [self._reply(ask, which) for ask in asks]

    def give_feedback(self, feedback: Sequence[FeedbackEntry], *, concurrency: int = 4) -> int:
        self.given += feedback
        return len(feedback)

    def _reply(self, ask: Ask, which: Which) -> TargetReply:
        if not self._running:
            return TargetReply(0, error="the scripted target is stopped")
        state = self._state()
        canary = state.canary if which == "live" else None
        shared = canary is not None and share_of(ask.conversation, canary) < state.canary_share
        release = state.canary if shared else getattr(state, which)
        if release is None:
            return TargetReply(503, error=f"no {which} release is served")
        self.asked.append((which, release, ask.question))
        self.fault(which, ask.question)
        nothing = Said(self._brought[release].handover, "handover")
        said = self._script.get((release, ask.question)) or self._script.get(("", ask.question), nothing)
        if self.worse_as_canary and release == state.canary:
            said = nothing
        if said.status != 200:
            return TargetReply(said.status, error=f"the script says {said.status}")
        return TargetReply(
            200, said.answer, said.path, said.article, release_id=release, interaction=f"i{len(self.asked)}"
        )
