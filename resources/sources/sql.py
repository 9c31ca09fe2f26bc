"""Conversations in a SQL database, behind any URL that SQLAlchemy knows.

A watermark column, which every insert and update raises, tells what is new; rows that were deleted are not noticed.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.sources import Changes, RawRow, Rejected, RowFault, Shape, Source, SourceError, rows_of, time_of


class Sql(Source):
    """A table, or a query, with a column for the time and one for the watermark (default: the time).

    Rows without a time are of the day of their watermark. Rows are streamed from the server.
    """

    def __init__(
        self, name: str, url: str, shape: Shape, *, table: str = "", query: str = "", watermark: str = ""
    ) -> None:
        self.name = name
        self._shape = shape
        try:
            self._engine = sa.create_engine(url, pool_pre_ping=True)
        except (SQLAlchemyError, ImportError) as error:
            said = str(error).splitlines()[0][:200]
            raise SourceError(f"{name}: the database's URL cannot be used ({said})") from None
        quote = self._engine.dialect.identifier_preparer.quote
        rows = f"({query})" if query else ".".join(map(quote, table.split(".")))
        self._rows = sa.text(f"{rows} AS source_rows")
        self._watermark_name = watermark

    def changed_since(self, cursor: str) -> Changes:
        """Days of the rows whose watermark is at least the cursor's; none when no row has come or changed."""
        try:
            return self._changed_since(json.loads(cursor) if cursor else {})
        except SQLAlchemyError as error:
            raise self._error(error) from None

    def state(self, day: date) -> str:
        """Of the day's rows alone."""
        try:
            with self._engine.connect().execution_options(yield_per=1000) as connection:
                moment, watermark = self._columns(connection)
                marks = self._marks(moment, watermark).where(self._around(connection, day, moment, watermark))
                return self._states(connection, marks).get(day, "")
        except SQLAlchemyError as error:
            raise self._error(error) from None

    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """The rows of a day, in the order of time and watermark."""
        try:
            with self._engine.connect().execution_options(yield_per=1000) as connection:
                moment, watermark = self._columns(connection)
                records = self._records(connection, day, moment, watermark)
                for item in rows_of(records, self.name, self._shape):
                    yield item if isinstance(item, Rejected) or item.day == day else replace(item, day=day)
        except SQLAlchemyError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _changed_since(self, known: dict[str, Any]) -> Changes:
        with self._engine.connect().execution_options(yield_per=1000) as connection:
            moment, watermark = self._columns(connection)
            newest = connection.execute(sa.select(sa.func.max(watermark)).select_from(self._rows)).scalar()
            if newest is None:
                return Changes({}, "")
            count = sa.select(sa.func.count()).select_from(self._rows)
            equal = connection.execute(count.where(watermark == newest)).scalar_one()
            state = {"watermark": str(newest), "equal": equal}
            if state == known:
                return Changes({}, json.dumps(known))
            query = self._marks(moment, watermark)
            if known:
                bound = self._bound(newest, known["watermark"])
                equal = connection.execute(count.where(watermark == bound)).scalar_one()
                query = query.where(watermark > bound if equal == known["equal"] else watermark >= bound)
            return Changes(self._states(connection, query), json.dumps(state))

    def _marks(self, moment: Any, watermark: Any) -> Any:
        return sa.select(sa.func.coalesce(moment, watermark), watermark).select_from(self._rows)

    def _states(self, connection: sa.Connection, marks: Any) -> dict[date, str]:
        """A name for each day: its newest watermark and how many rows it has."""
        found: dict[date, list[Any]] = {}
        for value, mark in connection.execute(marks):
            newest = found.setdefault(self._day(value), ["", 0])
            newest[0] = max(newest[0], str(mark))
            newest[1] += 1
        return {day: hash_json(found[day])[:12] for day in sorted(found)}

    def _records(
        self, connection: sa.Connection, day: date, moment: Any, watermark: Any
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        query = (
            sa.select(sa.text("*"))
            .select_from(self._rows)
            .where(self._around(connection, day, moment, watermark))
            .order_by(sa.func.coalesce(moment, watermark), watermark)
        )
        name, mark = moment.name, watermark.name
        for number, row in enumerate(connection.execute(query).mappings(), start=1):
            record = dict(row)
            if self._day(record[mark] if record[name] is None else record[name]) == day:
                yield f"row {number} of {day}", record

    def _around(self, connection: sa.Connection, day: date, moment: Any, watermark: Any) -> Any:
        """The condition that a row is of a day, or of the ones beside it: texts carry any time zone."""
        effective = sa.func.coalesce(moment, watermark)
        example = connection.execute(sa.select(effective).select_from(self._rows).limit(1)).scalar()
        start, end = (self._like(example, day + timedelta(days=days)) for days in (-1, 2))
        return sa.and_(effective >= start, effective < end)

    def _columns(self, connection: sa.Connection) -> tuple[Any, Any]:
        """The columns of time and watermark."""
        names = list(connection.execute(sa.select(sa.text("*")).select_from(self._rows).limit(0)).keys())
        try:
            columns = self._shape.columns(names)
        except RowFault as fault:
            raise SourceError(f"{self.name}: {fault.reason}") from None
        if "time" not in columns:
            raise SourceError(f"{self.name}: no column for the time; name it in the mapping")
        watermark = self._watermark_name or columns["time"]
        if watermark not in names:
            raise SourceError(f"{self.name}: no column {watermark!r} for the watermark; there are {', '.join(names)}")
        quote = self._engine.dialect.identifier_preparer.quote
        moment, mark = (sa.literal_column(quote(name)) for name in (columns["time"], watermark))
        moment.name, mark.name = columns["time"], watermark
        return moment, mark

    def _day(self, value: Any) -> date:
        try:
            moment = time_of(value, "", self._shape.clock)
        except RowFault as fault:
            raise SourceError(f"{self.name}: a time cannot be used ({fault.reason}); leave it out by a query") from None
        if moment is None:
            raise SourceError(f"{self.name}: a row has neither time nor watermark; leave it out by a query")
        return self._shape.clock.day(moment)

    def _like(self, example: Any, day: date) -> Any:
        """The beginning of a day as the database spells times."""
        if isinstance(example, (int, float)):
            seconds = (day - date(1970, 1, 1)).days * 86_400
            return seconds * (1000 if example > 1e11 else 1)
        if isinstance(example, datetime):
            return datetime.combine(day, time(), example.tzinfo)
        return day if isinstance(example, date) else str(day)

    @staticmethod
    def _bound(newest: Any, text: str) -> Any:
        """A cursor's watermark in the type of the column."""
        if isinstance(newest, (int, float)):
            return type(newest)(text)
        return datetime.fromisoformat(text) if isinstance(newest, datetime) else text

    def _error(self, error: Exception) -> SourceError:
        """What the database said, without the statement, its values or the password of the URL."""
        where = self._engine.url.render_as_string(hide_password=True)
        said = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0][:200]
        return SourceError(f"{self.name}, {where}: {said}")
