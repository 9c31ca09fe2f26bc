"""The end of the audit log's chain, kept in the lake: a chain that was cut off, or written anew, is found.

The chain itself proves only that nothing was changed between its ends. What has been published as its end must be an
entry of it for ever; it moves on with the report of findings, and never to a chain without the one before.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmops_assets.lib.errors import LlmopsError
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake, NotFoundError

PATH = "monitoring/audit_head.json"


@dataclass(frozen=True)
class Anchor:
    """The number of an entry of the audit log, and its hash."""

    number: int
    hash: str


class AuditError(LlmopsError):
    """The audit log is not what it was; the message says since which entry."""


def read(lake: Lake) -> Anchor | None:
    """What the lake has as the end of the chain; None before it has any."""
    try:
        told = json.loads(lake.get("main", PATH))
    except NotFoundError:
        return None
    return Anchor(told["number"], told["hash"])


def insist(anchor: Anchor, entries: Sequence[dict[str, Any]]) -> None:
    """AuditError where an anchor is no entry of a chain."""
    if len(entries) < anchor.number:
        said = f"the lake knows entry {anchor.number} of the audit log, which has {len(entries)}: its end was cut off"
        raise AuditError(said)
    if entries[anchor.number - 1]["hash"] != anchor.hash:
        raise AuditError(
            f"entry {anchor.number} of the audit log is not the one that the lake knows: it was written anew"
        )


def moved(lake: Lake, log: InstalledLog) -> dict[str, bytes]:
    """The file of the chain's end to publish; none where it has not grown, or does not hold the end before it."""
    before, head = read(lake), log.audit_head()
    if head is None or (before is not None and head["number"] <= before.number):
        return {}
    if before is not None and (log.audit_entry(before.number) or {}).get("hash") != before.hash:
        return {}
    return {PATH: json.dumps({"number": head["number"], "hash": head["hash"]}).encode()}
