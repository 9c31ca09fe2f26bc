import base64
import re

import pytest

from llmops_assets.lib import charts
from llmops_assets.lib.records import GatePolicy
from llmops_assets.lib.sizing import size, sizes
from llmops_assets.lib.statistics import paired_power, tolerated_power

POLICY = GatePolicy(groups={"small": ("a", "b"), "absent": ("z",)}, margins={"overall": 0.2}, undecided={"c": "accept"})


def test_slices_groups_and_the_whole_have_each_their_size():
    found = {one.unit: one for one in sizes({"a": 15, "b": 25, "c": 10}, POLICY)}
    assert {name: one.questions for name, one in found.items()} == {
        "a": 15,
        "b": 25,
        "c": 10,
        "small": 40,
        "overall": 50,
    }
    assert (found["overall"].margin, found["small"].margin) == (0.2, 0.1)
    assert found["overall"].power > found["small"].power > found["a"].power
    assert found["small"].needed == found["a"].needed != found["overall"].needed


def test_the_smallest_loss_that_is_stopped_is_one_that_passes_with_the_chance_left():
    decides, accepted = size("b", 40, GatePolicy()), size("b", 40, GatePolicy(undecided={"b": "accept"}))
    assert decides.seen is not None
    assert accepted.seen is not None
    assert decides.seen < accepted.seen
    assert (
        paired_power(40, 0.1, 0.05, 0.1, -decides.seen) <= 0.1 < paired_power(40, 0.1, 0.05, 0.1, 0.01 - decides.seen)
    )
    assert tolerated_power(40, 0.1, 0.1, -accepted.seen) <= 0.1 < tolerated_power(40, 0.1, 0.1, 0.01 - accepted.seen)


def test_one_question_shows_nothing_and_a_group_without_questions_is_none():
    assert size("a", 1, GatePolicy()).power == 0.0
    assert "absent" not in {one.unit for one in sizes({"a": 5}, POLICY)}


@pytest.mark.parametrize("said", ["worse", "undecided, asks", "of another kind"])
def test_a_picture_of_intervals_names_each_and_keeps_them_inside(said):
    rows = [
        charts.Interval("a <b> (12)", -0.9, -0.3, 0.2, 0.1, said),
        charts.Interval("overall", 1.0, 1.0, 1.0, 0.1, "better"),
    ]
    picture = charts.intervals("differences", rows)
    drawing = base64.b64decode(
        re.fullmatch(r"!\[differences\]\(data:image/svg\+xml;base64,(.*)\)", picture)[1]
    ).decode()
    assert "a &lt;b&gt; (12)" in drawing
    assert said in drawing
    width = int(re.search(r'width="(\d+)"', drawing)[1])
    places = [float(x) for x in re.findall(r'(?:x1|x2|cx)="([-\d.]+)"', drawing)]
    assert all(0 <= place <= width for place in places)
