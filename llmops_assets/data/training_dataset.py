"""The rows a model learns from, published only when every blocking check holds on what was written.

Write, audit, publish: a lake branch, Great Expectations and the leakage check on it, then merge and tag.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
import numpy as np
from pydantic import Field

from llmops_assets.data.augmented_conversations import augmented_conversations, read_sides
from llmops_assets.data.eval_suite import eval_suite, read_suite
from llmops_assets.data.knowledge_base import knowledge_base, read_articles
from llmops_assets.data.labelled_conversations import labelled_conversations, sample_days
from llmops_assets.data.overview import overview
from llmops_assets.lib import datasets, expectations, provenance_diff, purposes, tables
from llmops_assets.lib.curation import HELD_OUT
from llmops_assets.lib.deduplication import contaminated, leaks
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.knowledge import KnowledgeIndex
from llmops_assets.lib.records import DatasetRef, DataTerms, KnowledgeBase, TrainingSet, UseCase
from llmops_assets.lib.splits import TRAINING
from llmops_assets.provenance import (
    Memory,
    address,
    find_record,
    materialized,
    read_partitions,
    read_record,
    run_day,
    run_tags,
    table,
)
from resources.lake.base import GoneError, Lake
from resources.workspace import Workspace

NAME = "training_dataset"
PURPOSE = "training"
PATHS = {
    "rows": datasets.TRAINING_ROWS,
    **{part: f"data/{NAME}/{part}.parquet" for part in ("held_out", "reference", "dropped")},
}
PAGE = f"data/{NAME}/expectations.html"


def leaking_rows(
    rows: Sequence[datasets.Row], asked: Sequence[str], vectors: Mapping[str, np.ndarray]
) -> dict[str, str]:
    """Row id to reason for rows that repeat a question of the eval suite: equal, near by letters, or by meaning."""
    found = leaks(rows, asked, vectors)
    near = {hit.trained for hit in contaminated(asked, (("", row["row_id"], row["question"]) for row in rows))}
    letters = {row["row_id"]: "nearly equals a held-out question" for row in rows if row["question"] in near}
    return {**letters, **found}


def changes_since(previous: TrainingSet | None, rows: list[dict], lake: Lake) -> provenance_diff.DatasetDiff | None:
    """What came, went and changed since the dataset published before; None when there is none, or it was erased."""
    if previous is None:
        return None
    try:
        before = tables.from_parquet(lake.read(previous.rows.ref))
    except GoneError:
        return None
    if before and "provenance" not in before[0]:
        return None
    return provenance_diff.compare(before, rows)


class DatasetConfig(dg.Config):
    """How the rows are shared out."""

    open_book_share: float = Field(0.8, ge=0, le=1, description="share of rows with retrieved passages in the prompt")
    passages: int = Field(3, ge=1, description="passages of an open-book row")
    reference_rows: int = Field(20_000, ge=1, description="questions of the reference for drift, a sample of more")
    seed: int = 17


@dg.asset(
    deps=[augmented_conversations, knowledge_base, eval_suite, labelled_conversations],
    kinds={"greatexpectations", "parquet"},
    owners=["team:data-engineering"],
    code_version="2",
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
    workspace: dg.ResourceParam[Workspace],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Closed-book, open-book and replayed general rows, audited on a lake branch, merged and tagged.

    With them the held-out rows of the loss curve, the reference that drift is measured against, and the rows that
    were dropped, with the reason.
    """
    day, embedder = run_day(context), workspace.embedder()
    previous = find_record(context, NAME, TrainingSet)
    days = read_partitions(context, "redacted_conversations", DatasetRef, until=day)
    case = read_record(context, "use_case", UseCase)
    knowledge = read_record(context, "knowledge_base", KnowledgeBase)
    augmented = read_record(context, "augmented_conversations", DatasetRef)
    suite = read_record(context, "eval_suite", DatasetRef)
    labelled = read_partitions(context, "labelled_conversations", DatasetRef, until=day)
    redactor, rules = workspace.redactor(), case.expectations.get(NAME, ())
    memory = Memory(
        context,
        lake,
        config,
        day,
        augmented.ref,
        *(part.digest for part in (knowledge.articles, suite, *labelled.values())),
        hash_json([rules, workspace.general_pairs(), dict(case.row_tags)]),
        embedder.digest,
        redactor.digest,
    )
    if memory.result is not None:
        terms = DataTerms.model_validate(memory.kept("terms"))
        yield from _checks(memory.kept("expectations"), 0, 0, terms, purposes.refuses(terms, PURPOSE, day))
        yield memory.result
        return
    asked = [item.question for item in read_suite(lake, suite.ref)]
    candidates = tables.from_parquet(lake.read(augmented.ref))
    vectors = embedder.vectors([*asked, *(row["question"] for row in candidates)])
    leaking = leaking_rows(candidates, asked, vectors)
    index = KnowledgeIndex.build(read_articles(lake, knowledge.articles.ref), embedder)
    sides = read_sides(lake, augmented.ref)

    def of_side(side: str) -> list[datasets.Row]:
        """The rows of a side that leak nothing, with passages."""
        return datasets.with_passages(
            [row for row in candidates if sides[row["row_id"]] == side and row["row_id"] not in leaking],
            index,
            vectors,
            share=config.open_book_share,
            passages=config.passages,
            seed=config.seed,
        )

    training = of_side(TRAINING) + datasets.general_rows(workspace.general_pairs())
    held_out = of_side(HELD_OUT)
    columns = ["row_id", "day", "question", "predicted_intent"]
    reference = [
        {"row_id": r["row_id"], "day": r["day"], "question": r["question"], "intent": r["predicted_intent"]}
        for r in sample_days(context, lake, "labelled_conversations", day, config.reference_rows, columns)
    ]
    dropped = [{"row_id": i, "question": "", "reason": reason} for i, reason in sorted(leaking.items())]
    parts = {
        "rows": tables.to_parquet(training, tables.TRAINING),
        "held_out": tables.to_parquet(held_out, tables.TRAINING),
        "reference": tables.to_parquet(reference, tables.REFERENCE),
        "dropped": tables.to_parquet(dropped, tables.DROPPED),
    }
    about = run_tags(context, rows=str(len(training)), eval_suite=suite.digest)
    with lake.transaction(f"Training dataset of {day}", about, name=NAME, keep_on_error=True) as draft:
        for part, data in parts.items():
            draft.put(PATHS[part], data)
        stored = [r for part in ("rows", "held_out") for r in tables.from_parquet(lake.get(draft.branch, PATHS[part]))]
        validation = expectations.validate(NAME, [stored], rules)
        left = leaking_rows(stored, asked, embedder.vectors([*asked, *(row["question"] for row in stored)]))
        terms = purposes.terms(stored, case.row_tags)
        refused = purposes.refuses(terms, PURPOSE, day)
        personal = sum(bool(redactor.leaks(row[c])) for row in stored for c in ("question", "answer"))
        draft.put(PAGE, validation.page.encode())
        outcomes = [asdict(outcome) for outcome in validation.outcomes]
        yield from _checks(outcomes, len(left), personal, terms, refused)
        failed = [f"{o.name} on {', '.join(o.rows[:3]) or 'the table'}" for o in validation.failed]
        if failed or left or personal or refused:
            raise dg.Failure(
                f"the draft does not hold: {', '.join(failed) or 'all expectations met'}; {len(left)} rows leak the "
                f"eval suite, {personal} show personal data; training is {'; '.join(refused) or 'allowed'}. Main is "
                f"untouched, the draft is branch {draft.branch}",
                allow_retries=False,
            )
    assert draft.merged is not None
    digest = tables.digest(training)
    tag = f"{datasets.TRAINING_TAG}{digest[:12]}"
    if tag not in lake.tags():
        lake.tag(tag, draft.merged)
    counts = {kind: sum(row["kind"] == kind for row in training) for kind in ("closed_book", "open_book", "general")}
    refs = {part: lake.uri(draft.merged, PATHS[part]) for part in PATHS}
    record = TrainingSet(
        rows=DatasetRef(
            name=NAME,
            ref=refs["rows"],
            tag=tag,
            digest=digest,
            rows=len(training),
            counts=counts,
            inputs={"augmented_conversations": augmented.ref, "eval_suite": suite.ref},
        ),
        held_out=DatasetRef(
            name=f"{NAME}_held_out",
            ref=refs["held_out"],
            digest=tables.digest(held_out),
            rows=len(held_out),
        ),
        reference=DatasetRef(
            name=f"{NAME}_reference",
            ref=refs["reference"],
            digest=tables.digest(reference),
            rows=len(reference),
        ),
        until=day,
        terms=terms,
    )
    yield materialized(
        context,
        record,
        lake=lake,
        ref=refs["rows"],
        digest=digest,
        rows=len(training),
        tag=tag,
        memory=memory,
        expectations=dg.MetadataValue.json(outcomes),
        terms=dg.MetadataValue.json(terms.model_dump(mode="json")),
        data_docs=address(lake, lake.uri(draft.merged, PAGE)),
        held_out=len(held_out),
        leaks_dropped=len(leaking),
        reference_rows=len(reference),
        duplicate_rate=augmented.counts.get("duplicates_dropped", 0) / max(1, augmented.counts.get("candidates", 1)),
        figures={
            **counts,
            **overview(days.values(), training, held_out),
            **_shown(changes_since(previous, training, lake)),
        },
        inputs={"augmented_conversations": augmented.ref, "eval_suite": suite.ref},
    )


def _checks(
    outcomes: Sequence[Mapping[str, Any]], leaking: int, personal: int, terms: DataTerms, refused: Sequence[str]
) -> Iterator[dg.AssetCheckResult]:
    yield dg.AssetCheckResult(
        passed=all(outcome["passed"] for outcome in outcomes),
        check_name="expectations_hold",
        metadata={"outcomes": dg.MetadataValue.json(list(outcomes))},
    )
    yield dg.AssetCheckResult(passed=leaking == 0, check_name="no_eval_leakage", metadata={"rows": leaking})
    yield dg.AssetCheckResult(passed=personal == 0, check_name="no_personal_data_left", metadata={"rows": personal})
    yield dg.AssetCheckResult(
        passed=not refused,
        check_name="every_row_allows_training",
        description="; ".join(refused) or None,
        metadata={"terms": dg.MetadataValue.json(terms.model_dump(mode="json"))},
    )


def _shown(diff: provenance_diff.DatasetDiff | None) -> dict[str, object]:
    """The difference to the dataset before as metadata: counts, and a table of the rows."""
    if diff is None:
        return {}
    figures: dict[str, object] = {f"rows_{change}": count for change, count in diff.counts.items()}
    if diff.rows:
        figures["changes"] = table(
            {
                "change": row.change,
                "provenance": row.provenance,
                "columns": ", ".join(row.columns),
                "before": row.before[:200],
                "after": row.after[:200],
            }
            for row in diff.rows
        )
    return figures
