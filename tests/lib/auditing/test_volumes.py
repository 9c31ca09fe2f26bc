from llmops_assets.lib.auditing.volumes import unusual

EVEN = [100, 104, 96, 101, 99, 103, 97]


def test_usual_days_are_silent():
    assert all(unusual(count, EVEN) is None for count in (75, 100, 125))


def test_a_day_without_rows_and_a_day_with_twice_as_many_are_told():
    assert unusual(0, EVEN) == "0 rows are few: the median of 7 days before is 100, 30 off is usual"
    assert unusual(200, EVEN) is not None


def test_uneven_days_allow_more():
    uneven = [50, 100, 150, 60, 140, 100, 90]
    assert unusual(220, uneven) is None
    assert unusual(220, EVEN) is not None


def test_one_outlier_before_does_not_hide_the_next():
    assert unusual(1000, [*EVEN, 1000]) is not None


def test_too_few_days_say_nothing():
    assert unusual(0, EVEN[:4]) is None
