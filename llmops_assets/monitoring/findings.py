"""What changed, as findings: causes with an id from the first alarm to the cure, and what helps against each."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from llmops_assets.data.feedback_examples import HELD, QUARANTINE
from llmops_assets.gateway.identity.roles import ANONYMOUS
from llmops_assets.handover import anchors, causes, reading, serving
from llmops_assets.handover.contents import read_articles, read_rows
from llmops_assets.handover.days import read_day, run_day
from llmops_assets.handover.display import address, bullets, table
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import gate as gates
from llmops_assets.lib import tables
from llmops_assets.lib.records import (
    Article,
    Candidate,
    CostLedger,
    DatasetRef,
    DriftReport,
    FindingsReport,
    GateDecision,
    KnowledgeBase,
    LakeRef,
    Release,
    TrainingCost,
    UseCase,
)
from llmops_assets.lib.watching.findings import closings, files
from llmops_assets.lib.watching.findings.members import COLUMNS, Case, Member, from_rows, member, to_rows
from llmops_assets.partitions import DAILY
from resources.embedder import InstalledEmbedder
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake, NotFoundError
from resources.redactor import Redactors
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.watching.findings.life import Articles, Known, Learned

NAME = "findings"


@dg.asset(
    deps=[
        "use_case",
        "interactions",
        "feedback_examples",
        "drift_report",
        "knowledge_base",
        "candidate",
        "gate",
        "deployment",
        "cost_ledger",
    ],
    partitions_def=DAILY,
    kinds={"html", "parquet"},
    owners=["team:operations"],
    code_version="3",
)
def findings(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    embedder: dg.ResourceParam[InstalledEmbedder],
    redactor: dg.ResourceParam[Redactors],
    interaction_log: dg.ResourceParam[InstalledLog],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """What changed in customers' questions, cause by cause: what began, goes on, is cured or came back on the day.

    The end of the audit log's chain is published beside them.
    """
    from llmops_assets.lib.watching.findings import pages
    from llmops_assets.lib.watching.findings.life import Day, carried

    day, case = run_day(context), reading.read(context, "use_case", UseCase)
    drift = reading.of_day(context, "drift_report", DriftReport, day)
    since = day - timedelta(days=case.decision.horizon_days)
    kept_back, held = held_back(
        lake, reading.day_records(context, "feedback_examples", DatasetRef, after=since, until=day)
    )
    before = cases_before(lake, reading.day_before(context, FindingsReport, day), held)
    rows = read_day(context, lake, "interactions", day)
    asked = asked_of(lake, rows, redactor.of(case).subjects(ANONYMOUS), day, held)
    live, ledger = serving.read(context, lake), reading.find(context, "cost_ledger", CostLedger)
    texts = [one.question for one in (*asked, *(m for old in before for m in old.members))]
    texts += [m.correction for m in (*asked, *(m for old in before for m in old.members)) if m.correction]
    served = read_articles(lake, reading.read(context, "knowledge_base", KnowledgeBase).articles.ref)
    today = Day(
        day,
        asked,
        embedder.vectors(texts),
        known_of(read_rows(lake, drift.reference), embedder, drift.novelty_threshold),
        articles_of(served, files.kept(workspace.articles_folder), embedder),
        case.decision,
        case.drift.settled_share,
        learned_by(live.release, ledger.trainings if ledger else ()),
        refused(reading.find(context, "candidate", Candidate), reading.find(context, "gate", GateDecision)),
        workspace.settings.knowledge_from_conversations,
        closings.said(interaction_log.audit_entries(closings.ACTION)),
    )
    cases = carried(today, before)
    points = pages.drawn(asked, cases, today.vectors)
    folder = f"monitoring/{NAME}/{day}"
    members = [row for one in cases for row in to_rows(one.finding.id, one.members)]
    commit = publish(context, lake, {f"{folder}.parquet": tables.to_parquet(members, COLUMNS)}, members=len(members))
    record = FindingsReport(
        day=day,
        reference=drift.reference,
        findings=tuple(one.finding for one in cases),
        questions=len(asked),
        members=lake.uri(commit, f"{folder}.parquet"),
        report=lake.uri(commit, f"{folder}.html"),
    )
    decided = causes.decide(context.instance, lake, record)
    page = pages.page(f"Findings of {day}", cases, decided.told, pages.picture(points))
    files_out = {f"{folder}.html": page.encode(), **anchors.moved(lake, interaction_log)}
    shown = publish(context, lake, files_out, findings=len(cases))
    record = record.model_copy(update={"report": lake.uri(shown, f"{folder}.html")})
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.report,
        questions=address(lake, record.members),
        decision=decided.verdict,
        reasons=bullets(pages.told(decided)),
        figures={state: len(record.of(state)) for state in ("open", "learned", "closed", "merged")},
        map=dg.MetadataValue.md(f"![map of the day]({pages.picture(points)})"),
        findings=table(pages.row(finding) for finding in record.findings),
        inputs={"reference": drift.reference, "release": live.release.release_id, **kept_back},
    )


def held_back(lake: Lake, days: Collection[date]) -> tuple[dict[str, LakeRef], frozenset[str]]:
    """(where the quarantine of feedback stands, the interactions of some days whose feedback it holds back)."""
    if QUARANTINE not in lake.branches():
        return {}, frozenset()
    commit = lake.resolve(QUARANTINE)
    wanted = {f"{HELD}{day}.parquet" for day in days}
    files = [stat.path for stat in lake.list(commit, HELD) if stat.path in wanted]
    held = frozenset(row["row_id"] for path in files for row in tables.from_parquet(lake.get(commit, path)))
    return {"quarantine": lake.uri(commit, HELD.rstrip("/"))}, held


def cases_before(lake: Lake, report: FindingsReport | None, held: Collection[str] = ()) -> list[Case]:
    """The findings of the day before with their questions; what a person released since is held back no more."""
    if report is None:
        return []
    members = from_rows(read_rows(lake, report.members))
    return [
        Case(finding, tuple(replace(one, held=one.id in held) for one in members.get(finding.id, ())))
        for finding in report.findings
    ]


def asked_of(
    lake: Lake, rows: Sequence[dict], unnamed: Sequence[str], day: date, held: Collection[str] = ()
) -> list[Member]:
    """The day's questions that count, as drift counts them, with what the release that answered was made from."""
    from llmops_assets.lib.watching.counting import counted, readable

    read, _ = readable(rows, day)
    count = counted(read, unnamed=unnamed)
    by_release = {name: findings_of(lake, name) for name in {row["release_id"] for row in read}}
    return [
        replace(member(read[n], text, by_release, unnamed), held=read[n]["id"] in held)
        for n, text in zip(count.kept, count.texts, strict=True)
        if read[n]["path"] != "small_talk"
    ]


def findings_of(lake: Lake, release: str) -> tuple[str, ...]:
    """What a published release was made from; nothing for one that was never published."""
    try:
        training = serving.published(lake, release).training
    except NotFoundError:
        return ()
    return training.findings if training else ()


def known_of(rows: Sequence[dict], embedder: InstalledEmbedder, threshold: float) -> "Known":
    """The reference as findings see it: the questions that drift compares with, a sample of many, with intents."""
    from llmops_assets.lib.labelling import IntentClassifier
    from llmops_assets.lib.watching.counting import Forms
    from llmops_assets.lib.watching.findings.life import Known
    from llmops_assets.lib.watching.findings.topics import spaced

    rows = [rows[n] for n in spaced(len(rows))]
    forms = Forms(row["question"] for row in rows)
    vectors = embedder.embed([forms.message(row["question"]) for row in rows])
    intents = [row["intent"] for row in rows]
    filled = IntentClassifier(vectors, intents).fill(vectors, intents)
    return Known(vectors, filled, [date.fromisoformat(row["day"]) for row in rows], threshold)


def articles_of(served: Sequence[Article], written: Sequence[Article], embedder: InstalledEmbedder) -> "Articles":
    """The served articles by their questions; those that editors wrote need not be served yet."""
    from llmops_assets.lib.watching.findings.life import Articles

    pairs = [(article.id, question) for article in served for question in article.questions]
    vectors = embedder.embed([question for _, question in pairs])
    return Articles([name for name, _ in pairs], vectors, frozenset(article.id for article in written))


def learned_by(release: Release, trainings: Sequence[TrainingCost]) -> "Learned":
    """What the serving release was made from, and what its training took where that was measured."""
    from llmops_assets.lib.watching.findings.life import Learned

    if release.training is None:
        return Learned(release.release_id)
    digest = release.tuned.digest if release.tuned else ""
    cost = next((one for one in trainings if one.adapter == digest), None)
    return Learned(release.release_id, release.training.findings, release.training.until, cost)


def refused(entering: Candidate | None, decision: GateDecision | None) -> "Learned":
    """The last candidate, where the gate did not let it pass, with what helps."""
    from llmops_assets.lib.watching.findings.life import Learned

    if entering is None or decision is None or decision.passed or decision.candidate != entering.release_id:
        return Learned()
    name, training = entering.release_id, entering.training
    step = (
        f"read the gate's page and say `llmops approve {name}` or `llmops reject {name}`"
        if decision.status == "waiting"
        else "read the gate's page: more corrections or an article for the finding, or more questions of these slices"
    )
    return Learned(name, training.findings, training.until, None, gates.stopped(decision), step)
