"""Files, their lines, and batches: three tables beside the interaction log, for SQLite and PostgreSQL.

A file's lines are rows of their own, each with its subject, so that erasure reaches a single line. What a batch has
answered are lines too, numbered as those that were asked: the primary key lets no line be answered twice, whoever
answers it.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from typing_extensions import TypedDict

from llmops_assets.gateway.errors import RequestError

METADATA = sa.MetaData()
FILES = sa.Table(
    "files",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("filename", sa.String(200), nullable=False),
    sa.Column("source", sa.String(40), nullable=False, index=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
)
LINES = sa.Table(
    "file_lines",
    METADATA,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("subject", sa.String(40), nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
)
"""`source` is the file that was sent, or the batch that made the line; `run` how a line that was sent is answered."""
BATCHES = sa.Table(
    "batches",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("caller", sa.Text, nullable=False),
    sa.Column("endpoint", sa.String(60), nullable=False),
    sa.Column("input", sa.String(40), nullable=False, index=True),
    sa.Column("metadata", sa.Text, nullable=False),
    sa.Column("status", sa.String(20), nullable=False, index=True),
    sa.Column("problems", sa.Text, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("completed", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("output_seconds", sa.Integer, nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("begun", sa.BigInteger),
    sa.Column("cancelling", sa.BigInteger),
    sa.Column("ended", sa.BigInteger),
    sa.Column("holder", sa.String(40), nullable=False),
    sa.Column("held_until", sa.Float, nullable=False),
)
"""`made` is in nanoseconds, so that lists have an order; other times are Unix seconds."""

Kind = Literal["input", "output", "error"]
Status = Literal["validating", "in_progress", "completed", "failed", "expired", "cancelling", "cancelled"]
ACTIVE: tuple[Status, ...] = ("validating", "in_progress", "cancelling")
WINDOW_SECONDS = 24 * 3600
"""How long a batch may take."""
KEPT_SECONDS = 30 * 24 * 3600
"""How long a file is kept whose sender says nothing else, as OpenAI does."""
LEASE_SECONDS = 30.0
"""How long a batch belongs to a process that says nothing more: so long one that was killed holds it."""
MOST_OPEN = 20
"""Batches of an owner that are not over."""
MOST_FILES = 500
"""Files of an owner."""
NANO = 1_000_000_000


class Problem(TypedDict):
    """Why a batch failed."""

    code: str
    message: str
    param: str | None
    line: int | None


@dataclass(frozen=True)
class Line:
    """A line of a file that was sent, without personal data. `subject` is a pseudonym, "" for nobody's.

    `run` is how it is answered, in JSON (lines.py).
    """

    number: int
    subject: str
    text: str
    run: str


@dataclass(frozen=True)
class File:
    """A file as its owner sees it. Times are Unix seconds."""

    id: str
    owner: str
    purpose: str
    filename: str
    kind: Kind
    bytes: int
    created: int
    expires: int


@dataclass(frozen=True)
class Batch:
    """A batch. `caller` is who asks, in JSON; `problems` why it failed; times are Unix seconds, None: not yet."""

    id: str
    owner: str
    caller: str
    endpoint: str
    input: str
    metadata: dict[str, str]
    status: Status
    problems: list[Problem]
    total: int
    completed: int
    failed: int
    created: int
    expires: int
    begun: int | None
    cancelling: int | None
    ended: int | None
    output: str | None
    errors: str | None

    @property
    def active(self) -> bool:
        """Whether something is still to be done."""
        return self.status in ACTIVE


class LineGoneError(Exception):
    """A line was erased while it was being answered: what came of it must be kept nowhere."""


class FileStore:
    """Files and batches in the database of an interaction log. Safe for several threads and processes."""

    def __init__(self, database: sa.Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = database
        self._clock = clock
        METADATA.create_all(database)

    # -- files --------------------------------------------------------------------------------------------------

    def add(self, owner: str, filename: str, lines: Sequence[Line], keep_seconds: int) -> File:
        """Store a file of requests; RequestError where its owner has as many as it may."""
        name, moment = f"file-{uuid.uuid4().hex}", self._clock()
        row = self._file(name, owner, "batch", filename, name, "input", keep_seconds, moment)
        with self._engine.begin() as connection:
            mine = sa.select(sa.func.count()).select_from(FILES).where(FILES.c.owner == owner)
            if connection.execute(mine).scalar_one() >= MOST_FILES:
                raise RequestError(400, f"there are {MOST_FILES} files: delete some", code="too_many_files")
            connection.execute(sa.insert(FILES).values(row))
            rows = [{"source": name, "kind": "input", **vars(line)} for line in lines]
            connection.execute(sa.insert(LINES), rows)
            self._weigh(connection, [(name, "input")])
        return self.file(owner, name)

    def file(self, owner: str, name: str) -> File:
        """One's own file; RequestError 404 for any other."""
        query = sa.select(FILES).where(FILES.c.id == name, FILES.c.owner == owner, FILES.c.expires > self._clock())
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise RequestError(404, "there is no such file of yours", code="file_not_found", param="file_id")
        return _file(row)

    def files(
        self, owner: str, *, purpose: str = "", after: str = "", limit: int = 100, newest: bool = True
    ) -> tuple[list[File], bool]:
        """One's own files in the order in which they were made, those behind `after`, and whether there are more."""
        query = sa.select(FILES).where(FILES.c.owner == owner, FILES.c.expires > self._clock())
        if purpose:
            query = query.where(FILES.c.purpose == purpose)
        rows, more = self._page(query, FILES, owner, after, limit, newest)
        return [_file(row) for row in rows], more

    def text(self, owner: str, name: str, most: int | None = None) -> list[str]:
        """The lines of one's own file, or the first of them; RequestError 404 for any other."""
        self.file(owner, name)
        query = (
            sa.select(LINES.c.text)
            .join(FILES, sa.and_(FILES.c.source == LINES.c.source, FILES.c.kind == LINES.c.kind))
            .where(FILES.c.id == name)
            .order_by(LINES.c.number)
            .limit(most)
        )
        with self._engine.connect() as connection:
            return [row.text for row in connection.execute(query)]

    def delete(self, owner: str, name: str) -> None:
        """Delete one's own file; RequestError 404 for any other, 409 while a batch reads it."""
        self.file(owner, name)
        with self._engine.begin() as connection:
            reading = sa.select(BATCHES.c.id).where(BATCHES.c.input == name, BATCHES.c.status.in_(ACTIVE))
            if connection.execute(reading).first() is not None:
                raise RequestError(409, "a batch reads it: cancel that first", code="file_in_use", param="file_id")
            self._remove(connection, FILES.c.id == name)

    # -- batches ------------------------------------------------------------------------------------------------

    def create(
        self, owner: str, caller: str, endpoint: str, file: str, metadata: dict[str, str], output_seconds: int
    ) -> Batch:
        """A batch of one's own file; RequestError for another, and where its owner has as many open as it may."""
        if self.file(owner, file).kind != "input":
            said = "a batch is made of a file that was sent"
            raise RequestError(400, said, code="invalid_value", param="input_file_id")
        moment = self._clock()
        row = {
            "id": f"batch_{uuid.uuid4().hex}",
            "owner": owner,
            "caller": caller,
            "endpoint": endpoint,
            "input": file,
            "metadata": json.dumps(metadata),
            "status": "validating",
            "problems": "[]",
            "completed": 0,
            "failed": 0,
            "output_seconds": output_seconds,
            "made": int(moment * NANO),
            "expires": int(moment) + WINDOW_SECONDS,
            "holder": "",
            "held_until": 0.0,
        }
        with self._engine.begin() as connection:
            mine = sa.and_(BATCHES.c.owner == owner, BATCHES.c.status.in_(ACTIVE))
            if (
                connection.execute(sa.select(sa.func.count()).select_from(BATCHES).where(mine)).scalar_one()
                >= MOST_OPEN
            ):
                said = f"{MOST_OPEN} batches are not over: wait for one, or cancel it"
                raise RequestError(429, said, code="too_many_batches")
            of_file = sa.select(sa.func.count()).select_from(LINES).where(LINES.c.source == file)
            row["total"] = connection.execute(of_file).scalar_one()
            connection.execute(sa.insert(BATCHES).values(row))
        return self.batch(owner, row["id"])

    def batch(self, owner: str, name: str) -> Batch:
        """One's own batch; RequestError 404 for any other."""
        with self._engine.connect() as connection:
            query = sa.select(BATCHES).where(BATCHES.c.id == name, BATCHES.c.owner == owner)
            row = connection.execute(query).mappings().first()
            if row is None:
                raise RequestError(404, "there is no such batch of yours", code="batch_not_found", param="batch_id")
            return self._batches(connection, [row])[0]

    def batches(self, owner: str, *, after: str = "", limit: int = 20) -> tuple[list[Batch], bool]:
        """One's own batches, the newest first, those behind `after`, and whether there are more."""
        query = sa.select(BATCHES).where(BATCHES.c.owner == owner)
        rows, more = self._page(query, BATCHES, owner, after, limit, True)
        with self._engine.connect() as connection:
            return self._batches(connection, rows), more

    def cancel(self, owner: str, name: str) -> Batch:
        """Have no further line of one's own batch answered; RequestError 404 for any other, 409 where it is over."""
        values = {"status": "cancelling", "cancelling": int(self._clock())}
        going = sa.and_(BATCHES.c.id == name, BATCHES.c.owner == owner, BATCHES.c.status.in_(ACTIVE[:2]))
        with self._engine.begin() as connection:
            connection.execute(sa.update(BATCHES).where(going).values(values))
        batch = self.batch(owner, name)
        if batch.status != "cancelling":
            raise RequestError(409, f"it is {batch.status} already", code="batch_is_over", param="batch_id")
        return batch

    # -- who answers --------------------------------------------------------------------------------------------

    def hold(self, holder: str) -> list[Batch]:
        """Take every batch that nobody holds, and keep those that are held; the oldest first."""
        moment = self._clock()
        free = sa.or_(BATCHES.c.holder.in_(("", holder)), BATCHES.c.held_until < moment)
        mine = sa.and_(BATCHES.c.status.in_(ACTIVE), free)
        taken = {"holder": holder, "held_until": moment + LEASE_SECONDS}
        with self._engine.begin() as connection:
            if connection.execute(sa.select(BATCHES.c.id).where(mine).limit(1)).first() is None:
                return []
            # One statement for each, which says again that it is free: of two processes that see it, one takes it.
            connection.execute(sa.update(BATCHES).where(mine).values(taken))
            held = sa.and_(BATCHES.c.status.in_(ACTIVE), BATCHES.c.holder == holder)
            rows = connection.execute(sa.select(BATCHES).where(held).order_by(BATCHES.c.made)).mappings().all()
            begin = sa.and_(held, BATCHES.c.status == "validating")
            values = {"status": "in_progress", "begun": int(moment)}
            connection.execute(sa.update(BATCHES).where(begin).values(values))
            return self._batches(connection, rows)

    def let_go(self, holder: str) -> None:
        """Leave all that is held to others."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(BATCHES).where(BATCHES.c.holder == holder).values(holder="", held_until=0.0))

    def pending(self, batch: Batch, limit: int) -> list[Line]:
        """Lines that have no answer yet, in their order."""
        done = sa.select(LINES.c.number).where(LINES.c.source == batch.id)
        query = sa.select(LINES).where(LINES.c.source == batch.input, LINES.c.number.not_in(done))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(LINES.c.number).limit(limit)).mappings()
            return [Line(row["number"], row["subject"], row["text"], row["run"]) for row in rows]

    def done(self, batch: Batch, line: Line, kind: Kind, text: str, connection: sa.Connection | None = None) -> None:
        """Store what came of a line, in a transaction of somebody else's where one is given.

        IntegrityError where something was stored already, LineGoneError where the line was erased meanwhile.
        """
        if connection is None:
            with self._engine.begin() as own:
                return self.done(batch, line, kind, text, own)
        row = {"source": batch.id, "kind": kind, "text": text, "run": "", "number": line.number}
        connection.execute(sa.insert(LINES).values(**row, subject=line.subject))
        asked = sa.and_(LINES.c.source == batch.input, LINES.c.number == line.number)
        if connection.execute(sa.select(LINES.c.number).where(asked)).first() is None:
            raise LineGoneError

    def end(self, batch: Batch, holder: str, status: Status, problems: Sequence[Problem] = ()) -> None:
        """A batch is over: what came of its lines is files now. Nothing changes where another holds it meanwhile."""
        moment = self._clock()
        with self._engine.begin() as connection:
            mine = sa.and_(BATCHES.c.id == batch.id, BATCHES.c.holder == holder, BATCHES.c.status.in_(ACTIVE))
            values: dict[str, Any] = {"status": status, "problems": json.dumps(list(problems)), "ended": int(moment)}
            if connection.execute(sa.update(BATCHES).where(mine).values(values)).rowcount != 1:
                return
            counts = self._counts(connection, [batch.id])
            completed, failed = (counts.get((batch.id, kind), 0) for kind in ("output", "error"))
            connection.execute(
                sa.update(BATCHES).where(BATCHES.c.id == batch.id).values(completed=completed, failed=failed)
            )
            query = sa.select(BATCHES.c.output_seconds).where(BATCHES.c.id == batch.id)
            keep = connection.execute(query).scalar_one()
            for kind in ("output", "error"):
                if counts.get((batch.id, kind)):
                    made = self._file(
                        f"file-{uuid.uuid4().hex}",
                        batch.owner,
                        "batch_output",
                        f"{batch.id}_{kind}.jsonl",
                        batch.id,
                        kind,
                        keep,
                        moment,
                    )
                    connection.execute(sa.insert(FILES).values(made))
                    self._weigh(connection, [(batch.id, kind)])

    # -- what must go -------------------------------------------------------------------------------------------

    def prune(self) -> int:
        """Delete files whose time is over, but for those that a batch reads; how many."""
        reading = sa.select(BATCHES.c.input).where(BATCHES.c.status.in_(ACTIVE))
        over = sa.and_(FILES.c.expires <= self._clock(), FILES.c.id.not_in(reading))
        with self._engine.begin() as connection:
            return self._remove(connection, over)

    def erase(self, subjects: Iterable[str], connection: sa.Connection) -> int:
        """Delete every line of a person, asked and answered, in a transaction of somebody else's; how many.

        A line that waits is not answered any more; of a batch it counts in the total alone.
        """
        theirs = LINES.c.subject.in_(tuple(subjects))
        touched = connection.execute(sa.select(LINES.c.source, LINES.c.kind).where(theirs).distinct()).all()
        gone = connection.execute(sa.delete(LINES).where(theirs)).rowcount
        self._weigh(connection, [(row.source, row.kind) for row in touched])
        return gone

    # -- inner --------------------------------------------------------------------------------------------------

    def _page(
        self, query: sa.Select, table: sa.Table, owner: str, after: str, limit: int, newest: bool
    ) -> tuple[list[sa.RowMapping], bool]:
        columns = (table.c.made, table.c.id)
        with self._engine.connect() as connection:
            if after:
                place = sa.select(*columns).where(table.c.id == after, table.c.owner == owner)
                if (found := connection.execute(place).first()) is None:
                    raise RequestError(
                        404, "there is nothing of that id to begin behind", code="invalid_value", param="after"
                    )
                behind, begin = sa.tuple_(*columns), sa.tuple_(found[0], found[1])
                query = query.where(behind < begin if newest else behind > begin)
            order = [column.desc() if newest else column.asc() for column in columns]
            rows = list(connection.execute(query.order_by(*order).limit(limit + 1)).mappings())
        return rows[:limit], len(rows) > limit

    def _batches(self, connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[Batch]:
        names = [row["id"] for row in rows]
        counts = self._counts(connection, [row["id"] for row in rows if row["status"] in ACTIVE])
        query = sa.select(FILES.c.source, FILES.c.kind, FILES.c.id).where(
            FILES.c.source.in_(names), FILES.c.expires > self._clock()
        )
        files = {(row.source, row.kind): row.id for row in connection.execute(query)}
        return [
            Batch(
                id=row["id"],
                owner=row["owner"],
                caller=row["caller"],
                endpoint=row["endpoint"],
                input=row["input"],
                metadata=json.loads(row["metadata"]),
                status=row["status"],
                problems=json.loads(row["problems"]),
                total=row["total"],
                completed=counts.get((row["id"], "output"), 0) or row["completed"],
                failed=counts.get((row["id"], "error"), 0) or row["failed"],
                created=row["made"] // NANO,
                expires=row["expires"],
                begun=row["begun"],
                cancelling=row["cancelling"],
                ended=row["ended"],
                output=files.get((row["id"], "output")),
                errors=files.get((row["id"], "error")),
            )
            for row in rows
        ]

    @staticmethod
    def _counts(connection: sa.Connection, sources: Sequence[str]) -> dict[tuple[str, str], int]:
        query = (
            sa.select(LINES.c.source, LINES.c.kind, sa.func.count())
            .where(LINES.c.source.in_(sources))
            .group_by(LINES.c.source, LINES.c.kind)
        )
        return {(row[0], row[1]): row[2] for row in connection.execute(query)}

    @staticmethod
    def _file(
        name: str, owner: str, purpose: str, filename: str, source: str, kind: str, keep: int, moment: float
    ) -> dict[str, Any]:
        return {
            "id": name,
            "owner": owner,
            "purpose": purpose,
            "filename": filename,
            "source": source,
            "kind": kind,
            "bytes": 0,
            "made": int(moment * NANO),
            "expires": int(moment) + keep,
        }

    @staticmethod
    def _weigh(connection: sa.Connection, touched: Iterable[tuple[str, str]]) -> None:
        """Say again how many bytes files have: that of their lines, each with its end."""
        for source, kind in touched:
            mine = sa.select(LINES.c.text).where(LINES.c.source == source, LINES.c.kind == kind)
            size = sum(len(row.text.encode()) + 1 for row in connection.execute(mine))
            file = sa.and_(FILES.c.source == source, FILES.c.kind == kind)
            connection.execute(sa.update(FILES).where(file).values(bytes=size))

    @staticmethod
    def _remove(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
        rows = connection.execute(sa.select(FILES.c.id, FILES.c.source, FILES.c.kind).where(which)).all()
        for row in rows:
            connection.execute(sa.delete(LINES).where(LINES.c.source == row.source, LINES.c.kind == row.kind))
            connection.execute(sa.delete(FILES).where(FILES.c.id == row.id))
        return len(rows)


def _file(row: sa.RowMapping) -> File:
    return File(
        id=row["id"],
        owner=row["owner"],
        purpose=row["purpose"],
        filename=row["filename"],
        kind=row["kind"],
        bytes=row["bytes"],
        created=row["made"] // NANO,
        expires=row["expires"],
    )
