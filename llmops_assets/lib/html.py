"""Reports that a person reads: one self-contained HTML page, everything escaped, no script, no outside resource."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from llmops_assets.lib.judging.grading import Graded
from llmops_assets.lib.records import EvalReport, GateDecision, SliceScore
from llmops_assets.lib.statistics import wilson

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1d2733}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{padding:.35rem .6rem;border-bottom:1px solid #d8dee6;
text-align:left;vertical-align:top}th{background:#f2f5f9}td.n{text-align:right;font-variant-numeric:tabular-nums}
table{display:block;overflow-x:auto}
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


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers are set right, text is escaped, a Link becomes one."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def quality(reports: Mapping[str, EvalReport], wrong: Sequence[Graded]) -> str:
    """The quality report: accuracy per slice and answer path of every evaluated variant, and wrong answers to read."""
    names = list(reports)
    slices = sorted({name for report in reports.values() for name in report.slices})
    rows = [[name, *(_score(reports[n].slices.get(name)) for n in names)] for name in slices] + [
        ["overall", *(_score(reports[n].overall) for n in names)]
    ]
    paths = sorted({name for report in reports.values() for name in report.paths})
    path_rows = [[name, *(_score(reports[n].paths.get(name)) for n in names)] for name in paths]
    return page(
        "Quality report",
        paragraph("Share of right answers on held-out questions, right of all, with 95 % Wilson intervals."),
        heading("By scenario slice"),
        table(["slice", *names], rows),
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
        table(["kind", "passed", "of"], [[kind, s.right, s.total] for kind, s in scores.items()]),
        heading("Failed probes"),
        table(["probe", "question", "answer"], [[row["id"], row["question"], row["answer"]] for row in failed]),
    )


def gate(decision: GateDecision) -> str:
    """The gate's decision with its reasons and the paired comparison per slice."""
    verdict = "Passed" if decision.passed else f"Blocked: {', '.join(decision.failed_slices)}"
    rows = [
        [d.slice, _score(d.candidate), _score(d.incumbent), d.won, d.lost, d.p_value, d.verdict]
        for d in decision.slices
    ]
    return page(
        f"Gate: {verdict}",
        paragraph(f"Candidate {decision.candidate} against incumbent {decision.incumbent or '(none)'}."),
        bullets(decision.reasons),
        table(["slice", "candidate", "incumbent", "won", "lost", "p (Holm)", "verdict"], rows),
        table(["safety probes", "passed"], [[kind, _score(score)] for kind, score in decision.safety.items()]),
        paragraph(f"Policy: {decision.policy.model_dump_json()}"),
        bullets(str(ref) for ref in decision.evidence),
    )


def _score(score: SliceScore | None) -> str:
    if score is None or score.total == 0:
        return "–"
    low, high = wilson(score.right, score.total)
    return f"{score.right}/{score.total} = {score.accuracy:.2f} ({low:.2f} to {high:.2f})"


def _cell(value: object) -> str:
    if isinstance(value, Link):
        return f'<td><a href="{escape(value.address)}">{escape(value.text)}</a></td>'
    if isinstance(value, float):
        return f'<td class="n">{value:.4g}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(str(value))}</td>"
