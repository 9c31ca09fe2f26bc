"""HTML that is left in a text: found, and turned into text."""

import pytest

from llmops_assets.lib.markup import is_html, tags, untagged


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<p>Free</p>", ["<p>", "</p>"]),
        ('see <a href="https://ski.example">here</a>', ['<a href="https://ski.example">', "</a>"]),
        ("a<br/>b<!-- x -->", ["<br/>", "<!-- x -->"]),
        ("<SPAN style='x:y'>", ["<SPAN style='x:y'>"]),
        ("5 < 6 and <PERSON_1>, <help@ski.example>, <3 days, <order number>", []),
        ("i < b and c > d", []),
    ],
)
def test_tags_are_found_and_nothing_else(text, found):
    assert tags(text) == found


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("<ul><li>Open it</li><li>Press Save</li></ul>", "- Open it\n- Press Save"),
        ('See <a href="https://ski.example/r">our page</a>.', "See our page (https://ski.example/r)."),
        ('<a href="javascript:x()">here</a>', "here"),
        ("<style>p{}</style><b>5&nbsp;%</b> off &amp; free", "5 % off & free"),
        ("<p>Dear <PERSON_1>, it takes <3 days</p>", "Dear <PERSON_1>, it takes <3 days"),
        ("as it is: 5 < 6", "as it is: 5 < 6"),
        ("R&amp;D", "R&D"),
    ],
)
def test_markup_becomes_text_and_text_stays(text, clean):
    assert untagged(text) == clean


def test_plain_text_has_no_tags_left():
    text = "<table><tr><td>a</td></tr></table><img src='x.png'><script>alert(1)</script>"
    assert tags(untagged(text)) == []
    assert "alert" not in untagged(text)


def test_an_element_that_begins_and_ends_is_html_and_an_end_alone_is_none():
    assert is_html("it is <b>blue</b>")
    assert not is_html("press </b> to end it")
    assert not is_html("</i> ends what <b> began")
