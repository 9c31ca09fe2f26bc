"""The report of a month without anybody at the wheel: a page, and the same tables for a terminal."""

from collections.abc import Sequence

from llmops_assets.lib import charts, html
from llmops_assets.lib.watching.unattended import NOTHING, Judged, Played, Rates, judge, owner, rates

Rows = list[list[str | int | float]]
NONE = "–"


def tables(played: Played) -> list[tuple[str, Sequence[str], Rows]]:
    """(title, columns, rows) of every table, in the order they are read."""
    judged = judge(played)
    return [
        ("The loop's own errors", ("what", "how often"), errors(rates(played, judged), played)),
        ("What happened, and what was done about it", EVENT_COLUMNS, events(judged)),
        ("Retrainings", RUN_COLUMNS, runs(played)),
        ("Every decision", DECISION_COLUMNS, decisions(played)),
    ]


def errors(found: Rates, played: Played) -> Rows:
    """The rates, a line each."""
    repeated = f": {', '.join(found.repeated)}" if found.repeated else ""
    return [
        ["false retrainings", f"{found.false_retrainings} of {found.retrainings}"],
        ["people called for nothing", f"{found.false_calls} of {found.calls} findings that asked for somebody"],
        ["missed changes", f"{len(found.missed)} of {found.changes}{_listed(found.missed)}"],
        ["mean delay", f"{_number(found.delay_questions, 0)} questions, {_number(found.delay_days, 1)} days"],
        ["articles changed by poison", f"{found.poisoned_articles}, of {found.flipped} flipped answers"],
        ["retrainings begun twice for one decision", f"{len(found.repeated)}{repeated}"],
        ["times the daemon was killed", f"{len(played.kills)}{_listed(_killed(played))}"],
        ["failed requests", played.failed_requests],
    ]


EVENT_COLUMNS = (
    "event", "from", "to", "asked", "wrong", "needs", "done", "after questions", "days", "release", "right before",
    "right after", "answers gained",
)  # fmt: skip


def events(judged: Sequence[Judged]) -> Rows:
    """A line for every event."""
    return [
        [
            one.happening.name,
            str(one.happening.first),
            str(one.happening.until),
            one.asked,
            one.wrong,
            one.happening.needs,
            "missed" if one.missed else one.verdict,
            NONE if one.delay is None else one.delay,
            NONE if one.days is None else one.days,
            one.release or NONE,
            _percent(one.before),
            _percent(one.after),
            round(one.gained, 1),
        ]
        for one in judged
    ]


RUN_COLUMNS = ("day", "findings", "of", "ended", "release", "seconds", "cost", "why not")


def runs(played: Played) -> Rows:
    """A line for every run, those that repeat a lost one among them."""
    of = owner(played)
    return [
        [
            str(run.day),
            ", ".join(run.findings),
            ", ".join(sorted({of.get(finding, "") or "nothing that happened" for finding in run.findings})),
            run.status.lower() + ("" if run.root == run.run_id else ", repeats one that was lost"),
            run.release or NONE,
            round(run.seconds),
            NONE if run.currency is None else round(run.currency, 4),
            run.reason or NONE,
        ]
        for run in played.runs
    ]


DECISION_COLUMNS = ("day", "right", "alarm", "verdict", "why")


def decisions(played: Played) -> Rows:
    """A line for every day and, where something follows, for each finding of it."""
    of, found = owner(played), []
    for day in played.days:
        asked = sum(tally.asked for tally in day.by_event.values())
        right = sum(tally.right for tally in day.by_event.values())
        alarm = NONE if day.alarm_at is None else f"after {day.alarm_at}"
        found.append([str(day.day), _percent(right / asked if asked else None), alarm, day.verdict, day.told])
        found += [
            [
                "",
                "",
                "",
                verdict.verdict,
                f"{verdict.finding} ({of.get(verdict.finding) or 'no event'}): {verdict.told}",
            ]
            for verdict in day.verdicts
            if verdict.verdict != NOTHING
        ]
    return found


def page(played: Played) -> str:
    """The report as a page."""
    title = f"{len(played.days)} of {played.length} days without anybody at the wheel"
    told = (
        f"{played.questions_per_day} questions a day through the gateway, answered by releases of {played.base_model}. "
        "Dagster's daemon and the sensors decide; nobody approves, writes or labels anything."
    )
    parts = [html.paragraph(told)]
    if len(played.days) > 1:
        parts.append(html.figure(charts.lines_uri({"right answers": shares(played)}), "share of right answers by day"))
    for heading, columns, rows in tables(played):
        parts += [html.heading(heading), html.table(columns, rows)]
    return html.page(title, *parts)


def shares(played: Played) -> list[float]:
    """Share of right answers, day by day."""
    counts = [list(day.by_event.values()) for day in played.days]
    return [sum(t.right for t in of) / max(1, sum(t.asked for t in of)) for of in counts]


def _killed(played: Played) -> list[str]:
    how = {True: "with all runs", False: "alone"}
    return [
        f"{kill.day} {how[kill.whole_group]} beside {', '.join(kill.running) or 'nothing'}" for kill in played.kills
    ]


def _listed(names: Sequence[str]) -> str:
    return f" ({'; '.join(names)})" if names else ""


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.0%}"


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"
