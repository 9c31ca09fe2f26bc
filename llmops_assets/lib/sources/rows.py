"""One conversation as its source has it, why a row cannot be used, and how columns of any name become a row.

Nothing here is redacted yet: callers hold a row only until the redactor has seen it.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.sources.mail import written

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": ("question", "instruction", "query", "utterance", "prompt", "message", "text"),
    "answer": ("answer", "response", "reply", "completion", "output"),
    "intent": ("intent", "label", "category", "topic"),
    "time": ("time", "timestamp", "created_at", "date", "datetime"),
    "subject": ("subject", "customer", "user", "customer_id", "user_id", "email"),
    "source": ("source", "channel"),
    "id": ("id", "row_id"),
    "rating": ("rating",),
    "correction": ("correction",),
    "conversation": ("conversation", "conversation_id", "thread_id", "session_id", "ticket_id"),
    "turn": ("turn",),
    "lawful_basis": ("lawful_basis",),
    "purpose": ("purpose", "purposes"),
    "licence": ("licence", "license"),
    "region": ("region",),
    "retain_until": ("retain_until",),
}
"""Our columns and the names they are recognised by, best first."""
REQUIRED = ("question", "answer")
TAGS = ("lawful_basis", "purpose", "licence", "region", "retain_until")
"""What a row may be used for; a source can give a default for all its rows."""
MAX_TEXT = 20_000
"""Characters of one text; longer ones are rejected: no customer writes them, a broken quote does."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""An earlier time is a clock that was never set."""


class SourceError(LlmopsError, ValueError):
    """A source cannot be used; the message names file, row and column and what to do."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One exchange of a conversation as its source has it, not redacted. `number` counts rows of the file from 1.

    `day` is that of the conversation's first message (UTC), None where the source gives no time. `purpose` is
    comma-separated; a tag that the source does not give is "". `left_out` counts messages and parts of texts that are
    in no row (private, bot, quoted mail), by reason: of a conversation, in its first row.
    """

    number: int
    id: str
    question: str
    answer: str
    intent: str
    time: datetime | None
    subject: str
    source: str
    rating: int
    correction: str
    conversation: str = ""
    turn: int = 0
    day: date | None = None
    lawful_basis: str = ""
    purpose: str = ""
    licence: str = ""
    region: str = ""
    retain_until: str = ""
    left_out: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """What cannot be a row: where it stands (`file.csv, row 12 (line 40)`), why, its id and its raw text ("" if none).

    `text` is not redacted and at most MAX_TEXT characters; `reason` repeats no text of the row beyond a few characters.
    `day` is None where the row itself tells none.
    """

    source: str
    place: str
    reason: str
    id: str = ""
    text: str = ""
    day: date | None = None
    left_out: tuple[tuple[str, int], ...] = ()


class RowFault(ValueError):
    """A row cannot be used; `at` adds to its place (a column, a character), `left_out` counts as in a row."""

    def __init__(self, reason: str, at: str = "", text: str = "", left_out: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.at, self.text, self.left_out = reason, at, text, left_out


@dataclass(frozen=True)
class Shape:
    """How the rows of one source become ours.

    `mapping` names the source's column for some of ours. `name` goes before every id, so that two sources never share
    one; `channel` is the `source` of rows that name none. `tags` are defaults of TAGS. A time after `latest` is
    rejected. `agents` are ids, addresses, domains (`@shop.example`) or roles that answer, where the source itself does
    not say it. `verbatim` texts are published ones: no HTML is looked for in them, and no mail.
    """

    name: str = ""
    channel: str = ""
    mapping: Mapping[str, str] | None = None
    tags: Mapping[str, str] | None = None
    latest: datetime | None = None
    agents: tuple[str, ...] = ()
    verbatim: bool = False

    def __post_init__(self) -> None:
        for given, known in ((self.mapping, COLUMNS), (self.tags, TAGS)):
            for name in given or ():
                if name not in known:
                    what = "mapping" if known is COLUMNS else "tags"
                    raise SourceError(f"{self.name}: {name!r} in the {what} is none of {', '.join(known)}".strip(": "))

    def columns(self, names: Sequence[Any], required: Sequence[str] = REQUIRED) -> dict[str, str]:
        """Our column -> theirs, for those that a row with these column names has. RowFault when one is missing."""
        by_lower = {str(name).strip().lower(): str(name) for name in names if name is not None}
        mapping, found = self.mapping or {}, {}
        for name, aliases in COLUMNS.items():
            if name in mapping:
                if mapping[name] in names:
                    found[name] = mapping[name]
                elif name in required:
                    raise RowFault(f"no column {mapping[name]!r}; {_told(names)}")
                continue
            for alias in aliases:
                if alias in by_lower and by_lower[alias] not in found.values():
                    found[name] = by_lower[alias]
                    break
        for name in required:
            if name not in found:
                raise RowFault(
                    f"no column for the {name}; it is recognised as one of {', '.join(COLUMNS[name])}, "
                    f"{_told(names)}. Rename one, or give MAP={name}=<column>"
                )
        return found

    def plan(self, names: Sequence[Any]) -> "Plan":
        """How rows with these column names are read. RowFault when a required one is missing."""
        return Plan(self, self.columns(names))


_TEXTS = ("question", "answer", "intent", "subject", "source", "correction", "id", "conversation", *TAGS)


class Plan:
    """Makes rows out of mappings that have the same columns; one per set of columns, since there are millions of rows.

    A row of the same conversation as the row before it is its next turn, and of the same day.
    """

    def __init__(self, shape: Shape, columns: Mapping[str, str]) -> None:
        self.columns = columns
        self._shape = shape
        self._prefix = f"{shape.name}/" if shape.name else ""
        self._texts = [(slot, columns[name]) for slot, name in enumerate(_TEXTS) if name in columns]
        self._defaults = [(shape.tags or {}).get(name, "") for name in _TEXTS]
        self._defaults[4] = shape.channel
        self._time, self._rating, self._turn = (columns.get(name) for name in ("time", "rating", "turn"))
        self._has_conversation = "conversation" in columns
        self._last: tuple[str, int, date | None] = ("", 0, None)

    def row(self, number: int, values: Mapping[str, Any]) -> RawRow:
        """The row of one mapping. RowFault on the first thing wrong."""
        texts = self._defaults.copy()
        get = values.get
        left_out: tuple[tuple[str, int], ...] = ()
        for slot, column in self._texts:
            value = get(column)
            if value.__class__ is not str:
                value = text_of(value, column)
            value = value.strip()
            if slot < 2 and not self._shape.verbatim:
                found = written(value, customer=slot == 0)
                if found.cut:
                    left_out += tuple((kind, 1) for kind in found.cut)
                    if not found.text:
                        raise RowFault(
                            f"holds nothing but {', '.join(found.cut)}", f"column {column}", left_out=left_out
                        )
                value = found.text
            if len(value) > MAX_TEXT:
                raise too_long(value, f"column {column}")
            if value:
                texts[slot] = value
        question, answer, intent, subject, source, correction, own_id, conversation, *tags = texts
        if not question or not answer:
            column = self.columns["answer" if question else "question"]
            raise RowFault("is empty; fill it or remove the row", f"column {column}")
        time = None if self._time is None else time_of(get(self._time), f"column {self._time}", self._shape.latest)
        day = None if time is None else time.date()
        rating = 0 if self._rating is None else rating_of(get(self._rating), f"column {self._rating}")
        turn = 0
        if self._has_conversation and conversation:
            if self._turn is not None:
                turn = _whole(get(self._turn), f"column {self._turn}")
            last, last_turn, last_day = self._last
            if last == conversation:
                turn, day = (turn if self._turn is not None else last_turn + 1), last_day or day
            self._last = (conversation, turn, day)
            own_id = own_id or f"{conversation}#{turn}"
        own_id = self._prefix + (own_id or content_id(question, answer, subject, time))
        return RawRow(
            number,
            own_id,
            question,
            answer,
            intent,
            time,
            subject,
            source,
            rating,
            correction,
            self._prefix + conversation if conversation else own_id,
            turn,
            day,
            *tags,
            left_out,
        )


def content_id(question: str, answer: str, subject: str = "", time: datetime | None = None) -> str:
    """The id of a row whose source has none (20 hex digits): equal for equal content, wherever it stands."""
    content = "\x1f".join((question, answer, subject, time.isoformat() if time else ""))
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=10).hexdigest()


def text_of(value: Any, column: str) -> str:
    """A value as text: "" for None and NaN. RowFault for what is no text (a list, an object, bytes)."""
    if value is None or value != value:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    raise RowFault(f"a {type(value).__name__} is no text", f"column {column}")


def too_long(text: str, at: str) -> RowFault:
    """The fault of a text over MAX_TEXT."""
    return RowFault(f"{len(text)} characters; at most {MAX_TEXT} are read. Is a quotation mark missing?", at)


def time_of(value: Any, at: str, latest: datetime | None = None) -> datetime | None:
    """A time in UTC, from ISO 8601, seconds or milliseconds since 1970, or a datetime; None where there is none.

    RowFault for what is no time, is before EARLIEST or after `latest`.
    """
    if value is None or value == "" or value != value:
        return None
    try:
        if isinstance(value, str):
            text = value.strip()
            if text.isdecimal() and len(text) >= 9:
                value = int(text)
            else:
                parsed = datetime.fromisoformat(text.removesuffix(" UTC"))
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, (int, float)):
            parsed = datetime.fromtimestamp(value / (1000 if value > 1e11 else 1), UTC)
        elif isinstance(value, datetime):
            parsed = value
        elif isinstance(value, date):
            parsed = datetime(value.year, value.month, value.day)
        elif not isinstance(value, str):
            raise ValueError
        parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise RowFault(f"{_short(value)} is no time; write 2026-03-02T14:05:00+00:00", at) from None
    if parsed < EARLIEST:
        raise RowFault(f"{parsed:%Y-%m-%d} is before {EARLIEST.year}: was the clock set?", at)
    if latest is not None and parsed > latest:
        raise RowFault(f"{parsed:%Y-%m-%d} is in the future: was the clock set?", at)
    return parsed


def rating_of(value: Any, at: str) -> int:
    """-1, 0 or 1. RowFault for anything else."""
    if value is None or value == "" or value != value:
        return 0
    try:
        rating = float(value)
    except (TypeError, ValueError, OverflowError):
        rating = 9.0
    if rating not in (-1, 0, 1):
        raise RowFault(f"{_short(value)} is no rating; use -1, 0 or 1", at)
    return int(rating)


def raw_text(values: Mapping[Any, Any]) -> str:
    """A rejected row's values as one text, cut at MAX_TEXT, for the redactor."""
    text = json.dumps(values, ensure_ascii=False, default=str, skipkeys=True)
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def _whole(value: Any, at: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise RowFault(f"{_short(value)} is no whole number", at) from None


def _told(names: Sequence[Any]) -> str:
    """The names of columns for a message; not when they look like values, which may be a person's own words."""
    words = [str(name).strip() for name in names if name is not None]
    strange = sum(not _NAME.fullmatch(word) for word in words)
    if strange:
        return f"and {strange} of the {len(words)} columns have no name one can read: is the line with names missing?"
    return f"there are {', '.join(words)[:300] or 'none'}"


_NAME = re.compile(r"[^\W\d][\w.:/()#-]{0,39}( [\w.:/()#-]{1,20}){0,2}")
"""What a column may be called: at most three words, the first with a letter in front."""


def _short(value: Any) -> str:
    """Enough of a value to find it, too little to be an address or a name."""
    text = str(value)
    return repr(text if len(text) <= 12 else f"{text[:9]}…")
