"""What a day's feedback teaches is on main, what waits is on a branch of its own until a person releases it."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from documented_changes import DAY
from feedback_support import JUDGED, PUBLISHED, RECALL, interaction, nobody, sifted

from llmops_assets.data.feedback_examples import HELD, NAME, QUARANTINE
from llmops_assets.data.preference_dataset import pairs_of
from llmops_assets.lib import tables
from llmops_assets.lib.corpus.corrections import Correction, revise
from llmops_assets.lib.feedback.decisions import Decision, keep_decisions
from resources.workspace import Workspace

ROWS = [*(interaction(n) for n in range(3)), interaction(9, **PUBLISHED)]
"""Three who say the same about what nobody published, and one against what is published."""
NOW = datetime(2026, 3, 12, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "home")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def on(lake, branch: str, path: str) -> list[dict]:
    return tables.from_parquet(lake.get(branch, path))


@pytest.mark.slow
def test_what_may_be_poison_is_on_its_own_branch_and_nowhere_on_main(instance, lake, workspace):
    record, metadata = sifted(instance, lake, workspace, ROWS)
    rows = on(lake, "main", f"data/{NAME}/{DAY}.parquet")
    assert [(row["row_id"], row["author"], row["release"]) for row in rows] == [
        (f"i{n}", f"a{n}", "r-1") for n in range(3)
    ]
    [held] = on(lake, QUARANTINE, f"{HELD}{DAY}.parquet")
    assert (held["row_id"], held["answer"]) == ("i9", PUBLISHED["correction"])
    assert held["reasons"] == ["it contradicts a published answer, and fewer than 3 people say so"]
    assert not list(lake.list("main", HELD))
    assert len(pairs_of(rows)) == 3
    assert record.counts == {
        "corrections": 3,
        "held_back": 1,
        "released": 0,
        "kept_for_the_eval_suite": 0,
        "of_releases_that_serve_no_more": 4,
    }
    assert str(record.ref.commit) in {commit.id for commit in lake.log("main")}
    assert PUBLISHED["correction"] not in str(metadata), "a customer's words belong into the lake"


@pytest.mark.slow
def test_what_a_person_releases_teaches_for_itself_and_waits_no_more(instance, lake, workspace):
    sifted(instance, lake, workspace, ROWS)
    keep_decisions(workspace.feedback_folder, [Decision(row_id="i9", decision="release")], NOW)
    record, _ = sifted(instance, lake, workspace, ROWS)
    rows = on(lake, "main", f"data/{NAME}/{DAY}.parquet")
    assert [row["author"] for row in rows] == ["a0", "a1", "a2", "released:i9"]
    assert on(lake, QUARANTINE, f"{HELD}{DAY}.parquet") == []
    assert record.counts["released"] == 1
    keep_decisions(workspace.feedback_folder, [Decision(row_id="i9", decision="reject")], NOW.replace(hour=9))
    record, _ = sifted(instance, lake, workspace, ROWS)
    assert (record.counts["released"], record.counts["held_back"]) == (0, 1)


@pytest.mark.slow
def test_an_empty_day_one_row_twins_and_other_days_have_an_outcome(instance, lake, workspace):
    record, _ = sifted(instance, lake, workspace, [])
    assert (record.rows, record.counts["held_back"]) == (0, 0)
    assert QUARANTINE not in lake.branches(), "nothing was held back"
    record, _ = sifted(instance, lake, workspace, [interaction(1)])
    assert record.rows == 1
    skewed = interaction(2, time="2026-03-14T10:00:00+00:00")
    record, metadata = sifted(instance, lake, workspace, [interaction(1), interaction(1), skewed])
    assert record.rows == 1
    left_out = {row.data["reason"]: row.data["interactions"] for row in metadata["left_out_by_reason"].records}
    assert left_out == {"duplicate row": 1, "other day": 1}


def test_what_judges_is_counted_and_not_taught_also_when_a_person_released_it(instance, lake, workspace):
    said = [interaction(0), interaction(1, question=JUDGED), interaction(9, **{**PUBLISHED, "question": JUDGED})]
    keep_decisions(workspace.feedback_folder, [Decision(row_id="i9", decision="release")], NOW)
    record, _ = sifted(instance, lake, workspace, said)
    assert [row["row_id"] for row in on(lake, "main", f"data/{NAME}/{DAY}.parquet")] == ["i0"]
    assert record.counts["kept_for_the_eval_suite"] == 1


@pytest.mark.slow
def test_many_of_nobody_in_particular_are_one_voice(instance, lake, workspace, words):
    unnamed = nobody(workspace)
    sifted(instance, lake, workspace, [interaction(n, subject=unnamed, **PUBLISHED) for n in range(4)])
    assert len(on(lake, QUARANTINE, f"{HELD}{DAY}.parquet")) == 4


@pytest.mark.parametrize(("authors", "added"), [(("a", "a", "a"), 0), (("a", "b", "c"), 1), (("", "", ""), 1)])
def test_knowledge_takes_three_people_and_not_three_corrections_of_one(words, authors, added):
    corrections = [Correction(f"is the halo recalled {n}", RECALL, "", author) for n, author in enumerate(authors)]
    found = words.vectors([text for c in corrections for text in (c.question, c.answer)])
    assert len(revise((), corrections, found).added) == added
