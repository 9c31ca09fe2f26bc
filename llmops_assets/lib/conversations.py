"""A day's conversations on their way from a source to the lake: redacted conversation by conversation, in one pass.

What is held at any time is what the redactor has in work; nothing here is written, that is the caller's.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

from llmops_assets.lib.redaction import Redacted, Redactor
from llmops_assets.lib.sources import RawRow, Rejected

TAGS = ("lawful_basis", "purpose", "licence", "region", "retain_until")


@dataclass(frozen=True)
class Cleared:
    """One conversation's rows as they may be stored, its rows that may not, and what was masked, by entity."""

    kept: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]
    masked: dict[str, int] = field(default_factory=dict)


def redacted(
    rows: Iterable[RawRow | Rejected], day: date, redactor: Redactor, *, processes: int = 1
) -> Iterator[Cleared]:
    """Every conversation of a day without personal data, in order.

    A conversation's rows must be adjacent. A row that its source rejected, or that shows personal data even after
    redaction, is quarantined: with place, reason and its redacted text, or without text where that still shows some.
    """
    waiting: deque[list[RawRow | Rejected]] = deque()

    def texts() -> Iterator[list[str]]:
        for _, group in groupby(rows, key=_conversation):
            waiting.append(list(group))
            yield [text for row in waiting[-1] for text in _texts(row)]

    for found in redactor.redact_many(texts(), processes=processes):
        yield _cleared(waiting.popleft(), found, day, redactor)


def _cleared(group: list[RawRow | Rejected], found: Redacted, day: date, redactor: Redactor) -> Cleared:
    kept, quarantined, texts = [], [], iter(found.texts)
    for row in group:
        own = [next(texts) for _ in _texts(row)]
        left = list(dict.fromkeys(entity for text in own for entity in redactor.leaks(text)))
        if isinstance(row, Rejected):
            about = {"row_id": _safe_id(row.id, redactor), "place": row.place, "reason": row.reason}
            quarantined.append({**about, "source": row.source, "text": "" if left else own[0]})
        elif left:
            about = {"row_id": _safe_id(row.id, redactor), "place": f"row {row.number}", "text": ""}
            quarantined.append({**about, "source": row.source, "reason": f"still shows {', '.join(left)}"})
        else:
            kept.append(_row(row, own, day, redactor))
    return Cleared(kept, quarantined, found.counts)


def _row(row: RawRow, texts: list[str], day: date, redactor: Redactor) -> dict[str, Any]:
    question, answer, correction = texts
    return {
        "row_id": _safe_id(row.id, redactor),
        "conversation": redactor.subject(row.conversation),
        "turn": row.turn,
        "source": row.source,
        "day": str(day),
        "time": row.time.isoformat() if row.time else "",
        "subject": redactor.subject(row.subject) if row.subject else "",
        "question": question,
        "answer": answer,
        "intent": row.intent,
        "rating": row.rating,
        "correction": correction,
        **{tag: getattr(row, tag) for tag in TAGS},
    }


def _safe_id(name: str, redactor: Redactor) -> str:
    """A row's own id, or a pseudonym of it where the source put personal data into it."""
    return redactor.subject(name) if name and redactor.leaks(name) else name


def _conversation(row: RawRow | Rejected) -> tuple[str, str]:
    # A rejected row is a conversation of its own: what it belongs to may be what could not be read.
    return ("rejected", row.place) if isinstance(row, Rejected) else ("conversation", row.conversation)


def _texts(row: RawRow | Rejected) -> tuple[str, ...]:
    return (row.text,) if isinstance(row, Rejected) else (row.question, row.answer, row.correction)
