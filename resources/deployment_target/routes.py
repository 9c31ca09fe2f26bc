"""What gateways on a cluster shall serve, as the data of one ConfigMap: state, rules of redaction, manifests.

The deployment target writes it and the process beside each gateway reads it, mounted as files: one write changes all of
it or nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmops_assets.gateway.state import ServingState
from llmops_assets.lib.records import ReleaseManifest

STATE, REDACTION, RELEASES = "state.json", "redaction.json", "releases.json"
KEPT = 20
"""Manifests that are kept to go back to, the newest; a ConfigMap holds 1 MiB."""


@dataclass(frozen=True)
class Routes:
    """The state that shall be served, what gateways redact by, and the releases that a state can name, oldest first."""

    state: ServingState
    redaction: dict[str, Any]
    releases: tuple[ReleaseManifest, ...] = ()

    def find(self, release_id: str) -> ReleaseManifest | None:
        """The manifest of a release; None when it is not among them."""
        return next((m for m in self.releases if m.release_id == release_id), None)

    def holding(self, manifest: ReleaseManifest) -> "Routes":
        """The same with a release as the newest. What is served or was before is never dropped."""
        others = [m for m in self.releases if m.release_id != manifest.release_id]
        needed = {*self.state.releases(), self.state.previous}
        old = others[: max(0, len(others) + 1 - KEPT)]
        kept = [m for m in others if m not in old or m.release_id in needed]
        return replace(self, releases=(*kept, manifest))

    def data(self) -> dict[str, str]:
        """As a ConfigMap keeps it."""
        return {
            STATE: self.state.model_dump_json(),
            REDACTION: json.dumps(self.redaction, sort_keys=True),
            RELEASES: json.dumps([manifest.text() for manifest in self.releases]),
        }


def from_data(data: Mapping[str, str] | None) -> Routes | None:
    """What a ConfigMap holds; None before anything was written. ValueError when it is not what `data` made."""
    if not data or STATE not in data:
        return None
    releases = tuple(ReleaseManifest.model_validate_json(text) for text in json.loads(data[RELEASES]))
    return Routes(ServingState.model_validate_json(data[STATE]), json.loads(data[REDACTION]), releases)


def from_folder(folder: Path) -> Routes | None:
    """The same from the files that a ConfigMap is mounted as."""
    # A mounted ConfigMap is one link that is turned: read through it once, all files are of one version.
    turned = folder / "..data"
    place = turned.resolve() if turned.exists() else folder
    return from_data({file.name: file.read_text() for file in place.iterdir() if file.name.endswith(".json")})
