"""A day's conversations on their way from a source to the lake: redacted conversation by conversation, in one pass.

What is held at any time is what the redactor has in work; nothing here is written, that is the caller's.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, Literal

from llmops_assets.lib.auditing.coverage import Written, written
from llmops_assets.lib.redaction import Redacted, Redactor
from llmops_assets.lib.sources import RawRow, Rejected

TAGS = ("lawful_basis", "purpose", "licence", "region", "retain_until")
LABELS = ("intent", *TAGS)
"""Columns that are stored as they come: words of the source's own, never text of a person."""
STORED_TEXTS = ("question", "answer", "correction", "text", "reason", "place", "source", *LABELS)
"""Columns of a day and its quarantine in which no personal data may stand."""


@dataclass(frozen=True)
class Cleared:
    """One conversation's rows as they may be stored, its rows that may not, what was masked, by entity, what its source
    left out, by reason, and how it is written."""

    kept: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]
    masked: dict[str, int] = field(default_factory=dict)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    written: Written | None = None


Unread = Literal["quarantine", "keep"]
"""What becomes of conversations in a script or language that nothing here reads."""


def redacted(
    rows: Iterable[RawRow | Rejected],
    day: date,
    redactor: Redactor,
    *,
    processes: int = 1,
    unread: Unread = "quarantine",
) -> Iterator[Cleared]:
    """Every conversation of a day without personal data, in order.

    A conversation's rows must be adjacent. A row that its source rejected, that shows personal data even after
    redaction, or that has some where a label should stand, is quarantined: with place, reason and its redacted text, or
    without text where that still shows some. With `unread` "quarantine" so is, without text, what is written in a
    script or language whose names redaction cannot find.
    """
    waiting: deque[list[RawRow | Rejected]] = deque()

    def texts() -> Iterator[list[str]]:
        for _, group in groupby(rows, key=_conversation):
            waiting.append(list(group))
            yield [text for row in waiting[-1] for text in _texts(row)]

    for found in redactor.redact_many(texts(), processes=processes):
        yield _cleared(waiting.popleft(), found, day, redactor, unread)


def _cleared(group: list[RawRow | Rejected], found: Redacted, day: date, redactor: Redactor, unread: Unread) -> Cleared:
    kept, quarantined, texts = [], [], iter(found.texts)
    how = written(found.texts)
    foreign = not how.read and unread == "quarantine"
    left_out: Counter[tuple[str, str]] = Counter()
    for row in group:
        if row.left_out:
            source = _safe(row.source, redactor)
            for reason, count in row.left_out:
                left_out[source, reason] += count
        own = [next(texts) for _ in _texts(row)]
        left = _leaks(own, redactor)
        if isinstance(row, Rejected):
            quarantined.append(_aside(row, row.place, row.reason, "" if left or foreign else own[0], redactor))
            continue
        if foreign:
            reason = f"written in {how.script} ({how.language}): names in it are not found for certain"
            quarantined.append(_aside(row, f"row {row.number}", reason, "", redactor))
            continue
        labels = {name: shown for name in LABELS if (shown := redactor.leaks(getattr(row, name)))}
        if left or labels:
            said = [f"still shows {', '.join(left)}"] if left else []
            said += [f"column {name} shows {', '.join(shown)}" for name, shown in labels.items()]
            quarantined.append(_aside(row, f"row {row.number}", "; ".join(said), "", redactor))
        else:
            kept.append(_row(row, own, day, redactor))
    return Cleared(kept, quarantined, found.counts, left_out, how)


def _aside(row: RawRow | Rejected, place: str, reason: str, text: str, redactor: Redactor) -> dict[str, Any]:
    """A row of the quarantine; whatever names it may hold personal data of its own, down to the file's name."""
    shown = redactor.leaks(reason)
    return {
        "row_id": _safe(row.id, redactor),
        "place": _safe(place, redactor),
        "source": _safe(row.source, redactor),
        "reason": f"cannot be read; what is wrong shows {', '.join(shown)}" if shown else reason,
        "text": text,
    }


def _leaks(texts: Iterable[str], redactor: Redactor) -> list[str]:
    return list(dict.fromkeys(entity for text in texts for entity in redactor.leaks(text)))


def _row(row: RawRow, texts: list[str], day: date, redactor: Redactor) -> dict[str, Any]:
    question, answer, correction = texts
    return {
        "row_id": _safe(row.id, redactor),
        "conversation": redactor.subject(row.conversation),
        "turn": row.turn,
        "source": _safe(row.source, redactor),
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


def _safe(name: str, redactor: Redactor) -> str:
    """A name, or a pseudonym of it where the source put personal data into it."""
    return redactor.subject(name) if name and redactor.leaks(name) else name


def _conversation(row: RawRow | Rejected) -> tuple[str, str]:
    # A rejected row is a conversation of its own: what it belongs to may be what could not be read.
    return ("rejected", row.place) if isinstance(row, Rejected) else ("conversation", row.conversation)


def _texts(row: RawRow | Rejected) -> tuple[str, ...]:
    return (row.text,) if isinstance(row, Rejected) else (row.question, row.answer, row.correction)
