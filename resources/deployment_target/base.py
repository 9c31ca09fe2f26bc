"""What a deployment target can do: apply a release at a stage, tell its status, roll back, and answer through it."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from llmops_assets.lib.records import FileRef, ReleaseManifest

Which = Literal["live", "canary", "preview"]
Fetch = Callable[[FileRef, Path], None]


class DeploymentError(Exception):
    """A release could not be applied, or the target does not answer; what served before still does."""


@dataclass(frozen=True)
class TargetStatus:
    """What a target serves now."""

    live: str | None
    previous: str | None
    canary: str | None
    address: str
    error: str = ""


@dataclass(frozen=True)
class Ask:
    """A question to a target, as a customer's client sends it."""

    question: str
    user: str = ""
    conversation: str = ""
    time: datetime | None = None


@dataclass(frozen=True)
class TargetReply:
    """What came back; `status` is the HTTP status, and only 200 carries an answer."""

    status: int
    answer: str = ""
    path: str = ""
    article: str | None = None
    similarity: float | None = None
    release_id: str = ""
    interaction: str = ""
    latency_seconds: float = 0.0
    error: str = ""


class DeploymentTarget(ABC):
    """Serves releases."""

    name: str

    @abstractmethod
    def start(self) -> TargetStatus:
        """Make the target reachable; fine when it already is."""

    @abstractmethod
    def stop(self) -> None:
        """Stop serving and free everything; fine when it is stopped."""

    @abstractmethod
    def status(self) -> TargetStatus:
        """What is served now. DeploymentError when the target is not reachable."""

    @abstractmethod
    def apply(
        self,
        manifest: ReleaseManifest,
        stage: Literal["canary", "live"],
        *,
        fetch: Fetch,
        base_model: Path,
        share: float = 0.1,
    ) -> TargetStatus:
        """Serve a release: as canary for a share of conversations, or live for all; returns when it is served.

        Applying the live release live again changes nothing. DeploymentError leaves what served before.
        """

    @abstractmethod
    def abort_canary(self) -> TargetStatus:
        """End a canary; the live release answers everything."""

    @abstractmethod
    def rollback(self) -> TargetStatus:
        """Serve the previous release again, in one call; the one that served becomes the previous one."""

    @abstractmethod
    def preview(
        self, manifest: ReleaseManifest, *, fetch: Fetch, base_model: Path
    ) -> contextlib.AbstractContextManager[None]:
        """Serve a release beside the live one for those who ask for `preview`; nothing of it is logged."""

    @abstractmethod
    def ask_many(self, asks: Sequence[Ask], which: Which = "live", *, concurrency: int = 4) -> list[TargetReply]:
        """Answers in the order of the questions. An unreachable target gives status 0, it does not raise."""

    @abstractmethod
    def give_feedback(
        self, feedback: Sequence[tuple[str, int, str, str, datetime | None]], *, concurrency: int = 4
    ) -> int:
        """Send (interaction, rating, reason, correction, time) and return how many were stored."""


@contextlib.contextmanager
def closing(target: DeploymentTarget) -> Generator[DeploymentTarget]:
    """Start a target and stop it at the end."""
    target.start()
    try:
        yield target
    finally:
        target.stop()
