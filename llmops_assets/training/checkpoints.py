"""Unfinished trainings in the lake: a step whose pod was lost goes on where it was, on whichever node it starts again.

A checkpoint is an object of a branch of its own, which ends with the training; nothing of it is ever committed. What is
in one says llmops_assets/lib/training/loop.py.
"""

import contextlib

from resources.lake.base import AlreadyExistsError, Lake, NotFoundError

PREFIX = "checkpoint"
FILE = "checkpoint.pt"
SECONDS = 300.0
"""What a lost pod costs at most, beside its start."""


class LakeCheckpoints:
    """The checkpoint of one training of an asset, which trains one thing at a time. `digest` is of all that decides its
    result."""

    def __init__(self, lake: Lake, asset: str, digest: str, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._lake, self._begin = lake, f"{PREFIX}-{asset}-"
        self._branch = f"{self._begin}{digest[:16]}"

    def load(self) -> bytes | None:
        """The state that a lost training left. Those of others of the asset are dropped: nobody ends them any more."""
        for branch in self._lake.branches():
            if branch.startswith(self._begin) and branch != self._branch:
                self._lake.delete_branch(branch)
        with contextlib.suppress(NotFoundError):
            return self._lake.get(self._branch, FILE)
        return None

    def save(self, state: bytes) -> None:
        """Replace what was kept."""
        with contextlib.suppress(AlreadyExistsError):
            self._lake.branch(self._branch)
        self._lake.put(self._branch, FILE, state)

    def drop(self) -> None:
        """The training has ended."""
        with contextlib.suppress(NotFoundError):
            self._lake.delete_branch(self._branch)
