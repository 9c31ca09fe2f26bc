"""Findings for people: which there are, what was asked, the articles that editors write, and a person's last word.

Questions come out of the lake, so they are redacted.
"""

import getpass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.table import Table

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover import causes, reading
from llmops_assets.handover.contents import read_rows
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import Finding, FindingsReport
from llmops_assets.lib.watching.findings import closings, files, pages
from llmops_assets.lib.watching.findings.members import Case, from_rows
from resources import home_folder, open_lake
from resources.lake.base import Lake
from resources.redactor import Redactors
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace


class FindingError(LlmopsError):
    """There is no such finding, or nothing to do about it; the message says what there is."""


def show_all(console: Console) -> None:
    """Print what follows from the newest report, and its findings in a table."""
    with dg.DagsterInstance.get() as instance:
        lake, report = _newest(instance)
        for line in pages.told(causes.decide(instance, lake, report)):
            console.print(line, highlight=False)
    rows = [pages.row(finding) for finding in report.findings]
    if rows:
        shown = Table(*rows[0])
        for row in rows:
            shown.add_row(*map(str, row.values()))
        console.print(shown)


def show(name: str, console: Console) -> None:
    """Print one finding: what helps, how its questions were answered by day, and examples."""
    with dg.DagsterInstance.get() as instance:
        lake, report = _newest(instance)
    case = _case(lake, report, name)
    for line in pages.lines(case.finding):
        console.print(line, highlight=False)
    asked = Table("asked", "question", "answered")
    for one in pages.examples(case.members):
        asked.add_row(one.time.isoformat()[:16], one.question, pages.answered(one))
    console.print(asked)
    days = Table(*pages.DAYS)
    for row in pages.days(case.finding):
        days.add_row(*map(str, row))
    console.print(days)
    for text in pages.missing_knowledge(case.members):
        console.print(f"people wrote: {text}", highlight=False)


def export(file: Path) -> int:
    """Write the findings that need an article into a CSV file for editors; how many."""
    with dg.DagsterInstance.get() as instance:
        lake, report = _newest(instance)
    members = from_rows(read_rows(lake, report.members))
    wanted = [finding for finding in report.of("open") if finding.action == "write_article"]
    rows = files.to_write([(finding, members.get(finding.id, ())) for finding in wanted])
    try:
        file.write_text(files.written(rows), encoding="utf-8")
    except OSError as error:
        raise FindingError(f"{file} cannot be written: {error.strerror or error}") from None
    return len(rows)


def take_in(file: Path) -> tuple[int, Path, bool]:
    """Keep the articles of a file: how many, the file they are kept in, and whether it is new."""
    workspace = Workspace(home_folder())
    case_files = UseCaseFiles(workspace.settings)
    rows = files.read(file)
    with dg.DagsterInstance.get() as instance:
        _, report = _newest(instance)
    redactor = Redactors(workspace.subject_key, case_files).of(case_files.read())
    known = {finding.id: finding for finding in report.of("open", "learned")}
    made = files.articles(file, rows, known, redactor.leaks)
    kept, new = files.keep(workspace.articles_folder, made, datetime.now(UTC).isoformat(timespec="seconds"))
    return len(made), kept, new


def close(name: str, reason: str, who: str) -> int:
    """A person's word that a finding is closed, as an entry of the audit log; its number."""
    with dg.DagsterInstance.get() as instance:
        _, report = _newest(instance)
    finding = _finding(report, name)
    if finding.state not in ("open", "learned"):
        raise FindingError(f"{name} is {pages.state(finding)}: there is nothing to close")
    log = InteractionLog(Workspace(home_folder()).log_url)
    try:
        entry = log.audit(closings.ACTION, closings.detail(name, report.day, who or getpass.getuser(), reason))
    finally:
        log.close()
    return entry["number"]


def _newest(instance: dg.DagsterInstance) -> tuple[Lake, FindingsReport]:
    """The lake and the newest report. FindingError where there is none."""
    # Settings that cannot be read are told first.
    lake = open_lake(Workspace(home_folder()))
    report = reading.newest_day(instance, causes.ASSET, FindingsReport)
    if report is None:
        raise FindingError("no findings were reported yet: run the job monitor_day for a day first")
    return lake, report


def _finding(report: FindingsReport, name: str) -> Finding:
    found = next((finding for finding in report.findings if finding.id == name), None)
    if found is None:
        raise FindingError(f"there is no finding {name!r} on {report.day}: `llmops findings list` shows them")
    return found


def _case(lake: Lake, report: FindingsReport, name: str) -> Case:
    finding = _finding(report, name)
    return Case(finding, from_rows(read_rows(lake, report.members)).get(name, ()))
