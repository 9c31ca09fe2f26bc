"""`llmops findings`: what there is, articles out and in, and a person's last word."""

import csv
import json
from pathlib import Path

import dagster as dg
import pytest
from commands_support import llmops
from findings_support import MONDAY, asked, finding, report
from recorded_support import record, serve

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib import tables
from llmops_assets.lib.watching.findings import files
from llmops_assets.lib.watching.findings.members import COLUMNS, to_rows
from resources.lake.embedded import EmbeddedLake
from resources.workspace import Workspace

pytestmark = pytest.mark.slow

NAME, OTHER = "f-0000000001", "f-0000000002"


@pytest.fixture
def watched(home) -> Path:
    """An installation whose newest report has a finding that needs an article, and one that was cured."""
    lake = EmbeddedLake(home / "lake")
    with lake.transaction("members", name="test") as draft:
        rows = to_rows(NAME, asked("recall", 12, correction="send it back"))
        draft.put("members.parquet", tables.to_parquet(rows, COLUMNS))
    members = lake.uri(draft.merged, "members.parquet")
    found = (finding(action="write_article"), finding(OTHER, state="closed", closed_on=MONDAY, closed_because="cured"))
    with dg.DagsterInstance.get() as instance:
        serve(instance, lake, "r-1", MONDAY.replace(day=1))
        record(instance, "findings", report(*found, members=members), str(MONDAY))
    return home


def test_findings_are_listed_with_what_follows_and_shown_with_examples(watched):
    listed = llmops("findings", "list")
    assert listed.exit_code == 0, listed.output
    assert "write an article: 2026-03-09: f-0000000001" in listed.output
    shown = llmops("findings", "show", NAME)
    assert shown.exit_code == 0, shown.output
    assert "people wrote: send it back" in shown.output
    assert "recall question 0" in " ".join(shown.output.split())
    unknown = llmops("findings", "show", "f-9")
    assert (unknown.exit_code, unknown.stderr.strip()) == (
        1,
        "there is no finding 'f-9' on 2026-03-09: `llmops findings list` shows them",
    )


def test_articles_go_out_and_come_back_as_knowledge(watched, tmp_path):
    file = tmp_path / "articles.csv"
    out = llmops("findings", "export", file)
    assert (out.exit_code, out.output.strip()) == (0, f"1 articles to write in {file}"), out.output
    with file.open() as opened:
        rows = [{**row, "title": "Recall", "answer": "Send the lamp back."} for row in csv.DictReader(opened)]
    filled = tmp_path / "filled.jsonl"
    filled.write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = Workspace(watched).articles_folder
    refused = tmp_path / "refused.jsonl"
    refused.write_text(json.dumps({**rows[0], "answer": "Call Anna at +31 6 12345678."}))
    failed = llmops("findings", "import", refused)
    assert failed.exit_code == 1
    assert "shows personal data" in failed.stderr
    assert not folder.exists(), "nothing half written"
    back = llmops("findings", "import", filled)
    assert back.exit_code == 0, back.output + back.stderr
    assert "1 articles kept as" in back.output
    (made,) = files.kept(folder, MONDAY)
    assert (made.id, made.answer) == (NAME, "Send the lamp back.")
    assert "were taken in before" in llmops("findings", "import", filled).output


def test_a_person_closes_a_finding_in_the_audit_log(watched):
    closed = llmops("findings", "close", NAME, "--reason", "the recall is over", "--name", "Ada")
    assert closed.exit_code == 0, closed.output
    assert closed.output.strip() == f"{NAME} is closed with the next report: audit entry 1"
    log = InteractionLog(Workspace(watched).log_url)
    (entry,) = log.audit_entries()
    log.close()
    assert json.loads(entry["detail"]) == {
        "day": "2026-03-09", "finding": NAME, "name": "Ada", "reason": "the recall is over",
    }  # fmt: skip
    again = llmops("findings", "close", OTHER, "--reason", "over")
    assert (again.exit_code, again.stderr.strip()) == (1, f"{OTHER} is closed 2026-03-09: there is nothing to close")
