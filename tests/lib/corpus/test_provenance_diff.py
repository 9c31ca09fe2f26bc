import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_assets.lib.corpus.provenance_diff import RowChange, compare


def row(provenance, question="how?", answer="so", kind="closed_book", method="", **more):
    return {"provenance": provenance, "method": method, "question": question, "answer": answer, "kind": kind, **more}


def test_came_went_and_changed_are_told_apart_with_both_sides_of_what_changed():
    before = [row("chat/d1/a"), row("chat/d1/b"), row("chat/d1/c")]
    after = [row("chat/d1/a", answer="not so"), row("chat/d1/c"), row("chat/d2/d", question="why?")]
    diff = compare(before, after)
    assert diff.counts == {"came": 1, "went": 1, "changed": 1}
    assert diff.rows == (
        RowChange("changed", "chat/d1/a", ("answer",), "so", "not so"),
        RowChange("came", "chat/d2/d", ("question", "answer", "kind"), "", "why? → so"),
        RowChange("went", "chat/d1/b", ("question", "answer", "kind"), "how? → so", ""),
    )


def test_a_variant_is_not_its_origin():
    before, after = [row("chat/d1/a")], [row("chat/d1/a"), row("chat/d1/a", method="typos", question="hwo?")]
    diff = compare(before, after)
    assert diff.counts == {"came": 1, "went": 0, "changed": 0}
    assert diff.rows[0].provenance == "chat/d1/a (typos)"


def test_other_passages_alone_are_no_change_and_another_kind_is():
    before = [row("chat/d1/a", passages=["x"]), row("chat/d1/b")]
    after = [row("chat/d1/a", passages=["y"]), row("chat/d1/b", kind="open_book")]
    assert [(c.provenance, c.before, c.after) for c in compare(before, after).rows] == [
        ("chat/d1/b", "closed_book", "open_book")
    ]


def test_the_table_is_cut_and_the_counts_are_not():
    diff = compare([], [row(f"chat/d1/{n:02d}") for n in range(30)], limit=4)
    assert diff.counts["came"] == 30
    assert [c.provenance for c in diff.rows] == [f"chat/d1/{n:02d}" for n in range(4)]


ROWS = st.lists(
    st.builds(row, st.sampled_from("abcd"), question=st.sampled_from("xyz"), method=st.sampled_from(["", "t"]))
)


@pytest.mark.slow
@given(ROWS, ROWS)
def test_order_does_not_matter_and_the_way_back_swaps_came_and_went(before, after):
    there, back = compare(before, after, limit=1000), compare(after, before, limit=1000)
    assert (there.counts["came"], there.counts["went"]) == (back.counts["went"], back.counts["came"])
    assert there.counts["changed"] == back.counts["changed"]
    assert compare(before, before).rows == ()
    assert len(before) - there.counts["went"] + there.counts["came"] == len(after)
