"""What a deployment target can do: the life of a release on it, the same for every kind; kinds fill in hooks.

A target is made with the lake and the models, and is told a manifest: it brings the files to where it serves, itself.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from llmops_assets.gateway.state import ServingState
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import ReleaseManifest
from resources.deployment_target import client
from resources.deployment_target.client import Ask, FeedbackEntry, TargetReply, Which
from resources.deployment_target.rollout import Move, MoveRefusedError, Stage, Wanted, moved
from resources.lake.base import Lake, LakeError
from resources.models import Models


class DeploymentError(LlmopsError):
    """A release could not be applied, or the target does not answer; what served before still does."""


@dataclass(frozen=True)
class TargetStatus:
    """What a target serves now."""

    live: str | None
    previous: str | None
    canary: str | None
    address: str
    error: str = ""


class DeploymentTarget(ABC):
    """Serves releases. Every change of what is served is a move of `rollout.MOVES`."""

    name: str

    def __init__(self, lake: Lake, models: Models) -> None:
        self.lake = lake
        self.models = models

    # -- hooks of a kind ------------------------------------------------------------------------------------------

    @abstractmethod
    def start(self) -> TargetStatus:
        """Make the target reachable; fine when it already is."""

    @abstractmethod
    def stop(self) -> None:
        """Stop serving and free everything; fine when it is stopped."""

    @abstractmethod
    def status(self) -> TargetStatus:
        """What is served now. DeploymentError when the target is not reachable."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where the target answers over HTTP."""

    @property
    def key(self) -> str:
        """The key by which the installation asks; "": none is needed."""
        return ""

    @abstractmethod
    def _bring(self, manifest: ReleaseManifest) -> None:
        """Put a release's files where they are served from, verified against the manifest. DeploymentError."""

    @abstractmethod
    def _holds(self, release_id: str) -> bool:
        """Whether a release's files are where they are served from."""

    @abstractmethod
    def _state(self) -> ServingState:
        """What shall be served."""

    @abstractmethod
    def _serve(self, before: ServingState, wanted: ServingState) -> TargetStatus:
        """Serve another state; returns when it is served. DeploymentError, with `before` served, when it cannot be."""

    def is_running(self) -> bool:
        """Whether it is there at all; what it serves says `status`."""
        try:
            self.status()
        except DeploymentError:
            return False
        return True

    def last_words(self) -> str:
        """The end of what the target logged, for the message when it cannot be kept up; empty where it keeps none."""
        return ""

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        """Keeps others from changing the state meanwhile."""
        return contextlib.nullcontext()

    # -- releases -------------------------------------------------------------------------------------------------

    def apply(
        self, manifest: ReleaseManifest, stage: Stage, *, share: float = 0.1, expected: int | None = None
    ) -> TargetStatus:
        """Serve a release: live for all, as canary for a share of conversations, or as shadow that is asked so many of
        them too.

        Returns when it is served. Applying the live release live again changes nothing. DeploymentError leaves what
        served before; so it does where another generation than `expected` is served, unless it is as wanted already.
        """
        self._bring_in(manifest)
        return self._move(stage, Wanted(manifest.release_id, share), expected)

    @contextlib.contextmanager
    def preview(self, manifest: ReleaseManifest) -> Generator[None]:
        """Serve a release beside the live one for those who ask for `preview`; nothing of it is logged."""
        self._bring_in(manifest)
        self._move("preview", Wanted(manifest.release_id))
        try:
            yield
        finally:
            self._move("end_preview", Wanted())

    def abort_canary(self, expected: int | None = None) -> TargetStatus:
        """End a canary or a shadow; the live release answers everything. `expected` as with `apply`."""
        return self._move("abort", Wanted(), expected)

    def end_shadow(self) -> TargetStatus:
        """End a shadow; a canary stays."""
        return self._move("end_shadow", Wanted())

    def routed(self) -> ServingState:
        """What shall be served, as it was written: answered without a gateway."""
        return self._state()

    def rollback(self, to: str | None = None) -> TargetStatus:
        """Serve the previous release again, or another one that the target still holds; what served becomes previous.

        Fine when it serves already. DeploymentError when there is none.
        """
        if to is not None and not self._holds(to):
            raise DeploymentError(f"{self.name} holds no files of {to}: apply that release instead")
        return self._move("roll_back", Wanted(to or ""))

    def _bring_in(self, manifest: ReleaseManifest) -> None:
        try:
            self._bring(manifest)
        except LakeError as error:
            raise DeploymentError(f"{manifest.release_id} cannot be served: {error}") from error

    def _move(self, move: Move, wanted: Wanted, expected: int | None = None) -> TargetStatus:
        self.start()
        with self._locked():
            before = self._state()
            try:
                after = moved(before, move, wanted)
            except MoveRefusedError as error:
                raise DeploymentError(str(error)) from None
            if after == before:
                return self.status()
            if expected is not None and before.generation != expected:
                raise DeploymentError(
                    f"this was decided on generation {expected} of what is served, and {before.generation} is served "
                    "now: somebody else changed it meanwhile"
                )
            return self._serve(before, after)

    # -- requests -------------------------------------------------------------------------------------------------

    def ask_many(self, asks: Sequence[Ask], which: Which = "live", *, concurrency: int = 4) -> list[TargetReply]:
        """Answers in the order of the questions. An unreachable target gives status 0, it does not raise."""
        return client.ask_many(self.address, asks, which, concurrency, self.key)

    def give_feedback(self, feedback: Sequence[FeedbackEntry], *, concurrency: int = 4) -> int:
        """Send (interaction, rating, reason, correction, time) and return how many were stored."""
        return client.give_feedback(self.address, feedback, concurrency, self.key)
