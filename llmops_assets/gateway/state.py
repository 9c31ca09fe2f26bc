"""Which releases a gateway serves: one small file, replaced atomically, that the process watches."""

import os
import uuid
from pathlib import Path

from pydantic import Field

from llmops_assets.lib.records import Record


class ServingState(Record):
    """What shall be served. `generation` grows with every change, so that a change can be seen to have arrived."""

    generation: int = 0
    live: str | None = None
    previous: str | None = None
    canary: str | None = None
    canary_share: float = Field(0.0, ge=0, le=1, description="share of conversations the canary answers")
    shadow: str | None = Field(None, description="asked by name and behind live answers; no customer sees it")
    shadow_share: float = Field(0.0, ge=0, le=1, description="share of conversations whose questions it is asked too")
    preview: str | None = Field(None, description="answers only those who ask for it by name; never logged")

    def releases(self) -> tuple[str, ...]:
        """Every release that must be loaded."""
        return tuple(dict.fromkeys(r for r in (self.live, self.canary, self.shadow, self.preview) if r))

    def released(self) -> frozenset[str]:
        """Those of them that must be signed: whose answers customers get. A shadow's nobody sees, and to ask one under
        judgement its name must be known."""
        return frozenset(r for r in (self.live, self.canary) if r)


def read_state(root: Path) -> ServingState:
    """The state in a folder; the empty one when there is none."""
    file = root / "state.json"
    return ServingState.model_validate_json(file.read_text()) if file.exists() else ServingState()


def write_state(root: Path, state: ServingState) -> None:
    """Replace the state; a reader sees the old one or the new one."""
    root.mkdir(parents=True, exist_ok=True)
    unfinished = root / f".state-{uuid.uuid4().hex}"
    unfinished.write_text(state.model_dump_json())
    os.replace(unfinished, root / "state.json")
