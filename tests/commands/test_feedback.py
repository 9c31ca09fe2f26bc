"""Held-back feedback on the command line: out, checked, in, and known the second time."""

import csv

import dagster as dg
import pytest
from commands_support import llmops
from documented_changes import DAY
from feedback_support import PUBLISHED, interaction, sifted

from resources.lake.embedded import EmbeddedLake
from resources.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture
def waiting(home):
    """An installation in which one piece of feedback waits."""
    with dg.DagsterInstance.get() as instance:
        rows = [*(interaction(n) for n in range(3)), interaction(9, **PUBLISHED)]
        sifted(instance, EmbeddedLake(home / "lake"), Workspace(home), rows)
    return home


def test_feedback_goes_out_is_checked_taken_in_and_known_the_second_time(waiting, tmp_path):
    file = tmp_path / "held.csv"
    shown = llmops("feedback", "export", file)
    assert shown.exit_code == 0, shown.output
    assert f"1 row to decide in {file}" in shown.stdout
    [row] = csv.DictReader(file.read_text().splitlines())
    assert (row["row_id"], row["day"], row["serves"]) == ("i9", DAY, "no")
    assert "fewer than 3 people say so" in row["reasons"]
    file.write_text("row_id,decision,annotator\ni9,release,kim\n")
    assert f"1 to release, of {DAY}" in llmops("feedback", "check", file).stdout
    assert not Workspace(waiting).feedback_folder.exists(), "check keeps nothing"
    taken = llmops("feedback", "import", file)
    assert "kept as" in taken.stdout
    assert f"materialize feedback_examples again for {DAY}" in taken.stdout
    assert "were taken in before" in llmops("feedback", "import", file).stdout
    assert "0 rows to decide" in llmops("feedback", "export", file).stdout


def test_what_is_not_held_back_cannot_be_decided(waiting, tmp_path):
    file = tmp_path / "held.csv"
    file.write_text("row_id,decision\ni1,release\n")
    refused = llmops("feedback", "import", file)
    assert refused.exit_code == 1
    assert "not held back: 1 row (line 2: 'i1')" in refused.stderr
    assert llmops("feedback", "export", tmp_path / "none" / "held.csv").exit_code == 1
