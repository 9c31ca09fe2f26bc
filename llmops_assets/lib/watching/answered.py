"""What the assistant did with a question, as far as the interaction log tells: answered, badly, or not at all."""

from collections.abc import Mapping
from typing import Any

ATTACKS = ("injection", "prompt", "secrets", "toxicity")
"""Guards whose hits are attempts on the assistant; those of topics are questions that a person should answer."""


def poorly_answered(row: Mapping[str, Any]) -> bool:
    """Whether a question got no answer, or one that somebody found wrong."""
    return row["path"] not in ("matched", "generated", "small_talk") or row["rating"] < 0 or bool(row["correction"])


def failed(row: Mapping[str, Any]) -> bool:
    """Whether the engine failed at it (status 5xx)."""
    return (row.get("status") or 200) >= 500


def attacked(row: Mapping[str, Any]) -> str:
    """The guard that saw an attempt on the assistant in it, "" for none: the first of `guard:place:action`."""
    hits = [hit.partition(":")[0] for hit in (row.get("guards") or "").split(",")]
    return next((guard for guard in hits if guard in ATTACKS), "")
