"""What was spent of every budget of a day, and what is set aside: two tables beside the interaction log.

Money is whole billionths of the currency, so that sums are exact. A reservation is one transaction whose first
statement writes: whatever runs at a time, in one process or in several on one database, is in some order.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa

METADATA = sa.MetaData()
BUDGETS = sa.Table(
    "budgets",
    METADATA,
    sa.Column("account", sa.String(220), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("spent", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),
)
HOLDS = sa.Table(
    "budget_holds",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(220), primary_key=True),
    sa.Column("day", sa.String(10), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)
HOLD_SECONDS = 600.0
"""How long money is set aside at most: what a process that was killed held is free again then."""
_ENSURE = sa.text(
    "INSERT INTO budgets (account, day, spent, held) VALUES (:account, :day, 0, 0) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True)
class Account:
    """Something that has a budget, with its limit of a day in billionths."""

    name: str
    limit: int


@dataclass(frozen=True)
class Hold:
    """Money that is set aside in several accounts for one answer."""

    id: str
    accounts: tuple[str, ...]
    day: str
    amount: int


class Ledger:
    """Accounts behind a SQLAlchemy URL. Safe for several threads and processes."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.time,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        options = {"timeout": 60} if url.startswith("sqlite") else {}
        self._engine = sa.create_engine(url, connect_args=options, pool_pre_ping=True, hide_parameters=True)
        self._clock = clock
        self._today = today
        METADATA.create_all(self._engine)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def reserve(self, accounts: Sequence[Account], amount: int) -> Hold | Account:
        """Set an amount aside in all accounts, or in none: then the account that has not as much left today.

        Of an untouched account more than its limit may be set aside: such an answer runs alone, and is given.
        """
        day = str(self._today())
        held = Hold(uuid.uuid4().hex, tuple(sorted({one.name for one in accounts})), day, amount)
        limits = {one.name: one for one in accounts}
        with self._engine.connect() as connection, connection.begin() as transaction:
            # In one order, so that two of them never wait for each other.
            for name in held.accounts:
                connection.execute(_ENSURE, {"account": name, "day": day})
            self._free_forgotten(connection)
            for name in held.accounts:
                taken = BUDGETS.c.spent + BUDGETS.c.held
                fits = sa.or_(taken + amount <= limits[name].limit, taken == 0)
                found = connection.execute(self._of(name, day).where(fits).values(held=BUDGETS.c.held + amount))
                if found.rowcount != 1:
                    transaction.rollback()
                    return limits[name]
                row = {"id": held.id, "account": name, "day": day, "amount": amount}
                connection.execute(sa.insert(HOLDS).values(**row, until=self._clock() + HOLD_SECONDS))
        return held

    def settle(self, hold: Hold, taken: int) -> None:
        """Spend what an answer has taken and give back the rest; it is of the day on which it began."""
        with self._engine.begin() as connection:
            for name in hold.accounts:
                connection.execute(_ENSURE, {"account": name, "day": hold.day})
                mine = sa.and_(HOLDS.c.id == hold.id, HOLDS.c.account == name)
                # What was held too long is given back already.
                back = hold.amount * connection.execute(sa.delete(HOLDS).where(mine)).rowcount
                values = {"held": BUDGETS.c.held - back, "spent": BUDGETS.c.spent + taken}
                connection.execute(self._of(name, hold.day).values(**values))

    def spent(self, account: str) -> tuple[int, int]:
        """What was spent of an account today, and what is set aside."""
        query = sa.select(BUDGETS.c.spent, BUDGETS.c.held)
        with self._engine.connect() as connection:
            day = str(self._today())
            row = connection.execute(query.where(BUDGETS.c.account == account, BUDGETS.c.day == day)).first()
        return (0, 0) if row is None else (row.spent, row.held)

    def _free_forgotten(self, connection: sa.Connection) -> None:
        late = sa.delete(HOLDS).where(HOLDS.c.until < self._clock())
        for row in connection.execute(late.returning(HOLDS.c.account, HOLDS.c.day, HOLDS.c.amount)).all():
            connection.execute(self._of(row.account, row.day).values(held=BUDGETS.c.held - row.amount))

    @staticmethod
    def _of(account: str, day: str) -> sa.Update:
        return sa.update(BUDGETS).where(BUDGETS.c.account == account, BUDGETS.c.day == day)
