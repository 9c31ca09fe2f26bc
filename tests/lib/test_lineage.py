import json
import re
import xml.etree.ElementTree as ET

import pytest

from llmops_assets.lib.lineage import Lineage, Node, NoSuchNameError, to_dot, to_html, to_json, to_text


@pytest.fixture
def lineage() -> Lineage:
    """Two days -> dataset -> two adapters, the second also from the first; each released."""
    made = Lineage()
    for number, (title, *names) in enumerate(
        [
            ("day 1", "lake://l/c1/day1"),
            ("day 2", "lake://l/c2/day2"),
            ("dataset", "training-dataset-aaaaaaaa1111"),
            ("adapter 1", "d1-000000000"),
            ("adapter 2", "d2-000000000"),
            ("release 1", "r-1111"),
            ('release "2" <b>', "r-2222"),
        ]
    ):
        made.add(Node(str(number), "materialization", title, {"time": f"t{number}"}), names)
    for source, result in [("0", "2"), ("1", "2"), ("2", "3"), ("2", "4"), ("3", "4"), ("3", "5"), ("4", "6")]:
        made.connect(source, result)
    made.connect("404", "0")
    return made


def test_sources_and_results_are_all_that_is_reached_with_their_distance(lineage):
    assert lineage.sources(["6"]) == {"4": 1, "2": 2, "3": 2, "0": 3, "1": 3}
    assert lineage.results(["1"]) == {"2": 1, "3": 2, "4": 2, "5": 3, "6": 3}
    assert lineage.results(["6"]) == {}


def test_a_name_or_its_unique_beginning_finds(lineage):
    assert [node.title for node in lineage.find("r-1111")] == ["release 1"]
    assert [node.title for node in lineage.find("training-dataset")] == ["dataset"]
    with pytest.raises(NoSuchNameError, match="2 names begin"):
        lineage.find("lake://l")
    with pytest.raises(NoSuchNameError, match="nothing is called"):
        lineage.find("r-1")


def test_text_shows_each_once_indented_by_distance(lineage):
    text = to_text(lineage, lineage.find("r-1111"))
    assert text.splitlines() == [
        "release 1 (materialization): time t5",
        "came from:",
        "  adapter 1 (materialization): time t3",
        "    dataset (materialization): time t2",
        "      day 1 (materialization): time t0",
        "      day 2 (materialization): time t1",
        "came of it: nothing",
    ]


def test_json_holds_nodes_and_edges_around_the_start_only(lineage):
    found = json.loads(json.dumps(to_json(lineage, lineage.find("r-1111"))))
    assert set(found["nodes"]) == {"5", "3", "2", "0", "1"}
    assert ["3", "5"] in found["edges"]
    assert len(found["edges"]) == 4


def test_drawings_hold_every_node_and_escape_what_is_written(lineage):
    start = lineage.find("r-2222")
    dot = to_dot(lineage, start)
    assert dot.count("->") == 6
    assert r"release \"2\" <b>" in dot
    page = to_html(lineage, start)
    svg = ET.fromstring(re.search(r"<svg.*</svg>", page, re.S)[0])
    boxes = [(float(rect.get("x")), float(rect.get("y"))) for rect in svg.iter("rect")]
    assert len(boxes) == len(set(boxes)) == 6
    assert "<b>" not in page
    column = {
        title.text.split(" (")[0]: float(g.find("rect").get("x")) for g in svg.iter("g") for title in g.iter("title")
    }
    assert column["day 1"] == column["day 2"] < column["dataset"] < column["adapter 1"] < column["adapter 2"]
