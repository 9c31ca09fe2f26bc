"""Which days there are: from the first day on, without losing the others silently."""

from datetime import UTC, date, datetime, timedelta

import pytest

from llmops_assets.partitions import SAMPLE_BEGINS, first_day, outside


def test_the_first_day_is_given_or_the_samples():
    assert first_day(None) == first_day("") == SAMPLE_BEGINS
    assert first_day("2025-01-31") == "2025-01-31"
    with pytest.raises(ValueError, match=r"LLMOPS_FIRST_DAY=31\.1\.2025: write a day as"):
        first_day("31.1.2025")


def test_days_that_are_no_partitions_are_told_with_what_to_do():
    today = datetime.now(UTC).date()
    assert outside([date(2026, 3, 2), today]) == ""
    told = outside([date(2026, 1, 2), date(2026, 1, 1), today + timedelta(days=2)])
    assert "2 days before 2026-03-02 are left out: set LLMOPS_FIRST_DAY=2026-01-01" in told
    assert f"1 days are in the future (up to {today + timedelta(days=2)})" in told
