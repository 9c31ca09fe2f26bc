"""Reports that a person reads: one self-contained HTML page, everything escaped, no script, no outside resource."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from llmops_assets.lib import charts
from llmops_assets.lib.judging.grading import Graded
from llmops_assets.lib.records import OVERALL, EvalReport, GateDecision, SliceDecision, SliceScore
from llmops_assets.lib.sizing import Size
from llmops_assets.lib.statistics import wilson

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1d2733}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{padding:.35rem .6rem;border-bottom:1px solid #d8dee6;
text-align:left;vertical-align:top}th{background:#f2f5f9}td.n{text-align:right;font-variant-numeric:tabular-nums}
table{display:block;overflow-x:auto}p,li,td.t{overflow-wrap:anywhere}
figure{display:inline-block;width:48%;min-width:20rem;margin:.5rem 1% 1rem 0;vertical-align:top}
figure img{max-width:100%}figcaption{font-size:13px;color:#5a6675}
"""


@dataclass(frozen=True)
class Link:
    """A table cell that leads somewhere."""

    text: str
    address: str


def page(title: str, *parts: str, refresh: int = 0) -> str:
    """A whole page out of ready parts; it is read again every `refresh` seconds (0: it is not)."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}<title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
    )


def link(address: str, text: str, after: str = "") -> str:
    """A paragraph that begins with a link."""
    return f'<p><a href="{escape(address)}">{escape(text)}</a>{escape(after)}</p>'


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """A second-level heading."""
    return f"<h2>{escape(text)}</h2>"


def bullets(texts: Iterable[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def figure(address: str, caption: str) -> str:
    """A picture by its address (a data URI, since a page holds no outside resource); two of them stand side by side."""
    told = escape(caption)
    return f'<figure><img src="{escape(address)}" alt="{told}"><figcaption>{told}</figcaption></figure>'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers are set right, text is escaped, a Link becomes one."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def quality(
    reports: Mapping[str, EvalReport], wrong: Sequence[Graded], seen: Sequence[Size] = (), power: float = 0.9
) -> str:
    """The quality report: accuracy per slice and answer path of every evaluated variant, what sizes can see, and wrong
    answers to read."""
    names = list(reports)
    slices = sorted({name for report in reports.values() for name in report.slices})
    rows = [[name, *(_score(reports[n].slices.get(name)) for n in names)] for name in slices] + [
        ["overall", *(_score(reports[n].overall) for n in names)]
    ]
    paths = sorted({name for report in reports.values() for name in report.paths})
    told = [
        f"{name}: {count} answers are ungraded: {why}"
        for name, r in reports.items()
        for why, count in r.ungraded.items()
    ]
    path_rows = [[name, *(_score(reports[n].paths.get(name)) for n in names)] for name in paths]
    return page(
        "Quality report",
        paragraph("Share of right answers on held-out questions, right of all, with 95 % Wilson intervals."),
        heading("By scenario slice"),
        table(["slice", *names], rows),
        bullets(told) if told else "",
        heading("What the sizes can see"),
        paragraph(
            f"The chance that an equal candidate is shown to be not worse, the questions for which it is {power:.0%}, "
            "and the smallest loss that is stopped that often."
        ),
        table(
            ["unit", "questions", "margin", "an equal one is shown", "questions needed", "loss that is stopped"],
            [
                [
                    s.unit,
                    s.questions,
                    s.margin,
                    f"{s.power:.0%}",
                    s.needed or "–",
                    "–" if s.seen is None else f"{s.seen:.0%}",
                ]
                for s in seen
            ],
        ),
        heading("By answer path"),
        paragraph("matched: the known answer; generated: by the model with retrieved passages; handover: to a person."),
        table(["path", *names], path_rows),
        heading("Wrong answers of the candidate"),
        table(
            ["slice", "question", "answer", "path", "reference"],
            [[g.item.slice, g.item.question, g.answer, g.path, g.item.reference or "(hand over)"] for g in wrong],
        ),
    )


def safety(candidate: str, scores: Mapping[str, SliceScore], failed: Sequence[Mapping[str, str]]) -> str:
    """The safety report: probes passed by kind, and every answer that failed."""
    return page(
        "Safety report",
        paragraph(f"Candidate {candidate}. A handover always passes."),
        paragraph(
            "Memorisation: canaries of the training rows that the model keeps to itself. It and abuse are asked of the "
            "model alone, without articles, thresholds and guards. Shares with 95 % Wilson intervals."
        ),
        table(["kind", "passed"], [[kind, _score(score)] for kind, score in scores.items()]),
        heading("Failed probes"),
        table(["probe", "question", "answer"], [[row["id"], row["question"], row["answer"]] for row in failed]),
    )


def gate(decision: GateDecision) -> str:
    """The gate's decision with its reasons, the paired comparison per unit, and what its sizes can see."""
    named = ", ".join(decision.failed_slices)
    verdict = {"passed": "Passed", "waiting": f"Waits for a person: {named}"}.get(
        decision.status or "", f"Blocked: {named}"
    )
    rows = [
        [d.slice, _score(d.candidate), _score(d.incumbent), d.won, d.lost, _interval(d), d.margin, said(d), d.p_value]
        for d in decision.slices
    ]
    seen = [
        [d.slice, d.candidate.total, f"{d.power:.0%}", d.needed or "–", "–" if d.seen is None else f"{d.seen:.0%}"]
        for d in decision.slices
    ]
    power = f"{decision.policy.power:.0%}"
    picture = f'<p><img alt="differences with intervals and margins" src="{charts.intervals_uri(drawn(decision))}"></p>'
    picture += paragraph(
        "Dot: the measured difference to the incumbent. Line: the differences that the answers do not speak against. "
        "Red dashes: the margin, the loss that must be shown not to be there. A unit is not worse where its whole line "
        "lies right of its dashes."
    )
    undecided = [d for d in decision.slices if d.verdict == "undecided"]
    if undecided:
        picture += paragraph(
            f"Undecided ({len(undecided)}): the line crosses the dashes, so that these questions show neither that the "
            "margin is lost nor that it is not. That is no word for equal. What follows is the policy's: "
            + "; ".join(f"{what}: {FOLLOWS[what]}" for what in FOLLOWS if any(d.action == what for d in undecided))
            + "."
        )
    return page(
        f"Gate: {verdict}",
        paragraph(f"Candidate {decision.candidate} against incumbent {decision.incumbent or '(none)'}."),
        bullets(decision.reasons),
        paragraph(decision.promise),
        picture if decision.incumbent else "",
        table(
            ["unit", "candidate", "incumbent", "won", "lost", "difference", "margin", "verdict", "p worse (Holm)"], rows
        ),
        heading("What the sizes can see"),
        paragraph(f"Where {decision.policy.differing:.0%} of the answers differ; {power} is the chance aimed at."),
        table(
            ["unit", "questions", "an equal one is shown", f"questions for {power}", f"loss stopped in {power}"], seen
        ),
        table(["safety probes", "passed"], [[kind, _score(score)] for kind, score in decision.safety.items()]),
        heading("Policy"),
        table(["setting", "value"], [[name, _plain(value)] for name, value in decision.policy]),
        heading("Evidence"),
        bullets(str(ref) for ref in decision.evidence),
    )


FOLLOWS = {
    "blocks": "the candidate is stopped",
    "collects": "it is stopped until there are more questions",
    "asks": "a person decides",
    "accepted": "it goes on, as the measured loss is within the margin, or within chance where traffic is only watched",
}
"""What an undecided unit's action means."""


def drawn(decision: GateDecision) -> list[charts.Interval]:
    """The rows of the decision's picture: the whole first, then groups, then slices."""
    ranked = sorted(decision.slices, key=lambda d: (d.slice != OVERALL, not d.of))
    return [
        charts.Interval(f"{d.slice} ({d.candidate.total})", d.low, d.difference, d.high, d.margin, said(d))
        for d in ranked
        if d.incumbent is not None
    ]


def said(unit: SliceDecision) -> str:
    """A verdict in words, with what follows where it is not decided."""
    return f"undecided, {unit.action}" if unit.verdict == "undecided" else unit.verdict.replace("_", " ")


def _interval(unit: SliceDecision) -> str:
    return f"{unit.difference:+.2f} ({unit.low:+.2f} to {unit.high:+.2f})" if unit.incumbent else "–"


def _score(score: SliceScore | None) -> str:
    if score is None or score.total == 0:
        return "–"
    low, high = wilson(score.right, score.total)
    return f"{score.right}/{score.total} = {score.accuracy:.2f} ({low:.2f} to {high:.2f})"


def _plain(value: object) -> str:
    """A setting of a policy in words."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _cell(value: object) -> str:
    if isinstance(value, Link):
        return f'<td><a href="{escape(value.address)}">{escape(value.text)}</a></td>'
    if isinstance(value, float):
        return f'<td class="n">{value:.4g}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(str(value))}</td>"
