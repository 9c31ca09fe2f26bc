"""Sections of an explanation, and how they are shown."""

import json

import numpy as np
import pytest

from llmops_assets.lib.explaining import Section, guards_that_fired, nearest, to_html, to_json, to_text

SECTIONS = [Section("a <b>", ("one & two",), ("name", "value"), (("x", 1), ("", "<script>")))]


def test_text_page_and_json_show_all_of_it_and_the_page_escapes():
    assert to_text("t", SECTIONS) == "t\n\na <b>\n  one & two\n  - name x, value 1\n  - value <script>"
    page = to_html("t", SECTIONS)
    assert "<script>" not in page
    assert "a &lt;b&gt;" in page
    assert "one &amp; two" in page
    assert json.loads(json.dumps(to_json("t", SECTIONS)))["sections"][0]["rows"] == [["x", 1], ["", "<script>"]]


@pytest.mark.parametrize(
    ("found", "fired"),
    [
        ("", ()),
        ("injection:question:note", (("injection", "question", "note"),)),
        ("a:b:c,d", (("a", "b", "c"), ("d", "", ""))),
    ],
)
def test_guards_are_read_out_of_the_log_s_column(found, fired):
    assert guards_that_fired(found) == fired


def test_the_nearest_rows_come_first_once_each_and_ties_by_their_id():
    vectors = {"q": np.array([1.0, 0.0]), "near": np.array([0.8, 0.6]), "far": np.array([0.0, 1.0])}
    rows = [{"row_id": i, "question": q} for i, q in (("c", "far"), ("b", "near"), ("a", "near"), ("b", "near"))]
    found = nearest("q", rows, vectors, 3)
    assert [(round(s, 1), r["row_id"]) for s, r in found] == [(0.8, "a"), (0.8, "b"), (0.0, "c")]
    assert len(nearest("q", rows, vectors, 1)) == 1
