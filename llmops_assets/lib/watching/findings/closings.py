"""A person closes a finding: the word stands in the audit log, and the next report follows it."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

ACTION = "finding_closed"


def detail(finding: str, day: date, name: str, reason: str) -> str:
    """What stands in the audit log; `day` is that of the report that the person saw."""
    return json.dumps({"finding": finding, "day": str(day), "name": name, "reason": reason}, sort_keys=True)


def said(entries: Iterable[Mapping[str, Any]]) -> dict[str, tuple[date, str]]:
    """Finding to (day, where the reason stands), the last word on each: reasons stay in the audit log."""
    found = {}
    for entry in entries:
        told = json.loads(entry["detail"])
        found[told["finding"]] = date.fromisoformat(told["day"]), f"by a person: audit entry {entry['number']}"
    return found
