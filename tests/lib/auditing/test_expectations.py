import pytest

from llmops_assets.lib.auditing import expectations
from llmops_assets.lib.auditing.expectations import SuiteError, load_suite, validate

pytestmark = pytest.mark.slow


def row(number: int, **more) -> dict:
    return {
        "row_id": f"r{number}",
        "kind": "closed_book",
        "question": f"How do I reset lamp {number}?",
        "answer": "Hold the button.",
        "provenance": f"chat/2026-03-02/{number}",
        "passages": [],
        **more,
    }


ROWS = [row(number) for number in range(30)]


def test_sound_rows_hold_every_rule_of_the_suite():
    found = validate("training_dataset", [ROWS])
    assert len(found.outcomes) == len(load_suite("training_dataset"))
    assert found.failed == ()


def test_the_same_rows_give_the_same_page():
    assert validate("training_dataset", [ROWS]).page == validate("training_dataset", [ROWS]).page


def test_a_broken_rule_names_its_rows_and_the_page_shows_no_value():
    rows = [*ROWS, row(30, question="write to anna.smith@mail.example"), row(31, answer="�"), row(31)]
    found = validate("training_dataset", [rows])
    assert {(o.name, o.unexpected, o.rows) for o in found.failed} == {
        ("expect_column_values_to_be_unique(row_id)", 2, ("r31", "r31")),
        ("expect_column_values_to_not_match_regex(question)", 1, ("r30",)),
        ("expect_column_values_to_not_match_regex(answer)", 1, ("r31",)),
    }
    assert "anna.smith" not in found.page
    assert "r30" in found.page
    assert "Failed" in found.page
    assert "http" not in found.page.replace("http://www.w3.org", "")


def test_counts_add_up_over_pieces_and_the_page_is_of_the_piece_that_failed():
    rule = {"type": "expect_column_values_to_be_in_set", "column": "kind", "value_set": ["closed_book"]}
    sound = {
        "row_id": "a",
        "day": "2026-03-02",
        "subject": "",
        "rating": 0,
        "question": "q",
        "answer": "a",
        "kind": "closed_book",
    }
    pieces = [[sound], [sound | {"row_id": "b", "kind": "other"}], [sound | {"row_id": "c", "kind": "other"}]]
    found = validate("redacted_conversations", pieces, [rule])
    assert [(o.unexpected, o.rows) for o in found.failed] == [(2, ("b", "c"))]
    assert "b, c" in found.page


def test_a_rule_of_the_use_case_that_nobody_knows_is_said():
    with pytest.raises(SuiteError, match="expect_the_moon: Great Expectations has no such expectation"):
        validate("training_dataset", [ROWS], [{"type": "expect_the_moon"}])
    with pytest.raises(SuiteError, match="expect_column_values_to_be_unique"):
        validate("training_dataset", [ROWS], [{"type": "expect_column_values_to_be_unique"}])


def test_every_suite_is_readable():
    names = [file.stem for file in expectations.SUITES.glob("*.yaml")]
    assert sorted(names) == ["redacted_conversations", "training_dataset"]
    assert all({"type"} <= rule.keys() for name in names for rule in load_suite(name))
