"""What a deployment target can do: the life of a release on it, the same for every kind; kinds fill in hooks.

A target is made with the lake, the models and the keys that are trusted, and is told a manifest: it brings the files
to where it serves, itself. Whatever the kind, nothing that customers are served gets there without a signature of one
of those keys over all of it, and without the gate's evidence: docs/decisions/signing.md.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops_assets.gateway.state import ServingState
from llmops_assets.lib import signing
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import ReleaseManifest
from llmops_assets.lib.signing import RefusedError
from resources.deployment_target import client
from resources.deployment_target.client import Ask, FeedbackEntry, TargetReply, Which
from resources.deployment_target.rollout import Move, MoveRefusedError, Stage, Wanted, moved
from resources.lake.base import Lake, LakeError, NotFoundError
from resources.models import Models

RELEASES = "releases"
"""Folder of the lake: a release's sealed files lie in a folder of its name."""
Seal = Mapping[str, bytes]
"""The small files that were signed with a release, by name, and the signature."""


class DeploymentError(LlmopsError):
    """A release could not be applied, or the target does not answer; what served before still does."""


class ReleaseRefusedError(DeploymentError):
    """A release was refused because of one of its files, which `refusal` names."""

    def __init__(self, refusal: RefusedError) -> None:
        super().__init__(f"{refusal.release} cannot be served: {refusal}")
        self.refusal = refusal


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

    def __init__(self, lake: Lake, models: Models, trusted: Path) -> None:
        self.lake = lake
        self.models = models
        self.trusted = trusted

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
    def _bring(self, manifest: ReleaseManifest, seal: Seal) -> None:
        """Put a release's files where they are served from, verified against the manifest, and the seal beside them.

        The seal is verified already; it is empty for a candidate under judgement. DeploymentError or RefusedError.
        """

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
        served before; so it does where another generation than `expected` is served, unless it is as wanted already. It
        is ReleaseRefusedError where the release is not what was signed; a shadow, whose answers nobody sees, need not
        be signed.
        """
        self._bring_in(manifest, {} if stage == "shadow" else self._seal(manifest))
        return self._move(stage, Wanted(manifest.release_id, share), expected)

    @contextlib.contextmanager
    def preview(self, manifest: ReleaseManifest) -> Generator[None]:
        """Serve a release beside the live one for those who ask for `preview`; nothing of it is logged."""
        # One that is released already keeps its seal where it lies.
        seal: Seal = {}
        with contextlib.suppress(DeploymentError):
            seal = self._seal(manifest)
        self._bring_in(manifest, seal)
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
        """Serve the previous release again, or any other that was released; what served becomes previous.

        Fine when it serves already. DeploymentError when there is none, ReleaseRefusedError when it is not what was
        signed.
        """
        self.start()
        wanted = to or self._state().previous
        if wanted is not None:
            manifest = self._released(wanted)
            self._bring_in(manifest, self._seal(manifest))
        return self._move("roll_back", Wanted(wanted or ""))

    def renew(self) -> TargetStatus:
        """Serve the same state once more, after what was refused of it was put right."""
        before = self._state()
        if before.live is not None:
            manifest = self._released(before.live)
            self._bring_in(manifest, self._seal(manifest))
        with self._locked():
            return self._serve(before, before.model_copy(update={"generation": before.generation + 1}))

    def _released(self, release_id: str) -> ReleaseManifest:
        """The manifest of a release, out of the lake."""
        try:
            text = self.lake.get("main", f"{RELEASES}/{release_id}/{signing.MANIFEST}")
        except NotFoundError:
            raise DeploymentError(f"{release_id} was never released: name a release that was") from None
        except LakeError as error:
            raise DeploymentError(f"{release_id} cannot be served: {error}") from error
        try:
            manifest = ReleaseManifest.model_validate_json(text)
        except ValueError as error:
            told = f"{signing.MANIFEST} cannot be read ({type(error).__name__})"
            raise ReleaseRefusedError(RefusedError(release_id, signing.MANIFEST, told)) from error
        if manifest.release_id != release_id:
            told = f"{signing.MANIFEST} is that of {manifest.release_id}"
            raise ReleaseRefusedError(RefusedError(release_id, signing.MANIFEST, told))
        return manifest

    def _seal(self, manifest: ReleaseManifest) -> Seal:
        """What was signed with a release, verified. ReleaseRefusedError when it is not signed, or not so."""
        try:
            seal = read_seal(self.lake, manifest.release_id)
            signing.insist_sealed(seal, manifest, signing.read_trusted(self.trusted))
        except RefusedError as error:
            raise ReleaseRefusedError(error) from error
        except (LakeError, signing.KeyFileError) as error:
            raise DeploymentError(f"{manifest.release_id} cannot be served: {error}") from error
        return seal

    def _bring_in(self, manifest: ReleaseManifest, seal: Seal) -> None:
        try:
            self._bring(manifest, seal)
        except LakeError as error:
            raise DeploymentError(f"{manifest.release_id} cannot be served: {error}") from error
        except RefusedError as error:
            raise ReleaseRefusedError(error) from error

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


def read_seal(lake: Lake, release_id: str) -> Seal:
    """The small files of a release in the lake that were signed, and its signature; none that is not there."""
    seal = {}
    for file in (*signing.SEALED, signing.SIGNATURE):
        with contextlib.suppress(NotFoundError):
            seal[file] = lake.get("main", f"{RELEASES}/{release_id}/{file}")
    return seal
