"""The interaction log: requests, responses and feedback, redacted before they come here; SQLite or PostgreSQL.

Acknowledged means written. The audit table is append-only: each entry carries the hash of the one before it, so a
changed or removed entry is found. An entry about a person is stored under a key of that person's: without the key it
says nothing, and the chain still holds (docs/decisions/audit.md).
"""

import base64
import json
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc
from sqlalchemy import event

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Feedback, Interaction, ShadowAnswer

METADATA = sa.MetaData()
INTERACTIONS = sa.Table(
    "interactions",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("time", sa.String(40), nullable=False, index=True),
    sa.Column("release_id", sa.String(20), nullable=False),
    sa.Column("subject", sa.String(40), nullable=False, index=True),
    sa.Column("conversation", sa.String(200), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("path", sa.String(20), nullable=False),
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
    sa.Column("caller", sa.String(40), nullable=False, server_default=""),
    sa.Column("owner", sa.String(200), nullable=False, server_default=""),
    sa.Column("guards", sa.String(400), nullable=False, server_default=""),
    sa.Column("article", sa.String(200)),
    sa.Column("similarity", sa.Float),
    sa.Column("latency_seconds", sa.Float, nullable=False),
    sa.Column("input_tokens", sa.Integer, nullable=False),
    sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Column("cached_seconds", sa.Float),
    sa.Column("status", sa.Integer, nullable=False),
)
ADDED: dict[str, str] = {
    "turn": "INTEGER NOT NULL DEFAULT 0",
    "caller": "VARCHAR(40) NOT NULL DEFAULT ''",
    "owner": "VARCHAR(200) NOT NULL DEFAULT ''",
    "cached_seconds": "FLOAT",
    "guards": "VARCHAR(400) NOT NULL DEFAULT ''",
}
"""Columns of interactions that a table of an earlier version lacks."""
SHADOWS = sa.Table(
    "shadows",
    METADATA,
    sa.Column("interaction", sa.String(40), primary_key=True),
    sa.Column("release_id", sa.String(20), primary_key=True),
    sa.Column("time", sa.String(40), nullable=False, index=True),
    sa.Column("subject", sa.String(40), nullable=False, index=True),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("path", sa.String(20), nullable=False),
    sa.Column("guards", sa.String(400), nullable=False),
    sa.Column("article", sa.String(200)),
    sa.Column("similarity", sa.Float),
    sa.Column("latency_seconds", sa.Float, nullable=False),
    sa.Column("input_tokens", sa.Integer, nullable=False),
    sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
)
"""What candidates would have answered: a table that nothing reads which is about answers to customers."""
FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("interaction", sa.String(40), nullable=False, index=True),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("rating", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("correction", sa.Text, nullable=False),
)
AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("action", sa.String(80), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("sealed", sa.String(40), nullable=False, server_default=""),
)
"""`sealed` is the id of the key under which the detail is stored, "" where it stands as it is."""
AUDIT_ADDED = {"sealed": "VARCHAR(40) NOT NULL DEFAULT ''"}
AUDIT_KEYS = sa.Table(
    "audit_keys",
    METADATA,
    sa.Column("subject", sa.String(220), primary_key=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("key", sa.String(64), nullable=False),
)
"""Keys of persons, to be discarded with them. An id is drawn and not made of the person."""
ERASED = "erased"
"""The detail of an entry about somebody whose key is gone."""
GENESIS = "0" * 64
Beside = Callable[[sa.Connection], None]
"""Writes something in a transaction of the log's."""
AUDIT_TRIES = 20
"""Times that an entry is numbered anew where another process was faster."""


class InteractionLog:
    """Store of interactions behind a SQLAlchemy URL. Safe for several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        embedded = url.startswith("sqlite")
        # Errors name no parameters: what is stored is nobody's to read in a log.
        options = {"timeout": 60} if embedded else {}
        self._engine = sa.create_engine(url, connect_args=options, pool_pre_ping=True, hide_parameters=True)
        self._lock = threading.Lock()
        if embedded:
            event.listen(self._engine, "connect", _set_up_sqlite)
        METADATA.create_all(self._engine)
        self._add_columns()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _add_columns(self) -> None:
        """Give a table of an earlier version the columns that it lacks; those have defaults."""
        for table, added in ((INTERACTIONS, ADDED), (AUDIT, AUDIT_ADDED)):
            for name, kind in added.items():
                if name in self._columns(table):
                    continue
                try:
                    with self._engine.begin() as connection:
                        connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}"))
                except sqlalchemy.exc.DBAPIError:
                    # Of two processes that start at a time the second finds it there; anything else is a fault.
                    if name not in self._columns(table):
                        raise

    def _columns(self, table: sa.Table) -> set[str]:
        return {column["name"] for column in sa.inspect(self._engine).get_columns(table.name)}

    @property
    def database(self) -> sa.Engine:
        """The database, for tables that belong to the log."""
        return self._engine

    def append(self, interaction: Interaction, beside: Beside | None = None) -> None:
        """Store one interaction; storing the same id again replaces nothing and is an error.

        What `beside` writes stands if and only if the interaction does.
        """
        row = interaction.model_dump()
        row["time"] = _text(interaction.time)
        with self._engine.begin() as connection:
            connection.execute(sa.insert(INTERACTIONS).values(row))
            if beside is not None:
                beside(connection)

    def add_shadow(self, answer: ShadowAnswer) -> None:
        """Store what a candidate would have answered to an interaction."""
        with self._engine.begin() as connection:
            connection.execute(sa.insert(SHADOWS).values({**answer.model_dump(), "time": _text(answer.time)}))

    def shadowed(self, release_id: str, start: datetime) -> list[dict[str, Any]]:
        """Interactions since `start` that a release answered in the shadow, in order of time; the shadow's columns
        begin with `shadow_`."""
        names = "path", "guards", "answer", "latency_seconds", "status"
        query = (
            sa.select(
                *(INTERACTIONS.c[name] for name in ("id", "time", "release_id", "question", *names)),
                *(SHADOWS.c[name].label(f"shadow_{name}") for name in names),
            )
            .join(SHADOWS, SHADOWS.c.interaction == INTERACTIONS.c.id)
            .where(SHADOWS.c.release_id == release_id, SHADOWS.c.time >= _text(start))
            .order_by(INTERACTIONS.c.time, INTERACTIONS.c.id)
        )
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def add_feedback(self, feedback: Feedback) -> bool:
        """Store feedback on an interaction; False when there is no such interaction."""
        row = {**feedback.model_dump(), "time": _text(feedback.time)}
        with self._engine.begin() as connection:
            known = sa.select(INTERACTIONS.c.id).where(INTERACTIONS.c.id == feedback.interaction)
            if connection.execute(known).first() is None:
                return False
            connection.execute(sa.insert(FEEDBACK).values(row))
        return True

    def interactions(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Interactions with start <= time < end in order of time, each with its latest rating, reason, correction.

        Several corrections of one interaction: the last one counts.
        """
        with self._engine.connect() as connection:
            query = (
                sa.select(INTERACTIONS)
                .where(INTERACTIONS.c.time >= _text(start), INTERACTIONS.c.time < _text(end))
                .order_by(INTERACTIONS.c.time, INTERACTIONS.c.id)
            )
            rows = [dict(row) for row in connection.execute(query).mappings()]
            joined = (
                sa.select(FEEDBACK)
                .join(INTERACTIONS, INTERACTIONS.c.id == FEEDBACK.c.interaction)
                .where(INTERACTIONS.c.time >= _text(start), INTERACTIONS.c.time < _text(end))
                .order_by(FEEDBACK.c.number)
            )
            said = {row["interaction"]: row for row in connection.execute(joined).mappings()}
        for row in rows:
            feedback = said.get(row["id"])
            row["rating"] = feedback["rating"] if feedback else 0
            row["reason"] = feedback["reason"] if feedback else ""
            row["correction"] = feedback["correction"] if feedback else ""
        return rows

    def odd_feedback(self, start: datetime, end: datetime) -> dict[str, int]:
        """How much feedback of start <= time < end is about no interaction that is there, or dated before its answer.

        What an erased interaction leaves is of the first kind; the second one is a clock that is wrong.
        """
        about = sa.select(FEEDBACK.c.time, INTERACTIONS.c.time.label("asked")).outerjoin(
            INTERACTIONS, INTERACTIONS.c.id == FEEDBACK.c.interaction
        )
        query = about.where(FEEDBACK.c.time >= _text(start), FEEDBACK.c.time < _text(end))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {
            "feedback_of_unknown_interactions": sum(asked is None for _, asked in rows),
            "feedback_dated_before_its_answer": sum(asked is not None and time < asked for time, asked in rows),
        }

    def beside(self, start: datetime, releases: Sequence[str]) -> list[dict[str, Any]]:
        """What happened since `start` in conversations with these releases, in order of time: no text of anybody.

        Conversations that had begun in the day before are left out. `said_at` is the time of the latest feedback, ""
        without one; `correction` whether it holds a corrected answer.
        """
        columns = INTERACTIONS.c
        before = sa.select(columns.conversation).where(
            columns.time >= _text(start - timedelta(days=1)), columns.time < _text(start)
        )
        window = sa.and_(columns.time >= _text(start), columns.release_id.in_(releases))
        names = "id", "time", "release_id", "conversation", "turn", "status", "path", "guards", "latency_seconds"
        query = sa.select(*(columns[name] for name in names)).where(window).order_by(columns.time, columns.id)
        said = (
            sa.select(FEEDBACK.c.interaction, FEEDBACK.c.time, FEEDBACK.c.rating, FEEDBACK.c.correction != "")
            .join(INTERACTIONS, columns.id == FEEDBACK.c.interaction)
            .where(window)
            .order_by(FEEDBACK.c.number)
        )
        with self._engine.connect() as connection:
            begun = {row[0] for row in connection.execute(before.distinct())}
            found = connection.execute(query).mappings()
            rows = [dict(row) for row in found if row["conversation"] not in begun]
            feedback = {row[0]: tuple(row[1:]) for row in connection.execute(said)}
        for row in rows:
            row["said_at"], row["rating"], row["correction"] = feedback.get(row["id"], ("", 0, False))
        return rows

    def days_with_feedback(self, after: int) -> tuple[dict[str, int], int]:
        """Days (UTC) of the interactions whose feedback is numbered above `after`, each with its last number; the last.

        `after` itself is the last where there is none.
        """
        query = (
            sa.select(sa.func.substr(INTERACTIONS.c.time, 1, 10), sa.func.max(FEEDBACK.c.number))
            .join(FEEDBACK, INTERACTIONS.c.id == FEEDBACK.c.interaction)
            .where(FEEDBACK.c.number > after)
            .group_by(sa.func.substr(INTERACTIONS.c.time, 1, 10))
        )
        with self._engine.connect() as connection:
            days = {row[0]: row[1] for row in connection.execute(query)}
        return days, max(days.values(), default=after)

    def find(self, name: str) -> list[Interaction]:
        """The interaction of an id, or all interactions of a subject's pseudonym, in order of time."""
        wanted = sa.or_(INTERACTIONS.c.id == name, INTERACTIONS.c.subject == name)
        query = sa.select(INTERACTIONS).where(wanted).order_by(INTERACTIONS.c.time, INTERACTIONS.c.id)
        with self._engine.connect() as connection:
            return [Interaction.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def tokens_of(self, caller: str, day: date) -> int:
        """Tokens that the engine read and wrote for a caller on a day (UTC)."""
        start = datetime.combine(day, time(), UTC)
        columns = INTERACTIONS.c
        query = sa.select(sa.func.sum(columns.input_tokens + columns.output_tokens)).where(
            columns.caller == caller,
            columns.time >= _text(start),
            columns.time < _text(start + timedelta(days=1)),
        )
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def counts_by_release(self) -> dict[str, int]:
        """How many interactions each release answered."""
        query = sa.select(INTERACTIONS.c.release_id, sa.func.count()).group_by(INTERACTIONS.c.release_id)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    # -- audit --------------------------------------------------------------------------------------------------

    def audit(self, action: str, detail: str, *, once: str = "", subject: str = "") -> dict[str, Any]:
        """Append an entry to the audit chain; the entry as it is stored, with number and hash.

        With `once`, what the detail begins with, an entry of this action that begins so already is given back instead:
        whoever is killed after it wrote may write again, and of several at a time one does. With `subject`, the
        pseudonym of a person, the detail can be read as long as that person's key is kept.
        """
        for attempt in range(AUDIT_TRIES):
            try:
                return self._audit(action, detail, once, subject)
            except sqlalchemy.exc.IntegrityError:
                # Another process appended the entry of this number meanwhile.
                if attempt + 1 == AUDIT_TRIES:
                    raise
        raise AssertionError("the last try returns or raises")

    def _audit(self, action: str, detail: str, once: str, subject: str) -> dict[str, Any]:
        with self._lock, self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(sa.text("LOCK TABLE audit IN EXCLUSIVE MODE"))
            last = connection.execute(sa.select(AUDIT).order_by(AUDIT.c.number.desc()).limit(1)).mappings().first()
            # Looked for after the last number is known: an entry that comes meanwhile takes the number from this one.
            if once and (found := self._found(connection, action, once)) is not None:
                return found
            sealed, key = self._key(connection, subject) if subject else ("", b"")
            entry = {
                "number": last["number"] + 1 if last else 1,
                "time": _text(datetime.now(UTC)),
                "action": action,
                "detail": _seal(key, sealed, detail) if sealed else detail,
                "previous": last["hash"] if last else GENESIS,
                "sealed": sealed,
            }
            entry["hash"] = _hash(entry)
            connection.execute(sa.insert(AUDIT).values(entry))
        return entry

    def last_audit(self, actions: Sequence[str], beginning: str) -> dict[str, Any] | None:
        """The newest entry of these actions whose detail begins so, or None."""
        query = (
            sa.select(AUDIT)
            .where(AUDIT.c.action.in_(actions), AUDIT.c.detail.startswith(beginning, autoescape=True))
            .order_by(AUDIT.c.number.desc())
        )
        with self._engine.connect() as connection:
            found = connection.execute(query.limit(1)).mappings().first()
        return dict(found) if found is not None else None

    @staticmethod
    def _found(connection: sa.Connection, action: str, beginning: str) -> dict[str, Any] | None:
        query = sa.select(AUDIT).where(AUDIT.c.action == action, AUDIT.c.detail.startswith(beginning, autoescape=True))
        found = connection.execute(query.limit(1)).mappings().first()
        return dict(found) if found is not None else None

    def audit_entries(self, *, sealed: bool = False) -> Sequence[dict[str, Any]]:
        """All entries, oldest first; `sealed`: as they are stored, which is what their hashes are of."""
        with self._engine.connect() as connection:
            entries = [dict(row) for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.number)).mappings()]
            if sealed or not any(entry["sealed"] for entry in entries):
                return entries
            keys = {row.id: base64.b64decode(row.key) for row in connection.execute(sa.select(AUDIT_KEYS))}
        return [{**entry, "detail": _opened(keys, entry)} for entry in entries]

    def audit_head(self) -> dict[str, Any] | None:
        """The last entry as it is stored, or None where there is none."""
        with self._engine.connect() as connection:
            query = sa.select(AUDIT).order_by(AUDIT.c.number.desc()).limit(1)
            found = connection.execute(query).mappings().first()
        return dict(found) if found is not None else None

    def erase(self, subjects: Iterable[str], by: str) -> dict[str, int]:
        """Delete what is stored of a person, by all of its pseudonyms, and the key of what the audit log says of it;
        how many rows of each kind. The act itself is audited, without the person.

        In one transaction: what is being answered meanwhile is written before or after it, so ask again later.
        """
        from llmops_assets.gateway.batching.store import FileStore

        names, files = tuple(subjects), FileStore(self._engine)
        theirs = sa.select(INTERACTIONS.c.id).where(INTERACTIONS.c.subject.in_(names))
        with self._engine.begin() as connection:
            gone = {
                "feedback": sa.delete(FEEDBACK).where(FEEDBACK.c.interaction.in_(theirs)),
                "shadows": sa.delete(SHADOWS).where(SHADOWS.c.subject.in_(names)),
                "interactions": sa.delete(INTERACTIONS).where(INTERACTIONS.c.subject.in_(names)),
                "audit_keys": sa.delete(AUDIT_KEYS).where(AUDIT_KEYS.c.subject.in_(names)),
            }
            counts = {name: connection.execute(statement).rowcount for name, statement in gone.items()}
            counts["file_lines"] = files.erase(names, connection)
        self.audit("person erased", json.dumps({**counts, "by": by}))
        return counts

    def _key(self, connection: sa.Connection, subject: str) -> tuple[str, bytes]:
        """The id and the key of a person, made where there is none."""
        found = connection.execute(sa.select(AUDIT_KEYS).where(AUDIT_KEYS.c.subject == subject)).first()
        if found is not None:
            return found.id, base64.b64decode(found.key)
        name, key = os.urandom(16).hex(), os.urandom(32)
        row = {"subject": subject, "id": name, "key": base64.b64encode(key).decode()}
        connection.execute(sa.insert(AUDIT_KEYS).values(row))
        return name, key

    def audit_entry(self, number: int) -> dict[str, Any] | None:
        """The entry of a number, or None."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(AUDIT).where(AUDIT.c.number == number)).mappings().first()
        return dict(found) if found is not None else None

    def broken_audit_entry(self) -> int | None:
        """Number of the first entry that does not follow from the one before it; None when the chain holds."""
        previous, number = GENESIS, 0
        for entry in self.audit_entries(sealed=True):
            if entry["number"] != number + 1 or entry["previous"] != previous or _hash(entry) != entry["hash"]:
                return entry["number"]
            previous, number = entry["hash"], entry["number"]
        return None


def _hash(entry: dict[str, Any]) -> str:
    """The hash of an entry: of all that is stored of it. Those that are not sealed hash as they did before any was."""
    kept = {name: value for name, value in entry.items() if name != "hash" and (name != "sealed" or value)}
    return hash_json(kept)


def _seal(key: bytes, name: str, detail: str) -> str:
    """A detail under a key (AES-256-GCM), bound to the id of the key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, detail.encode(), name.encode())).decode()


def _opened(keys: dict[str, bytes], entry: dict[str, Any]) -> str:
    if not entry["sealed"]:
        return entry["detail"]
    if (key := keys.get(entry["sealed"])) is None:
        return ERASED
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        data = base64.b64decode(entry["detail"])
        return AESGCM(key).decrypt(data[:12], data[12:], entry["sealed"].encode()).decode()
    except (InvalidTag, ValueError):
        # It was changed: the chain says so where it is looked through.
        return ERASED


def _text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone: give an aware time")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _set_up_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
