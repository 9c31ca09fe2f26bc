"""How the graph is cut in time: one partition per day (UTC) for what grows daily; everything else is one piece.

Concept: https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets.
"""

import dagster as dg

FIRST_DAY = "2026-03-02"
"""First day of the assistant's life; the sample's calendar begins here. Set it to your own first day."""

DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
"""Days up to and including today: monitoring a day that is still running is allowed, its re-run replaces it."""
