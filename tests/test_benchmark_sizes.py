"""What the benchmark of the data stage does with archives that are too small for a part of it."""

import pytest

from benchmarks.data import ROWS_PER_DAY, paired


@pytest.mark.parametrize(
    ("sizes", "pair"),
    [
        ([ROWS_PER_DAY], 0),
        ([100, ROWS_PER_DAY, 2 * ROWS_PER_DAY - 1], 0),
        ([2 * ROWS_PER_DAY], 2 * ROWS_PER_DAY),
        ([10 * ROWS_PER_DAY, ROWS_PER_DAY], 10 * ROWS_PER_DAY),
        ([100 * ROWS_PER_DAY, 10 * ROWS_PER_DAY, ROWS_PER_DAY], 10 * ROWS_PER_DAY),
    ],
)
def test_two_processes_are_measured_only_where_each_has_a_day(sizes, pair):
    assert paired(sizes) == pair
