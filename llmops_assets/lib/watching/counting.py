"""Which of a day's messages say something about what customers ask, and what is left of a contact form's.

A drift detector that counts everything takes a monitor's pings, one sender's junk and "thanks, bye!" for a new topic.
What is left out is counted by reason (`REASONS`). Which detector counts the rest: drift.py.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import mean, median, pstdev
from typing import Any

from llmops_assets.lib.answering.smalltalk import probe, small_talk, words

UNREADABLE = ("incomplete", "duplicate row", "other day")
"""Why a row cannot be judged at all."""
REASONS = ("small talk", "probe", "follow-up", "repeated", "one sender")
PER_SENDER = 3
"""Different questions of one person a day that count: five like ones among thirty are a topic of their own."""
SENDERS = 10
"""Fewer than so many senders are applications that name themselves, not people: nothing is limited by sender."""
MACHINE = 5
"""So many equal texts at a machine's pace are a machine's."""
REGULAR = 0.1
"""Coefficient of variation of the gaps between equal texts, up to which they come by the clock."""
BURST = 0.05
"""Equal texts whose gaps are below this share of the day's usual gap come in a burst."""
FORM = 10
"""So many messages with the same label or line are a form's."""
PROSE_WORDS = 4
SKEW = timedelta(hours=1)
"""By how much a clock may be wrong at either end of a day."""
NEEDED = ("id", "time", "subject", "conversation", "question", "path")

_FOLLOW_UP_WORDS = 9
_OPENS = re.compile(
    r"(?:and|but|or|also|then|so|what about|how about|ok(?:ay)? (?:and|but|so)|und|aber|oder|et|mais|ou|y|pero|en|maar)"
    r"(?:\s|$)"
)
_REFERS = re.compile(
    r"\b(?:it|that|this|those|these|them|they|one|there|same|other|dafür|damit|davon|dort|es|cela|ça|celui|celle|eso|esto"
    r"|ese|esa|dat|daar|daarvoor)\b"
)
_LABEL = re.compile(r"(?<!\S)(?:[^\W\d_][\w/-]{0,24}[ ]){0,2}[^\W\d_][\w/-]{0,24}:(?!\S)")
"""Up to three words and a colon: the last ones are the label, those before them a value."""
_LABEL_SHARE = 0.9


@dataclass(frozen=True)
class Counted:
    """What of a day's rows counts: their indices in order, the text of each that does, and what was left out."""

    kept: tuple[int, ...]
    texts: tuple[str, ...]
    left_out: Mapping[str, int]


def readable(rows: Iterable[Mapping[str, Any]], day: date | None = None) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The rows that can be judged, in order of time, and how many cannot, by reason (`UNREADABLE`).

    Incomplete is a row without one of `NEEDED` or with a time that is none; a row whose id came before is a duplicate;
    one whose time is more than an hour off `day` is of another day (None: every day will do). Times without an offset
    are UTC's.
    """
    found: dict[str, dict[str, Any]] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        moment = _moment(row.get("time"))
        if moment is None or not row.get("question") or any(row.get(name) is None for name in NEEDED):
            left_out["incomplete"] += 1
        elif row["id"] in found:
            left_out["duplicate row"] += 1
        elif day is not None and not _of_day(moment, day):
            left_out["other day"] += 1
        else:
            found[row["id"]] = {"rating": 0, "correction": "", **row, "time": moment.isoformat()}
    ordered = sorted(found.values(), key=lambda row: datetime.fromisoformat(row["time"]))
    return ordered, {reason: left_out[reason] for reason in UNREADABLE if left_out[reason]}


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(moment, datetime):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _of_day(moment: datetime, day: date) -> bool:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return begin - SKEW <= moment < begin + timedelta(days=1) + SKEW


class Forms:
    """The fixed lines and labels of contact forms, learned from a day's texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        lines: Counter[str] = Counter()
        labels: Counter[str] = Counter()
        for text in set(texts):
            found = [_suffixes(match) for match in _LABEL.findall(text)]
            # One label is a figure of speech ("Note: ..."); a form has several.
            if len(found) > 1:
                labels.update({suffix for suffixes in found for suffix in suffixes})
            if "\n" in text.strip():
                lines.update({line.strip() for line in text.splitlines() if line.strip()})
        self._lines = frozenset(line for line, count in lines.items() if count >= FORM)
        self._labels = frozenset(
            label for label, count in labels.items() if count >= max(FORM, _LABEL_SHARE * labels[_suffixes(label)[-1]])
        )

    def message(self, text: str) -> str:
        """What the person wrote: the prose among the form's fields, else the longest field. Other texts as they are."""
        rest = "\n".join(line for line in text.splitlines() if line.strip() not in self._lines)
        spans = [
            (match.end() - len(label), match.end())
            for match in _LABEL.finditer(rest)
            if (label := next((s for s in _suffixes(match[0]) if s in self._labels), ""))
        ]
        if not spans:
            return rest.strip() or text
        bounds = [0, *(bound for span in spans for bound in span), len(rest)]
        fields = [rest[bounds[n] : bounds[n + 1]].strip() for n in range(0, len(bounds), 2)]
        prose = [field for field in fields if len(field.split()) >= PROSE_WORDS]
        return "\n".join(prose) or max(fields, key=len) or text


def _suffixes(label: str) -> list[str]:
    """What of "Other Order number:" may be the label, longest first; it begins with a capital where one does."""
    parts = label.split(" ")
    found = [" ".join(parts[n:]) for n in range(len(parts))]
    return [suffix for suffix in found if suffix[0].isupper()] or found


def counted(rows: Sequence[Mapping[str, Any]], *, unnamed: Collection[str] = ()) -> Counted:
    """What counts of a day's rows (question, subject, conversation, time) in order of time.

    `unnamed`: subjects that stand for nobody in particular; their equal texts are different people's unless they come
    at a machine's pace.
    """
    forms = Forms(row["question"] for row in rows)
    texts = [forms.message(row["question"]) for row in rows]
    machine, burst = _machines(rows, texts, unnamed)
    limited = len({row["subject"] for row in rows} - set(unnamed)) >= SENDERS
    kept: list[int] = []
    left_out: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    asked: Counter[str] = Counter()
    conversations: set[str] = set()
    for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
        sender, key = row["subject"], words(text)
        later = row["conversation"] in conversations
        conversations.add(row["conversation"])
        named = sender not in unnamed
        if small_talk(text):
            reason = "small talk"
        elif probe(text) or (sender, key) in machine:
            reason = "probe"
        elif later and follow_up(text):
            reason = "follow-up"
        elif (named or (sender, key) in burst) and (sender, key) in seen:
            reason = "repeated"
        elif named and limited and asked[sender] >= PER_SENDER:
            reason = "one sender"
        else:
            reason = ""
            kept.append(number)
            asked[sender] += 1
        seen.add((sender, key))
        if reason:
            left_out[reason] += 1
    return Counted(tuple(kept), tuple(texts[n] for n in kept), {r: left_out[r] for r in REASONS if left_out[r]})


def follow_up(text: str) -> bool:
    """Whether a later turn of a conversation means nothing without the turns before it: "and how much is that?"."""
    said = words(text)
    return said.count(" ") < _FOLLOW_UP_WORDS and bool(_OPENS.match(said) or _REFERS.search(said))


def _machines(
    rows: Sequence[Mapping[str, Any]], texts: Sequence[str], unnamed: Collection[str]
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """(sender, text) that come by the clock, and those of nobody in particular that come in a burst."""
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for row, text in zip(rows, texts, strict=True):
        times[row["subject"], words(text)].append(datetime.fromisoformat(row["time"]))
    usual = _gaps(sorted(datetime.fromisoformat(row["time"]) for row in rows))
    machine, burst = set(), set()
    for key, moments in times.items():
        if len(moments) < MACHINE:
            continue
        gaps = _gaps(sorted(moments))
        if mean(gaps) and pstdev(gaps) <= REGULAR * mean(gaps):
            machine.add(key)
        elif key[0] in unnamed and median(gaps) < BURST * mean(usual):
            burst.add(key)
    return machine, burst


def _gaps(moments: Sequence[datetime]) -> list[float]:
    return [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
