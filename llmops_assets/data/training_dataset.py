"""The rows a model learns from, published only when every blocking check holds on what was written.

Write, audit, publish: a lake branch, Great Expectations and the leakage check on it, then merge and tag.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from llmops_assets.data.augmented_conversations import augmented_conversations, beside, read_sides
from llmops_assets.data.eval_suite import eval_suite
from llmops_assets.data.knowledge_index import knowledge_index
from llmops_assets.data.overview import overview
from llmops_assets.data.redacted_conversations import MAIN_UNTOUCHED, redacted_conversations
from llmops_assets.handover import causes, reading
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.contents import read_rows, read_suite
from llmops_assets.handover.days import run_day
from llmops_assets.handover.display import address, counted
from llmops_assets.handover.memory import Memory, still_there
from llmops_assets.handover.publishing import materialized, run_tags
from llmops_assets.lib import tables
from llmops_assets.lib.auditing import expectations, purposes
from llmops_assets.lib.corpus import provenance_diff
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import (
    CanaryPlan,
    DatasetRef,
    DataTerms,
    FindingsReport,
    KnowledgeIndexRef,
    LakeRef,
    TrainingSet,
    UseCase,
)
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake, Transaction
from resources.redactor import Redactors

if TYPE_CHECKING:
    from llmops_assets.lib.corpus.datasets import Parts
    from llmops_assets.lib.redaction import Redactor

NAME = "training_dataset"
PURPOSE = "training"
PATHS = {
    "rows": tables.TRAINING_ROWS,
    **{part: f"data/{NAME}/{part}.parquet" for part in ("held_out", "reference", "dropped", "changes", "findings")},
}
SCHEMAS = {
    "rows": tables.TRAINING,
    "held_out": tables.TRAINING,
    "reference": tables.REFERENCE,
    "dropped": tables.DROPPED,
}
CHANGES: tables.Columns = tuple((name, tables.TEXT) for name in ("change", "provenance", "columns", "before", "after"))
OF_FINDINGS: tables.Columns = (("row_id", tables.TEXT), ("finding", tables.TEXT))
PAGE = f"data/{NAME}/expectations.html"


class DatasetConfig(dg.Config):
    """How the rows are shared out."""

    open_book_share: float = Field(0.8, ge=0, le=1, description="share of rows with retrieved passages in the prompt")
    passages: int = Field(3, ge=1, description="passages of an open-book row")
    reference_rows: int = Field(20_000, ge=1, description="questions of the reference for drift, a sample of more")
    canaries: int = Field(
        20, ge=0, le=200, description="rows with a made-up secret, by which memorisation is measured; 0: none"
    )
    canary_copies: int = Field(
        1,
        ge=1,
        le=100,
        description="rows of each: 1, as what a customer says once; more, to see what a leak looks like",
    )
    seed: int = 17

    @property
    def planted(self) -> CanaryPlan | None:
        """The canaries among the rows."""
        if not self.canaries:
            return None
        return CanaryPlan(count=self.canaries, copies=self.canary_copies, seed=self.seed)


@dataclass(frozen=True)
class Inputs:
    """What the dataset is made of, as the upstreams handed it over."""

    case: UseCase
    index: KnowledgeIndexRef
    augmented: DatasetRef
    suite: DatasetRef

    @classmethod
    def read(cls, context: dg.AssetExecutionContext) -> "Inputs":
        """The hand-overs of all upstreams."""
        return cls(
            reading.read(context, "use_case", UseCase),
            reading.read(context, "knowledge_index", KnowledgeIndexRef),
            reading.read(context, "augmented_conversations", DatasetRef),
            reading.read(context, "eval_suite", DatasetRef),
        )

    @property
    def rules(self) -> tuple[dict[str, Any], ...]:
        """The use case's own expectations of the dataset."""
        return self.case.expectations.get(NAME, ())

    @property
    def digests(self) -> list[object]:
        """What of them determines the result."""
        rules = hash_json([self.rules, self.case.general, dict(self.case.row_tags)])
        return [self.augmented.ref, self.index.file.sha256, self.suite.digest, rules]

    @property
    def named(self) -> dict[str, LakeRef]:
        """The refs of what its rows come from and were compared with."""
        return {"augmented_conversations": self.augmented.ref, "eval_suite": self.suite.ref}


def assembled(
    lake: Lake, config: DatasetConfig, inputs: Inputs, asked: list[str], embedder: InstalledEmbedder
) -> "Parts":
    """The parts of the dataset out of what the upstreams left in the lake."""
    from llmops_assets.lib.answering.knowledge import KnowledgeIndex
    from llmops_assets.lib.corpus import datasets

    augmented = inputs.augmented.ref
    candidates = read_rows(lake, augmented)
    vectors = embedder.vectors([*asked, *(row["question"] for row in candidates)])
    return datasets.parts(
        candidates,
        read_sides(lake, augmented),
        read_rows(lake, beside(augmented, "sample")),
        datasets.leaking_rows(candidates, asked, vectors),
        KnowledgeIndex.from_bytes(lake.read(inputs.index.file.ref)),
        vectors,
        inputs.case.general,
        planted=config.planted,
        open_book_share=config.open_book_share,
        passages=config.passages,
        reference_rows=config.reference_rows,
        seed=config.seed,
    )


def of_findings(
    context: dg.AssetExecutionContext, lake: Lake, rows: list[dict], found: tuple[str, ...]
) -> list[dict[str, str]]:
    """Which rows came to be because of which of the findings that the run learns from."""
    from llmops_assets.lib.corpus.causes import traced

    report = reading.looked_up(context, causes.ASSET, FindingsReport) if found else None
    return traced(rows, read_rows(lake, report.members), found) if report else []


def written(
    draft: Transaction, parts: "Parts", changes: provenance_diff.DatasetDiff, of_findings: list[dict[str, str]]
) -> None:
    """Put every part on the draft's branch."""
    for part, columns in SCHEMAS.items():
        draft.put(PATHS[part], tables.to_parquet(getattr(parts, part), columns))
    told = [{**asdict(row), "columns": ", ".join(row.columns)} for row in changes.rows]
    draft.put(PATHS["changes"], tables.to_parquet(told, CHANGES))
    draft.put(PATHS["findings"], tables.to_parquet(of_findings, OF_FINDINGS))


def audited(
    lake: Lake,
    draft: Transaction,
    claims: Claims,
    inputs: Inputs,
    asked: list[str],
    day: date,
    redactor: "Redactor",
    embedder: InstalledEmbedder,
) -> DataTerms:
    """Read back what was written and state what it allows, and what it must not hold; the terms of its rows."""
    from llmops_assets.lib.auditing.placeholders import unservable
    from llmops_assets.lib.corpus import datasets

    stored = [r for part in ("rows", "held_out") for r in tables.from_parquet(lake.get(draft.branch, PATHS[part]))]
    validation = expectations.validate(NAME, [stored], inputs.rules)
    draft.put(PAGE, validation.page.encode())
    failed = [f"{o.name} on {', '.join(o.rows[:3]) or 'the table'}" for o in validation.failed]
    outcomes = [asdict(outcome) for outcome in validation.outcomes]
    claims.hold("expectations_hold", not failed, "; ".join(failed), outcomes=outcomes)
    left = datasets.leaking_rows(stored, asked, embedder.vectors([*asked, *(row["question"] for row in stored)]))
    claims.hold("no_eval_leakage", not left, f"{len(left)} rows repeat a question of the eval suite", rows=len(left))
    texts = [text for row in stored for text in (row["question"], row["answer"], *row["history"])]
    personal = sum(bool(redactor.leaks(text)) for text in texts)
    claims.hold("no_personal_data_left", not personal, f"{personal} texts show it", rows=personal)
    unfilled = [row["row_id"] for row in stored if unservable(row["answer"])]
    told = f"{len(unfilled)} answers hold one: {', '.join(unfilled[:3])}"
    claims.hold("every_slot_is_filled", not unfilled, told, rows=len(unfilled))
    terms = purposes.terms(stored, inputs.case.row_tags)
    claims.hold_terms("every_row_allows_training", purposes.refuses(terms, PURPOSE, day), terms)
    return terms


@dg.asset(
    deps=["use_case", redacted_conversations, augmented_conversations, knowledge_index, eval_suite],
    kinds={"greatexpectations", "parquet"},
    owners=["team:data-engineering"],
    code_version="8",
    check_specs=[
        dg.AssetCheckSpec(
            "expectations_hold", asset=NAME, blocking=True, description="Every Great Expectations rule holds."
        ),
        dg.AssetCheckSpec(
            "no_eval_leakage",
            asset=NAME,
            blocking=True,
            description="No training question equals or nearly equals a question of the eval suite.",
        ),
        dg.AssetCheckSpec(
            "no_personal_data_left", asset=NAME, blocking=True, description="No row shows certain personal data."
        ),
        dg.AssetCheckSpec(
            "every_slot_is_filled",
            asset=NAME,
            blocking=True,
            description="No answer to learn holds a placeholder, a template variable or HTML.",
        ),
        dg.AssetCheckSpec(
            "every_row_allows_training",
            asset=NAME,
            blocking=True,
            description="No row's purpose, lawful basis or retention date speaks against training on it today.",
        ),
    ],
)
def training_dataset(
    context: dg.AssetExecutionContext,
    config: DatasetConfig,
    lake: dg.ResourceParam[Lake],
    embedder: dg.ResourceParam[InstalledEmbedder],
    redactor: dg.ResourceParam[Redactors],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Closed-book, open-book and replayed general rows with canaries, audited on a lake branch, merged and tagged.

    With them the held-out rows of the loss curve, the reference that drift is measured against, and the rows that
    were dropped, with the reason.
    """
    day, claims, inputs = run_day(context), Claims(context), Inputs.read(context)
    cleaner = redactor.of(inputs.case)
    found = causes.learned(context, lake)
    memory = Memory(context, lake, config, day, *inputs.digests, embedder.digest, cleaner.digest, *found)
    if memory.result is not None:
        yield from memory.repeat()
        return
    asked = [item.question for item in read_suite(lake, inputs.suite.ref)]
    parts = assembled(lake, config, inputs, asked, embedder)
    changes = changes_since(reading.previous(context, TrainingSet), parts.rows, lake)
    caused = of_findings(context, lake, parts.rows, found)
    about = run_tags(context, rows=str(len(parts.rows)), eval_suite=inputs.suite.digest)
    with lake.transaction(f"Training dataset of {day}", about, name=NAME, keep_on_error=True) as draft:
        written(draft, parts, changes, caused)
        terms = audited(lake, draft, claims, inputs, asked, day, cleaner, embedder)
        yield from claims.results()
        claims.insist(f"{MAIN_UNTOUCHED} {draft.branch}")
    assert draft.merged is not None
    record = recorded(lake, parts, draft.merged, inputs, day, terms)
    record = record.model_copy(update={"findings": found, "canaries": config.planted})
    days = reading.days(context, "redacted_conversations", until=day).values()
    yield materialized(
        context,
        record,
        lake=lake,
        ref=record.rows.ref,
        digest=record.rows.digest,
        memory=memory,
        claims=claims,
        data_docs=address(lake, lake.uri(draft.merged, PAGE)),
        changes=address(lake, lake.uri(draft.merged, PATHS["changes"])),
        findings_of_rows=address(lake, lake.uri(draft.merged, PATHS["findings"])),
        rows_by_finding=counted("finding", Counter(line["finding"] for line in caused), "rows"),
        figures={**figures_of(record, parts, changes, inputs), **overview(days, parts.rows, parts.held_out)},
        conversations_that_teach_nothing=counted("reason", untaught(lake, inputs), "conversations"),
        listed=address(lake, beside(inputs.augmented.ref, "dropped")),
        inputs=inputs.named,
    )


def recorded(lake: Lake, parts: "Parts", commit: str, inputs: Inputs, day: date, terms: DataTerms) -> TrainingSet:
    """The hand-over of a merged dataset, which is tagged by its content."""
    digest = tables.digest(parts.rows)
    tag = f"{tables.TRAINING_TAG}{digest[:12]}"
    if tag not in lake.tags():
        lake.tag(tag, commit)

    def part(at: str, rows: list[dict], **more: Any) -> DatasetRef:
        name = NAME if at == "rows" else f"{NAME}_{at}"
        return DatasetRef(
            name=name, ref=lake.uri(commit, PATHS[at]), digest=tables.digest(rows), rows=len(rows), **more
        )

    return TrainingSet(
        rows=part("rows", parts.rows, tag=tag, counts=parts.kinds, inputs=inputs.named),
        held_out=part("held_out", parts.held_out),
        reference=part("reference", parts.reference),
        until=day,
        terms=terms,
    )


def figures_of(
    record: TrainingSet, parts: "Parts", changes: provenance_diff.DatasetDiff, inputs: Inputs
) -> dict[str, Any]:
    """What the UI shows of the dataset itself."""
    counts = inputs.augmented.counts
    return {
        "rows": record.rows.rows,
        "tag": record.rows.tag,
        "held_out": len(parts.held_out),
        "reference_rows": len(parts.reference),
        "findings": list(record.findings),
        "leaks_dropped": len(parts.dropped),
        "duplicate_rate": counts.get("duplicates_dropped", 0) / max(1, counts.get("candidates", 1)),
        **parts.kinds,
        **{f"rows_{change}": count for change, count in changes.counts.items()},
        "terms": dg.MetadataValue.json(record.terms.model_dump(mode="json")),
    }


def untaught(lake: Lake, inputs: Inputs) -> dict[str, int]:
    """Conversations by what kept their answers from being taught: about one case, empty, or contradicted."""
    reasons = [row["reason"] for row in read_rows(lake, beside(inputs.augmented.ref, "dropped"))]
    return dict(Counter(r for r in reasons if r.startswith(("personal: ", "empty: ", "contradicted: "))))


def changes_since(previous: TrainingSet | None, rows: list[dict], lake: Lake) -> provenance_diff.DatasetDiff:
    """What came, went and changed since the dataset published before; nothing when there is none, or it was erased."""
    if previous is None or not still_there(lake, str(previous.rows.ref)):
        return provenance_diff.DatasetDiff({}, ())
    return provenance_diff.compare(read_rows(lake, previous.rows.ref), rows)
