"""API keys: what of them is stored is a hash, who they are for, what they may do and until when.

A key is `llmops_<id>_<secret>`. The id finds it, the secret (256 random bits) proves it; its SHA-256 alone is kept: a
slow hash protects words that people choose, and this is none.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from llmops_assets.gateway.identity.quotas import UNLIMITED, Allowance
from llmops_assets.gateway.identity.roles import ROLES, Role
from llmops_assets.lib.errors import LlmopsError

METADATA = sa.MetaData()
KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("role", sa.String(40), nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("expires", sa.String(40)),
    sa.Column("revoked", sa.String(40)),
    sa.Column("requests_per_minute", sa.Integer),
    sa.Column("tokens_per_minute", sa.Integer),
    sa.Column("tokens_per_day", sa.Integer),
)
MOST_DAYS = 3650
_TOKEN = re.compile(r"llmops_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


def is_token(text: str) -> bool:
    """Whether a text has the form of a key's token."""
    return _TOKEN.fullmatch(text) is not None


class ApiKeyError(LlmopsError):
    """There is no such key, or none can be made as asked."""


@dataclass(frozen=True)
class Key:
    """An API key without its secret. Times are UTC."""

    id: str
    owner: str
    role: Role
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    allowance: Allowance = UNLIMITED

    def valid(self, moment: datetime) -> bool:
        """Whether it opens anything at a moment."""
        return (self.revoked is None or moment < self.revoked) and (self.expires is None or moment < self.expires)


class KeyStore:
    """The keys of an installation behind a SQLAlchemy URL, that of the interaction log. Safe for several threads."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
        METADATA.create_all(self._engine)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def create(
        self, owner: str, role: str = "caller", *, days: int | None = None, allowance: Allowance = UNLIMITED
    ) -> tuple[Key, str]:
        """A new key and its token, which is shown this once; it ends after `days` (None: never)."""
        if role not in ROLES:
            raise ApiKeyError(f"there is no role {role!r}, only {', '.join(ROLES)}")
        if not owner.strip() or len(owner) > 200:
            raise ApiKeyError("a key needs an owner of at most 200 characters: the application or team that uses it")
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise ApiKeyError(f"a key lasts 1 to {MOST_DAYS} days, or has no end")
        if any(limit is not None and limit < 1 for limit in vars(allowance).values()):
            raise ApiKeyError("a limit below one would never let anything through: leave it out, or revoke the key")
        moment = datetime.now(UTC)
        secret = secrets.token_urlsafe(32)
        row = {
            "id": secrets.token_hex(6),
            "hash": _hash(secret),
            "owner": owner.strip(),
            "role": role,
            "created": moment.isoformat(),
            "expires": None if days is None else (moment + timedelta(days=days)).isoformat(),
            "revoked": None,
            **vars(allowance),
        }
        with self._engine.begin() as connection:
            connection.execute(sa.insert(KEYS).values(row))
        return _key(row), f"llmops_{row['id']}_{secret}"

    def keys(self) -> list[Key]:
        """All keys, revoked and expired ones too, the oldest first."""
        with self._engine.connect() as connection:
            return [_key(row) for row in connection.execute(sa.select(KEYS).order_by(KEYS.c.created)).mappings()]

    def revoke(self, name: str, *, after_hours: float = 0.0) -> Key:
        """End a key, now or after a while in which its successor is put in place. ApiKeyError where there is none."""
        moment = datetime.now(UTC) + timedelta(hours=after_hours)
        with self._engine.begin() as connection:
            if (row := connection.execute(sa.select(KEYS).where(KEYS.c.id == name)).mappings().first()) is None:
                raise ApiKeyError(f"there is no key {name!r}: `llmops keys list` shows them")
            # A key that ended, or ends sooner, is not given more time.
            ended = min(moment, _time(row["revoked"]) or moment)
            connection.execute(sa.update(KEYS).where(KEYS.c.id == name).values(revoked=ended.isoformat()))
            return _key({**row, "revoked": ended.isoformat()})

    def rotate(self, name: str, *, hours: float = 24.0) -> tuple[Key, str]:
        """A new key for the same owner, role and time of life; the old one ends after `hours`."""
        if not 0 <= hours <= MOST_DAYS * 24:
            raise ApiKeyError(f"the old key ends after 0 to {MOST_DAYS * 24} hours")
        found = next((key for key in self.keys() if key.id == name), None)
        if found is None:
            raise ApiKeyError(f"there is no key {name!r}: `llmops keys list` shows them")
        if not found.valid(datetime.now(UTC)):
            raise ApiKeyError(f"{name} opens nothing any more: create a new key instead")
        days = None if found.expires is None else max(1, (found.expires - found.created).days)
        made = self.create(found.owner, found.role, days=days, allowance=found.allowance)
        self.revoke(name, after_hours=hours)
        return made

    def find(self, token: str) -> Key | None:
        """The key of a token, whether or not it still opens anything; None for a token that is none."""
        if (parts := _TOKEN.fullmatch(token)) is None:
            return None
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(KEYS).where(KEYS.c.id == parts[1])).mappings().first()
        if row is None or not hmac.compare_digest(row["hash"], _hash(parts[2])):
            return None
        return _key(row)

    def get(self, name: str) -> Key | None:
        """The key of an id, whether or not it still opens anything; None where there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(KEYS).where(KEYS.c.id == name)).mappings().first()
        return None if row is None else _key(row)

    def any(self) -> bool:
        """Whether a key was ever made: from then on nobody is let in without one."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(KEYS.c.id).limit(1)).first() is not None


def listed(keys: Sequence[Key], moment: datetime) -> list[tuple[str, str, str, str, str, str]]:
    """(id, owner, role, made on, state, limits) of keys, for people."""
    return [(k.id, k.owner, k.role, f"{k.created:%Y-%m-%d}", _state(k, moment), _limits(k.allowance)) for k in keys]


def _limits(allowance: Allowance) -> str:
    given = {name.replace("_per_", "/"): limit for name, limit in vars(allowance).items() if limit is not None}
    return ", ".join(f"{limit} {name}" for name, limit in given.items()) or "none"


def _state(key: Key, moment: datetime) -> str:
    if key.revoked is not None:
        return f"{'revoked' if key.revoked <= moment else 'ends'} {key.revoked:%Y-%m-%d %H:%M}"
    if key.expires is not None:
        return f"{'expired' if key.expires <= moment else 'until'} {key.expires:%Y-%m-%d}"
    return "valid"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _key(row: sa.RowMapping | dict) -> Key:
    created = datetime.fromisoformat(row["created"])
    limits = Allowance(row["requests_per_minute"], row["tokens_per_minute"], row["tokens_per_day"])
    return Key(row["id"], row["owner"], row["role"], created, _time(row["expires"]), _time(row["revoked"]), limits)
