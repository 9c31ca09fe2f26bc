"""A week in a page and in a mail, for somebody who decides about the product and reads no dashboards.

Figures, names of releases and of KPIs only: nothing that a customer wrote, and nobody's pseudonym.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from llmops_assets.lib import charts, html
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import DriftReport, KpiReport, KpiWeek

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Week:
    """What a digest is made of: the reports of KPIs (of this week and those before) and drift, and feedback by kind."""

    assistant: str
    monday: date
    kpis: Sequence[KpiReport]
    drift: Sequence[DriftReport] = ()
    feedback: Mapping[str, int] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """KPI to what it means."""

    @property
    def days(self) -> tuple[KpiReport, ...]:
        """The week's own reports in order."""
        inside = (one for one in self.kpis if self.monday <= one.day < self.monday + WEEK)
        return tuple(sorted(inside, key=lambda one: one.day))

    @property
    def title(self) -> str:
        """Title of page and mail."""
        return f"{self.assistant}: week of {self.monday}"

    @property
    def alarms(self) -> tuple[str, ...]:
        """KPIs in alarm on the last day of the week that was reported."""
        last = self.days[-1:]
        return tuple(value.name for report in last for value in report.values if value.state == "alarm")


def headlines(week: Week) -> list[str]:
    """What the owner should know first, a sentence each; the same on page and mail."""
    days = week.days
    if not days:
        return ["No day of this week was monitored: switch on the schedule monitor_nightly, or run monitor_day."]
    told = []
    if len(days) < WEEK.days:
        told.append(f"{len(days)} of {WEEK.days} days were monitored.")
    asked = sum(one.interactions for one in days)
    told.append(f"{asked} questions were asked." if asked else "Nobody asked anything.")
    since = {v.name: v.since for v in days[-1].values}
    told += [f"{label(week, name)}: target missed since {since[name]}." for name in week.alarms]
    if not week.alarms:
        told.append("No KPI is in alarm.")
    drifted = [str(one.day) for one in sorted(week.drift, key=lambda one: one.day) if one.drifted]
    if drifted:
        told.append(f"Customers asked for something new on {', '.join(drifted)}.")
    waiting = week.feedback.get("held_back", 0)
    if waiting:
        told.append(f"{waiting} pieces of feedback wait for a person: llmops feedback export.")
    return told


def label(week: Week, name: str) -> str:
    """A KPI in words."""
    found = week.descriptions.get(name) or name.replace("_", " ")
    return found[:1].upper() + found[1:]


def table(week: Week) -> tuple[list[str], list[list[str]]]:
    """(columns, rows) of the KPIs: this week, the one before, the change, the target, the state on the last day."""
    by_week = {one.monday: one for one in _weeks(week)}
    now, before = by_week.get(week.monday), by_week.get(week.monday - WEEK)
    rows = []
    for value in week.days[-1].values if week.days else ():
        this, last = (_of(one, value.name) for one in (now, before))
        change = "-" if this is None or last is None else f"{this - last:+.3g}"
        state = f"alarm since {value.since}" if value.state == "alarm" else value.state
        rows.append([label(week, value.name), _shown(this), _shown(last), change, _shown(value.target), state])
    return ["KPI", "this week", "week before", "change", "target", "last day"], rows


def releases(week: Week) -> tuple[list[str], list[list[str]]]:
    """(columns, rows) of the releases that answered: days, answers, slowest day's p95, share right of those rated."""
    from llmops_assets.lib.statistics import wilson

    rows = []
    found = [one for report in week.days for one in report.releases]
    for name in sorted({one.release_id for one in found}):
        mine = [one for one in found if one.release_id == name]
        rated, right = sum(one.rated for one in mine), sum(one.right for one in mine)
        low, high = wilson(right, rated)
        share = f"{right / rated:.2f} ({low:.2f} to {high:.2f})" if rated else "-"
        slowest = max((one.p95_latency_seconds for one in mine if one.p95_latency_seconds is not None), default=None)
        rows.append([name, str(len(mine)), str(sum(one.answers for one in mine)), _shown(slowest), str(rated), share])
    return ["release", "days", "answers", "slowest day's p95, s", "rated", "right of those"], rows


def page(week: Week) -> str:
    """The digest as a page with pictures."""
    values = week.days[-1].values if week.days else ()
    return _page(week, [figure(label(week, v.name), _weeks(week), v.name, v.target) for v in values])


def text(week: Week) -> str:
    """The digest as plain text."""
    parts = [week.title, "", *(f"- {told}" for told in headlines(week))]
    for columns, rows in (table(week), releases(week)):
        if rows:
            widths = [max(len(row[n]) for row in (columns, *rows)) for n in range(len(columns))]
            lines = (
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                for row in (columns, *rows)
            )
            parts += ["", *(line.rstrip() for line in lines)]
    return "\n".join(parts) + "\n"


def mail(week: Week, sender: str, recipient: str) -> EmailMessage:
    """The digest as a mail (RFC 5322): plain text, and HTML without pictures, which mail programs do not show.

    The same week gives the same bytes: date, id and boundary follow from it.
    """
    message = EmailMessage(policy=SMTP)
    message["Subject"] = week.title
    message["From"], message["To"] = sender, recipient
    message["Date"] = format_datetime(datetime.combine(week.monday + WEEK, time(7), UTC))
    domain = sender.rpartition("@")[2].strip("> ") or "localhost"
    message["Message-ID"] = f"<digest-{hash_json([week.title, text(week)])[:24]}@{domain}>"
    message.set_content(text(week))
    message.add_alternative(_page(week, []), subtype="html")
    message.set_boundary(f"=={hash_json(week.title)[:24]}==")
    return message


def _page(week: Week, pictures: Sequence[str]) -> str:
    columns, rows = table(week)
    names, answered = releases(week)
    parts = [html.bullets(headlines(week))]
    if rows:
        parts += [html.heading("KPIs"), html.table(columns, rows), *pictures]
    if answered:
        told = "Right is what was rated well and not corrected, with the 95 % interval. Only those who rate are heard."
        parts += [html.heading("Releases"), html.paragraph(told), html.table(names, answered)]
    if week.feedback:
        words = [[name.replace("_", " "), count] for name, count in week.feedback.items()]
        parts += [html.heading("Feedback of the week"), html.table(["feedback", "number"], words)]
    return html.page(week.title, *parts)


def figure(told: str, weeks: Sequence[KpiWeek], name: str, target: float) -> str:
    """A KPI over its weeks beside its target; nothing where it has not moved, or is of one week."""
    values = [one.values[name] for one in weeks if name in one.values]
    if len(set(values)) < 2:
        return ""
    return html.figure(charts.lines_uri({"by week": values, "target": [target] * len(values)}), told)


def _weeks(week: Week) -> Sequence[KpiWeek]:
    return week.days[-1].weeks if week.days else ()


def _of(week: KpiWeek | None, name: str) -> float | None:
    return week.values.get(name) if week else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
