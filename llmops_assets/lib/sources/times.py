"""Times as support systems and spreadsheets write them: ISO 8601, RFC 2822, dates of a locale, seconds since 1970.

A date such as 03/02/2026 is read only where somebody said its order, or where the column holds a value that can be
read in one order only: a guess would move conversations by months, and nobody would see it.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from llmops_assets.lib.sources.faults import RowFault, SourceError, UndecidedError, shortened

Order = Literal["", "DMY", "MDY", "YMD"]
ORDERS = tuple(order for order in get_args(Order) if order)
"""In which order day, month and year of a numeric date stand."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""An earlier time is a clock that was never set."""
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = {name[:3]: number for number, name in enumerate(_MONTHS, start=1)} | {"sept": 9}
_MONTH |= {name: number for number, name in enumerate(_MONTHS, start=1)}
_EPOCH = re.compile(r"\d{9,20}(?:[.,]\d+)?")
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")
_NUMERIC = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?!\d)(.*)", re.DOTALL)
_DAY_FIRST = re.compile(
    r"(?:[A-Za-z]{3,9}\.?,?\s+)?(\d{1,2})(?:st|nd|rd|th|\.)?[\s-]+([A-Za-z]{3,9})\.?,?[\s-]+(\d{4})(.*)"
)
_MONTH_FIRST = re.compile(r"(?:[A-Za-z]{3,9}\.?,?\s+)?([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(.*)")
_REST = re.compile(
    r"(?:[T,]?\s*(?:at\s+)?(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?\s*(?:([AaPp])\.?\s?[Mm]\.?)?)?"
    r"\s*(Z|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|UTC|GMT)?\s*(?:\([^)]*\))?"
)
_ZONE_NAME = re.compile(r"\s*\[?\b([A-Z][A-Za-z_]+/[A-Za-z_/+-]+|UTC|GMT)\]?$")


@dataclass(frozen=True)
class Clock:
    """How the times of a source are read.

    Times without an offset are of `zone`, and a conversation's day is the date there. `order` is that of numeric dates;
    where it is "", `order_of_file` looks at all dates of the file (SourceError when they do not tell). A time after
    `latest` is rejected.
    """

    latest: datetime | None = None
    zone: tzinfo = UTC
    order: str = ""
    order_of_file: Callable[[], str] | None = None

    def day(self, time: datetime) -> date:
        """The day of a time in the zone of the source."""
        return time.date() if self.zone is UTC else time.astimezone(self.zone).date()


def zone_of(name: str) -> tzinfo:
    """The time zone of a name of the IANA database, UTC for "". SourceError when there is none."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise SourceError(f"time_zone: {name!r} is no time zone; write one as Europe/Berlin") from None


def time_of(value: Any, at: str, clock: Clock | datetime | None = None) -> datetime | None:
    """A time in UTC, or None where there is none; `clock` may be just the latest time.

    RowFault for what is no time, is before EARLIEST or after the latest one. SourceError as from `order_of_file`.
    """
    if value is None or value == "" or value != value:
        return None
    read = clock if isinstance(clock, Clock) else Clock(clock)
    try:
        if isinstance(value, str):
            parsed = _read(value.strip(), at, read)
        elif isinstance(value, bool):
            raise ValueError
        elif isinstance(value, (int, float)):
            parsed = _since_1970(value)
        elif isinstance(value, datetime):
            parsed = value
        elif isinstance(value, date):
            parsed = datetime(value.year, value.month, value.day)
        else:
            raise ValueError
        parsed = (parsed.replace(tzinfo=read.zone) if parsed.tzinfo is None else parsed).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        if isinstance(error, (RowFault, SourceError)):
            raise
        raise RowFault(f"{shortened(value)} is no time; write 2026-03-02T14:05:00+00:00", at) from None
    if parsed < EARLIEST:
        raise RowFault(f"{parsed:%Y-%m-%d} is before {EARLIEST.year}: was the clock set?", at)
    if read.latest is not None and parsed > read.latest:
        raise RowFault(f"{parsed:%Y-%m-%d} is in the future: was the clock set?", at)
    return parsed


def order_among(values: Iterable[str], name: str) -> str:
    """The order of day and month that all numeric dates among some values can have.

    UndecidedError, with the lines to add to the settings, when they can have both or neither.
    """
    day_first = month_first = either = ""
    for value in values:
        found = _NUMERIC.match(value.strip())
        if found is None or len(found[4]) != 4:
            continue
        first, second = int(found[1]), int(found[3])
        if first > 12 >= second:
            day_first = day_first or found[0][: found.start(5)]
        elif second > 12 >= first:
            month_first = month_first or found[0][: found.start(5)]
        else:
            either = either or found[0][: found.start(5)]
    if day_first and not month_first:
        return "DMY"
    if month_first and not day_first:
        return "MDY"
    told = f"{day_first} has the day first and {month_first} the month" if day_first else f"{either} may be either"
    raise UndecidedError(
        f"{name}: do its dates have the day first or the month? {told}, no other date tells. Add one of these lines to "
        "settings.yaml: `date_order: DMY` for the day first, `date_order: MDY` for the month"
    )


def _read(text: str, at: str, clock: Clock) -> datetime:
    if _EPOCH.fullmatch(text):
        whole = text.replace(",", ".")
        return _since_1970(float(whole) if "." in whole else int(whole))
    if _ROUNDED.fullmatch(text):
        raise RowFault(f"{shortened(text)} has lost digits in a spreadsheet; export the column as text", at)
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    if (named := _ZONE_NAME.search(text)) and named.start():
        return _in_zone(text[: named.start()], named[1], at, clock)
    for form, place in ((_DAY_FIRST, (3, 2, 1)), (_MONTH_FIRST, (3, 1, 2))):
        found = form.fullmatch(text)
        if found is not None and found[place[1]].lower() in _MONTH:
            year, month, day = (found[n] for n in place)
            moment = date(int(year), _MONTH[month.lower()], int(day))
            return parsedate_to_datetime(text) if _REST.fullmatch(found[4]) is None else _at(moment, found[4])
    numbers = _NUMERIC.fullmatch(text)
    if numbers is None:
        raise ValueError
    return _at(_dated(numbers, at, clock), numbers[5])


def _in_zone(text: str, name: str, at: str, clock: Clock) -> datetime:
    """A time with the name of its zone behind it; an offset that stands before the name counts."""
    found = _read(text, at, clock)
    if found.tzinfo is not None:
        return found
    with suppress(KeyError):
        return found.replace(tzinfo=ZoneInfo(name))
    raise ValueError


def _dated(numbers: re.Match[str], at: str, clock: Clock) -> date:
    first, second, third = numbers[1], numbers[3], numbers[4]
    if len(first) == 4:
        return date(int(first), int(second), int(third))
    order = clock.order
    if not order:
        if len(third) != 4:
            raise RowFault(f"{shortened(numbers[0])}: write the year with four digits, or set date_order", at)
        order = clock.order_of_file() if clock.order_of_file else order_among([numbers[0]], at)
    year, month, day = (int((first, second, third)[order.index(part)]) for part in "YMD")
    return date(year + 2000 if year < 100 else year, month, day)


def _at(day: date, rest: str) -> datetime:
    """A day with the time of day and the offset that a text names behind it. ValueError for anything else."""
    found = _REST.fullmatch(rest)
    if found is None:
        raise ValueError
    hour, minute, second, fraction, half, offset = found.groups()
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError
        hours = hours % 12 + (12 if half in "Pp" else 0)
    micro = int((fraction or "0").ljust(6, "0")[:6])
    moment = datetime(day.year, day.month, day.day, hours, int(minute or 0), int(second or 0), micro)
    return moment if offset is None else moment.replace(tzinfo=_offset(offset))


def _offset(text: str) -> tzinfo:
    digits = text.removeprefix("UTC").removeprefix("GMT").replace(":", "")
    if digits in ("", "Z"):
        return UTC
    sign = -1 if digits[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5])))


def _since_1970(value: float) -> datetime:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size."""
    for limit, unit in ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000)):
        if value < limit:
            return datetime.fromtimestamp(value / unit, UTC)
    return datetime.fromtimestamp(value / 1_000_000_000, UTC)


def written_dates(record: Any, names: frozenset[str]) -> Iterator[str]:
    """Texts under some names (in small letters), anywhere in a record: where its times stand, whatever its layout."""
    if isinstance(record, dict):
        for name, value in record.items():
            if isinstance(value, str):
                if str(name).strip().lower() in names:
                    yield value
            else:
                yield from written_dates(value, names)
    elif isinstance(record, list):
        for value in record:
            yield from written_dates(value, names)


def is_local(value: Any) -> bool:
    """Whether a time says no offset, so that its moment depends on the zone of its source."""
    here, there = (Clock(zone=zone, order="DMY") for zone in (UTC, timezone(timedelta(hours=9))))
    try:
        return time_of(value, "", here) != time_of(value, "", there)
    except RowFault:
        return False
