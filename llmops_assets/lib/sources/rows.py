"""One conversation as its source has it, why a row cannot be used, and how columns of any name become a row.

Nothing here is redacted yet: callers hold a row only until the redactor has seen it.
"""

import functools
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from llmops_assets.lib.sources.faults import RowFault, SourceError, Unseen, shortened
from llmops_assets.lib.sources.mail import is_bare, written
from llmops_assets.lib.sources.times import ORDERS, Clock, time_of, zone_of
from llmops_assets.lib.sources.visibility import is_flag, visibility

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
NULLS = frozenset("null nan none nil na n/a #n/a #na #nv <na> nat (null) undefined - \\n".split())
"""What a spreadsheet or database writes where there is nothing, in small letters; a cell that is one of them is
empty."""
_LONGEST_NULL = max(map(len, NULLS))
LIKELY: dict[str, tuple[str, ...]] = {
    "question": tuple(
        "frage anfrage kundenfrage nachricht pregunta consulta mensaje domanda vraag bericht pytanie pergunta demande"
        " customer_message user_message inquiry enquiry request body description content subject".split()
    ),
    "answer": tuple(
        "antwort antworttext reponse réponse respuesta risposta antwoord odpowied resposta agent_message agent_reply"
        " bot_message solution resolution loesung lösung macro".split()
    ),
    "time": tuple("datum zeit zeitpunkt fecha hora data tijd heure created opened sent".split()),
    "intent": tuple("thema kategorie betreff tema categoria catégorie tag tags reason".split()),
    "subject": tuple("kunde kundennummer cliente klant klient requester sender from author".split()),
    "id": tuple("nummer ticket case number ref reference".split()),
    "rating": tuple("bewertung csat score stars".split()),
}
"""Names that columns often have, too vague to be taken without asking: what is proposed for a mapping."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One exchange of a conversation as its source has it, not redacted. `number` counts rows of the file from 1.

    `day` is that of the conversation's first message in the zone of the source, None where it gives no time. `purpose`
    is comma-separated; a tag that the source does not give is "". `left_out` counts messages and parts of texts that
    are in no row (private, bot, quoted mail), by reason: of a conversation, in its first row.
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
    continues: bool = field(default=False, kw_only=True)
    """Whether it is a row of its own in a conversation whose other rows may stand elsewhere, in other files too."""


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


@dataclass(frozen=True)
class Shape:
    """How the rows of one source become ours.

    `mapping` names the source's column for some of ours. `name` goes before every id, so that two sources never share
    one; `channel` is the `source` of rows that name none. `tags` are defaults of TAGS. A time after `latest` is
    rejected. Times without an offset are of `time_zone` (IANA; UTC where it is ""), numeric dates have their day and
    month in `date_order`, or, where it is "", in the order that `order_of_file` finds. `agents` are ids, addresses,
    domains (`@shop.example`) or roles that answer, where the source itself does not say it. `verbatim` texts are
    published ones: no HTML is looked for in them, and no mail.
    """

    name: str = ""
    channel: str = ""
    mapping: Mapping[str, str] | None = None
    tags: Mapping[str, str] | None = None
    latest: datetime | None = None
    agents: tuple[str, ...] = ()
    verbatim: bool = False
    time_zone: str = ""
    date_order: str = ""
    order_of_file: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        zone_of(self.time_zone)
        if self.date_order and self.date_order not in ORDERS:
            raise SourceError(f"date_order: {self.date_order!r} is none of {', '.join(ORDERS)}")
        for given, known in ((self.mapping, COLUMNS), (self.tags, TAGS)):
            for name in given or ():
                if name not in known:
                    what = "mapping" if known is COLUMNS else "tags"
                    raise SourceError(f"{self.name}: {name!r} in the {what} is none of {', '.join(known)}".strip(": "))

    @functools.cached_property
    def clock(self) -> Clock:
        """How times are read."""
        return Clock(self.latest, zone_of(self.time_zone), self.date_order, self.order_of_file)

    def columns(self, names: Sequence[Any], required: Sequence[str] = REQUIRED) -> dict[str, str]:
        """Our column -> theirs, for those that a row with these column names has. RowFault when one is missing."""
        folded: dict[str, list[str]] = {}
        for given in names:
            if given is not None:
                folded.setdefault(str(given).strip().lower(), []).append(str(given))
        mapping, found = self.mapping or {}, {}
        for name, aliases in COLUMNS.items():
            if name in mapping:
                if mapping[name] in names:
                    found[name] = mapping[name]
                elif name in required:
                    raise RowFault(f"no column {mapping[name]!r}; {told_names(names)}")
                continue
            for alias in aliases:
                theirs = folded.get(alias, ())
                if theirs and theirs[-1] not in found.values():
                    if required and len(theirs) > 1:
                        raise RowFault(
                            f"{len(theirs)} columns are named {alias!r}: rename those that are not the {name}"
                        )
                    found[name] = theirs[-1]
                    break
        missing = [name for name in required if name not in found]
        if missing:
            raise RowFault(
                f"no column for the {missing[0]}; it is recognised as one of {', '.join(COLUMNS[missing[0]])}, "
                f"{told_names(names)}. {remedy(proposal(names, found), missing)}"
            )
        return found

    def plan(self, names: Sequence[Any]) -> "Plan":
        """How rows with these column names are read. RowFault when a required one is missing."""
        return Plan(self, self.columns(names))


def proposal(names: Sequence[Any], found: Mapping[str, str]) -> dict[str, str]:
    """Our column -> theirs, where a name that was not recognised says what is probably in it."""
    left = [str(n) for n in names if n is not None and n not in found.values() and _NAME.fullmatch(str(n).strip())]
    proposed: dict[str, str] = {}
    # "reply text" is an answer, not a question: what names anything is asked last.
    for vague in (frozenset(), _VAGUE):
        for name, words in LIKELY.items():
            known = {*words, *COLUMNS[name]} - (_VAGUE - vague)
            for theirs in left if name not in found and name not in proposed else ():
                parts = {theirs.lower(), *re.split(r"[^\w]+|_", theirs.lower())}
                if theirs not in proposed.values() and parts & known:
                    proposed[name] = theirs
                    break
    return proposed


_VAGUE = frozenset("text message body content description subject output input from".split())


def remedy(proposed: Mapping[str, str], missing: Sequence[str]) -> str:
    """What to write where columns are not recognised: for settings.yaml, and for a command."""
    needed = {name: "<column>" for name in REQUIRED if name in missing}
    pairs = {**needed, **proposed}
    inside = ", ".join(f"{name}: {json.dumps(theirs, ensure_ascii=False)}" for name, theirs in pairs.items())
    given = " ".join(f"--column {shlex.quote(f'{name}={theirs}')}" for name, theirs in pairs.items())
    return f"Rename one, or write into settings.yaml `mapping: {{{inside}}}`, or give the command {given}"


_TEXTS = ("question", "answer", "intent", "subject", "source", "correction", "id", "conversation", *TAGS)


class Plan:
    """Makes rows out of mappings that have the same columns; one per set of columns, since there are millions of rows.

    A row of the same conversation as the row before it is its next turn, and of the same day.
    """

    def __init__(self, shape: Shape, columns: Mapping[str, str]) -> None:
        self.columns = columns
        self._shape = shape
        self._prefix = f"{shape.name}/" if shape.name else ""
        self._flags: tuple[str, ...] | None = None
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
        verbatim = self._shape.verbatim
        left_out: tuple[tuple[str, int], ...] = ()
        if self._flags is None:
            # A plan is for rows with the same columns.
            self._flags = tuple(name for name in values if isinstance(name, str) and is_flag(name))
        if self._flags and (seen := visibility({name: get(name) for name in self._flags})) != "public":
            reason = seen if seen == "private" else "unknown visibility"
            told = "" if seen == "private" else f"; rename {', '.join(self._flags)} if it says something else"
            raise Unseen(f"{reason}: only what the customer saw is read{told}", "", "", ((reason, 1),))
        for slot, column in self._texts:
            value = get(column)
            if value.__class__ is not str:
                value = text_of(value, column)
            value = value.strip()
            if len(value) <= _LONGEST_NULL and value.lower() in NULLS:
                continue
            if slot < 2 and not verbatim and not is_bare(value):
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
        clock = self._shape.clock
        time = None if self._time is None else time_of(_given(get(self._time)), f"column {self._time}", clock)
        day = None if time is None else clock.day(time)
        rating = 0 if self._rating is None else get(self._rating)
        if rating.__class__ is not int or rating not in (-1, 0, 1):
            rating = rating_of(_given(rating), f"column {self._rating}")
        turn, continues = 0, False
        if self._has_conversation and conversation:
            if self._turn is not None:
                turn = _whole(_given(get(self._turn)), f"column {self._turn}")
            continues = True
            last, last_turn, last_day = self._last
            if last == conversation:
                turn = turn if self._turn is not None else last_turn + 1
                day = min(last_day, day) if last_day and day else last_day or day
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
            continues=continues,
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


def rating_of(value: Any, at: str) -> int:
    """-1, 0 or 1, also with a decimal comma. RowFault for anything else."""
    if value is None or value == "" or value != value:
        return 0
    try:
        rating = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        rating = 9.0
    if rating not in (-1, 0, 1):
        raise RowFault(f"{shortened(value)} is no rating; use -1, 0 or 1", at)
    return int(rating)


def raw_text(values: Mapping[Any, Any]) -> str:
    """A rejected row's values as one text, cut at MAX_TEXT, for the redactor."""
    text = json.dumps(values, ensure_ascii=False, default=str, skipkeys=True)
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def _whole(value: Any, at: str) -> int:
    try:
        number = float(value.replace(",", ".") if isinstance(value, str) else value)
        if not number.is_integer():
            raise ValueError
        return int(number)
    except (TypeError, ValueError, OverflowError):
        raise RowFault(f"{shortened(value)} is no whole number", at) from None


def _given(value: Any) -> Any:
    """A value, or None where a word stands for nothing."""
    if isinstance(value, str) and len(value) <= _LONGEST_NULL + 2 and value.strip().lower() in NULLS:
        return None
    return value


def told_names(names: Sequence[Any]) -> str:
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
