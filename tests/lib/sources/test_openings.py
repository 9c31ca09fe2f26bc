"""The short look at a text's first letters may let too much through, and must keep no phrase from being found."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.sources import mail, phrases
from llmops_assets.lib.sources.openings import SIZE, Opening, beginnings

TABLES = {name: found for name, found in vars(phrases).items() if isinstance(found, Opening)}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TABLES))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_a_table_matches_passes_the_short_look(name, data):
    text = data.draw(st.from_regex(re.compile(rf"\A(?:{TABLES[name].pattern.pattern})", re.IGNORECASE)))
    assert TABLES[name].match(text) is not None
    assert not mail.is_bare(text) or not mail.cut(text).cut


@pytest.mark.parametrize(
    ("pattern", "begins"),
    [
        ("(?:ab|cd)?e", {"abe", "cde", "e"}),
        ("[xy]{0,3}z", {"x", "y", "z"}),
        (r"a\.b(?=c)d", {"a.bd"}),
        (r"is \d", {"is "}),
        ("x+y", {"x"}),
        ("in(?:ner|side)? here", {"inner here", "inside here", "in here"}),
        (".{0,9}end", {"", "end"}),
        ("a longer sentence than needed", {"a longer sentence than needed"[:SIZE]}),
    ],
)
def test_beginnings_are_read_off_a_pattern(pattern, begins):
    assert beginnings(pattern) == begins


def test_a_pattern_that_is_not_closed_properly_is_said():
    with pytest.raises(ValueError, match="parenthesis"):
        beginnings("a)b")


@pytest.mark.parametrize("text", ["\u017fent from my phone", "\u2003 SENT from my Phone", "\nSent From My phone"])
def test_neither_case_nor_spaces_are_a_way_around_it(text):
    assert phrases.FOOTER.match(text) is not None


PLAIN = ["Where is my parcel?", "The red one, please", "Your lamp: does it dim?", "Hi, can I pay later?", "Danke dir"]
MARKED = [
    "Hello,\nthis is an automated message",
    "Hi Ann, this is an automated message from us.",
    "Thanks for your message. This is an automated response.",
    "Dear all, thank you for contacting us today. Out of office: back on Monday.",
    "On 3 May 2026 at 10:15 Ann Lee <ann@mail.example> wrote:",
    "- please type your reply above this line -",
    "répondre au-dessus de cette ligne",
    "boven deze LIJN",
    "<p>Hello</p>",
    "Sent from my phone",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_text_costs_no_search_for_phrases(text):
    assert mail.is_bare(text)


@pytest.mark.parametrize("text", MARKED)
def test_a_text_with_a_mark_is_looked_into(text):
    assert not mail.is_bare(text)


@given(st.lists(st.sampled_from([*PLAIN, *MARKED, "Hi,", " ", ":", "@", ">", "Thanks for your mail.", "--"])))
@settings(deadline=None)
def test_nothing_is_cut_of_a_text_that_the_short_look_calls_plain(parts):
    text = " ".join(parts).strip()
    if mail.is_bare(text):
        assert mail.cut(text) == mail.cut(text, customer=True) == mail.written(text) == mail.Written(text)
