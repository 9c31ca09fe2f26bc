"""How the graph is cut in time: one partition per day (UTC) for what grows daily, one per week for what people read
weekly; everything else is one piece.

Concept: https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets.
"""

from collections.abc import Iterable
from datetime import date

import dagster as dg

FIRST_DAY_VARIABLE = "LLMOPS_FIRST_DAY"
SAMPLE_BEGINS = "2026-03-02"


def first_day(given: str | None) -> str:
    """The first day of the assistant's life, YYYY-MM-DD; the sample's where none is given. ValueError for no day."""
    if not given:
        return SAMPLE_BEGINS
    try:
        return str(date.fromisoformat(given))
    except ValueError:
        raise ValueError(f"{FIRST_DAY_VARIABLE}={given}: write a day as 2025-01-31") from None


FIRST_DAY = first_day(dg.EnvVar(FIRST_DAY_VARIABLE).get_value())
DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
"""Days up to and including today: monitoring a day that is still running is allowed, its re-run replaces it."""
WEEKLY = dg.WeeklyPartitionsDefinition(start_date=FIRST_DAY, day_offset=1, end_offset=1)
"""Weeks from Monday to Sunday, the running one included, each named by its Monday."""


def outside(days: Iterable[date]) -> str:
    """What to say of days that are no partitions: how many there are and what to do; "" when there are none."""
    first = date.fromisoformat(FIRST_DAY)
    known = set(DAILY.get_partition_keys())
    early = sorted(day for day in days if day < first)
    late = sorted(day for day in days if day >= first and str(day) not in known)
    told = []
    if early:
        told.append(
            f"{len(early)} days before {first} are left out: set {FIRST_DAY_VARIABLE}={early[0]} to take them in"
        )
    if late:
        told.append(f"{len(late)} days are in the future (up to {late[-1]}): they are left out until they come")
    return "; ".join(told)
