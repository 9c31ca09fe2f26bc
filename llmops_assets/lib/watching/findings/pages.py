"""Findings as people read them: a page with redacted examples for the lake, a table and a map without any text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmops_assets.lib import charts, html
from llmops_assets.lib.records import Finding, RetrainingDecision
from llmops_assets.lib.watching.findings.members import Case, Member

if TYPE_CHECKING:
    import numpy as np

EXAMPLES = 8
CORRECTIONS = 3
POINTS = 300
"""Points of the map at most: it stands in the metadata."""
DAYS = ("day", "questions", "people", "badly", "handed over", "corrected", "by what learned", "badly by it")
HELPS = {
    "write_article": "write an article",
    "retrain": "retrain",
    "decide_feedback": "decide on feedback",
    "fix_retrieval": "fix retrieval",
    "volume_only": "volume only",
    "attack": "attack",
    "incident": "incident",
    "junk": "nothing: junk",
}


def row(finding: Finding) -> dict[str, str | int | float]:
    """A finding's line in a table: names, counts and what helps."""
    newest = finding.days[-1].questions if finding.days else 0
    return {
        "finding": finding.id,
        "about": about(finding),
        "state": state(finding),
        "helps": HELPS[finding.action],
        "questions": finding.total("questions"),
        "newest day": newest,
        "growth": round(finding.growth, 2),
        "different": finding.different,
        "people": finding.senders,
        "badly": finding.total("badly"),
        "handed over": finding.total("handed_over"),
        "first seen": str(finding.first_seen),
        "last seen": str(finding.last_seen),
    }


def about(finding: Finding) -> str:
    """What a finding is about, as far as names of ours say it."""
    named = {
        "new": "a new topic",
        "known": finding.topic,
        "attack": f"guard {finding.topic}",
        "errors": "failures",
        "rush": "many at once",
    }
    return named[finding.kind]


def state(finding: Finding) -> str:
    """The state in words, with what it rests on."""
    if finding.state == "merged":
        return f"went up in {finding.into}"
    if finding.state == "learned":
        return f"learned by {finding.learned_by}"
    if finding.state == "closed":
        return f"closed {finding.closed_on}"
    return "refused" if finding.refused else "open again" if finding.reopened else "open"


def page(title: str, cases: Sequence[Case], decision: str, picture: str) -> str:
    """The page of a day: what follows, the map, all findings, and each with examples, which are redacted."""
    ranked = sorted(cases, key=lambda case: (case.finding.state == "closed", -case.finding.total("badly")))
    rows = [list(row(case.finding).values()) for case in ranked]
    columns = list(row(ranked[0].finding)) if ranked else ["finding"]
    return html.page(
        title,
        html.paragraph(decision),
        f'<p><img alt="questions of the day and findings" src="{picture}"></p>',
        html.table(columns, rows),
        *(part for case in ranked if case.finding.state != "merged" for part in section(case)),
    )


def section(case: Case) -> list[str]:
    """A finding's part of the page."""
    finding = case.finding
    said = [[one.time.isoformat()[:16], one.question, answered(one)] for one in examples(case.members)]
    missing = missing_knowledge(case.members)
    return [
        html.heading(f"{finding.id}: {about(finding)}"),
        html.bullets(lines(finding)),
        html.table(["asked", "question", "answered"], said),
        html.paragraph("What people wrote as the right answer:") + html.bullets(missing) if missing else "",
        html.table(DAYS, days(finding)),
    ]


def lines(finding: Finding) -> list[str]:
    """What is known of a finding, a sentence each."""
    told = [f"{HELPS[finding.action]}: {finding.why}", f"{state(finding)}; it counts since {finding.since}"]
    if finding.parent:
        told.append(f"split from {finding.parent}")
    if finding.merged:
        told.append(f"took in {', '.join(finding.merged)}")
    if finding.articles:
        told.append(f"nearest articles: {', '.join(finding.articles)} (cosine {finding.article_similarity:.2f})")
    if finding.refused:
        refused = finding.refused
        told.append(f"{refused.candidate} was refused: {refused.reason}. Next: {refused.next_step}")
    if finding.closed_because:
        told.append(f"closed: {finding.closed_because}")
    if finding.cure:
        told.append(cost_told(finding))
    return told


def days(finding: Finding) -> list[list[str | int]]:
    """A line for each day of a finding, in the columns of DAYS."""
    return [
        [str(d.day), d.questions, d.senders, d.badly, d.handed_over, d.corrected, d.learned, d.learned_badly]
        for d in finding.days
    ]


def cost_told(finding: Finding) -> str:
    """What a cure took, as far as it was measured."""
    assert finding.cure is not None
    cure = finding.cure
    parts = [f"{cure.corrections} corrections by people"]
    if cure.currency is not None and cure.energy_kwh is not None:
        parts.append(f"{cure.currency:.4f} of currency and {cure.energy_kwh:.4f} kWh for training and judging")
    return f"the cure took {', '.join(parts)}"


def answered(one: Member) -> str:
    """How a question was answered, in words."""
    if one.failed:
        return "failed"
    if one.guard:
        return f"stopped by the guard {one.guard}"
    if one.handed_over:
        return "handed over"
    return "badly" if one.badly else "well, as far as anybody said"


def examples(members: Sequence[Member], count: int = EXAMPLES) -> list[Member]:
    """Different questions of a finding, evenly spaced over its time."""
    different = list({one.key: one for one in reversed(members)}.values())[::-1]
    if len(different) <= count:
        return different
    return [different[n * (len(different) - 1) // (count - 1)] for n in range(count)]


def missing_knowledge(members: Sequence[Member], count: int = CORRECTIONS) -> list[str]:
    """The corrections that were written most often: what the assistant should have known."""
    said: dict[str, int] = {}
    for one in members:
        if one.correction:
            said[one.correction] = said.get(one.correction, 0) + 1
    return sorted(said, key=lambda text: (-said[text], text))[:count]


def drawn(
    asked: Sequence[Member], cases: Sequence[Case], vectors: "Mapping[str, np.ndarray]"
) -> dict[str, list[tuple[float, float]]]:
    """The map: today's questions, and those of each open finding, on the two main axes of all of them."""
    import numpy as np

    of = {case.finding.id: case.members for case in cases if case.finding.state in ("open", "learned")}
    taken = {one.id for members in of.values() for one in members}
    named = {"other questions": [one for one in asked if one.id not in taken], **of}
    total = sum(map(len, named.values()))
    share = min(1.0, POINTS / max(1, total))
    spaced = {name: list(members)[:: max(1, round(1 / share))] for name, members in named.items()}
    every = [one for members in spaced.values() for one in members]
    if len(every) < 2:
        return {name: [] for name in spaced}
    matrix = np.stack([vectors[one.question] for one in every])
    matrix = matrix - matrix.mean(axis=0)
    _, _, axes = np.linalg.svd(matrix, full_matrices=False)
    # An axis has no direction of its own: the largest part is made positive, so that a day looks the same again.
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    places = iter((matrix @ axes.T).tolist())
    return {name: [(x, y) for x, y in (next(places) for _ in members)] for name, members in spaced.items()}


def picture(points: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The map as a data URI."""
    return charts.scatter_uri(points)


def told(decision: RetrainingDecision) -> list[str]:
    """A decision as lines: what follows, then each finding's sentence."""
    head = {"retrain": "retrain", "ask": "ask a person", "write_article": "write an article", "wait": "wait"}
    lines = [f"{head[decision.verdict]}: {decision.told}"]
    return lines + [f"{one.finding}: {head[one.verdict]}: {one.told}" for one in decision.verdicts]
