"""The held-out questions by scenario slice that every release is judged on."""

import json
from collections import defaultdict
from collections.abc import Iterator

import dagster as dg

from llmops_assets.data.knowledge_base import knowledge_base
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.contents import read_articles, read_suite
from llmops_assets.handover.display import counted, table
from llmops_assets.handover.memory import kept_file
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import evalsuite, tables
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import DatasetRef, EvalItem, GatePolicy, KnowledgeBase, UseCase
from llmops_assets.lib.sizing import sizes
from llmops_assets.lib.tables import TRAINING_ROWS, TRAINING_TAG
from resources.lake.base import GoneError, Lake
from resources.use_case import UseCaseFiles

NAME = "eval_suite"
PATH = f"data/{NAME}/items.jsonl"
CHECKED = f"data/{NAME}/contamination.json"
"""Tag of a training dataset to item id to what was found: by row id, without texts."""


def trained_on(lake: Lake, commit: str) -> Iterator[tuple[str, str]]:
    """(row id, question) of a published training dataset."""
    with lake.open(commit, TRAINING_ROWS) as file:
        for piece in tables.batches(file, ["row_id", "question"]):
            yield from ((row["row_id"], row["question"]) for row in piece)


def was_erased(lake: Lake, commit: str) -> bool:
    """Whether a training dataset's rows are gone: it teaches no one any more."""
    try:
        lake.open(commit, TRAINING_ROWS).close()
    except GoneError:
        return True
    return False


def contaminations(lake: Lake, items: list[EvalItem], tags: dict[str, str]) -> tuple[list[dict], bytes]:
    """Items that nearly equal a question of some training dataset, and what to keep of that for the next time.

    A dataset is compared with an item once: what was found is kept beside the suite, by row id and without any text, so
    that of an archive of datasets only the new ones are read, and all of them only for items that are new.
    """
    stored = kept_file(lake, CHECKED)
    known: dict[str, dict[str, list[dict]]] = json.loads(stored[1]) if stored else {}
    found: dict[str, dict[str, list[dict]]] = {}
    for tag, commit in sorted(tags.items()):
        if was_erased(lake, commit):
            continue
        before = known.get(tag, {})
        hits = {item.id: before[item.id] for item in items if item.id in before}
        if fresh := [item for item in items if item.id not in before]:
            hits |= _compared(lake, tag, commit, fresh)
        found[tag] = hits
    listed = [{"item": i, **hit} for hits in found.values() for i, told in sorted(hits.items()) for hit in told]
    return listed, json.dumps(found, sort_keys=True).encode()


def _compared(lake: Lake, tag: str, commit: str, items: list[EvalItem]) -> dict[str, list[dict]]:
    """Item id to what of a dataset nearly equals its question."""
    from llmops_assets.lib.corpus.deduplication import contaminated

    ids: dict[str, list[str]] = defaultdict(list)
    for item in items:
        ids[item.question].append(item.id)
    hits: dict[str, list[dict]] = {item.id: [] for item in items}
    for hit in contaminated(list(ids), ((tag, *row) for row in trained_on(lake, commit))):
        for item_id in ids[hit.question]:
            told = {"row": hit.row_id, "dataset": tag, "how": hit.kind, "similarity": round(hit.similarity, 2)}
            hits[item_id].append(told)
    return hits


def what_is_seen(counts: dict[str, int], policy: GatePolicy) -> list[dict[str, str | int | float]]:
    """A line per unit of the gate's policy: what so many questions can and cannot show."""
    return [
        {
            "unit": size.unit,
            "questions": size.questions,
            "margin": size.margin,
            "an equal one is shown": size.power,
            f"questions for {policy.power:.0%}": size.needed or "",
            "loss that is stopped": "" if size.seen is None else size.seen,
            "when undecided": policy.when_undecided(size.unit),
        }
        for size in sizes(counts, policy)
    ]


@dg.asset(
    deps=["use_case", knowledge_base],
    kinds={"jsonl"},
    owners=["team:ml-engineering"],
    code_version="4",
    check_specs=[
        dg.AssetCheckSpec(
            "never_trained_on",
            asset=NAME,
            blocking=True,
            description="No stored question was in a training dataset, of any commit, that nearly equals it.",
        ),
    ],
)
def eval_suite(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], use_case: dg.ResourceParam[UseCaseFiles]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Held-out questions in slices: faq, complaint, slang, typos, out_of_scope, new_topic, and those of dialogues; of
    trusted articles only.

    A question that some training dataset had before it became a question of the suite is left out, and listed. Where
    the use case names no questions out of scope, that slice is missing: unmeasured, not passed.
    """
    knowledge = read(context, "knowledge_base", KnowledgeBase)
    case = read(context, "use_case", UseCase)
    foreign = case.out_of_scope.held_out
    tags = {tag: commit for tag, commit in lake.tags().items() if tag.startswith(TRAINING_TAG)}
    articles, claims = read_articles(lake, knowledge.trusted.ref), Claims(context)
    dated = [a.available_from for a in articles if a.available_from]
    built = evalsuite.build_suite(articles, foreign, new_since=min(dated, default=None), dialogues=use_case.dialogues())
    hits, checked = contaminations(lake, built, tags)
    known = {hit["item"] for hit in hits}
    data = evalsuite.to_jsonl([item for item in built if item.id not in known])
    files = {PATH: data, CHECKED: checked}
    commit = publish(context, lake, files, items=len(built) - len(known))
    ref = lake.uri(commit, PATH)
    items = read_suite(lake, ref)
    left = [item.id for item in items if item.id in known]
    claims.hold("never_trained_on", items and not left, f"{len(left)} of {len(items)} questions", questions=len(left))
    yield from claims.results()
    claims.insist("No release can be judged by questions that were trained on, or by none")
    counts = evalsuite.counts(items)
    inputs = {"knowledge_base": knowledge.trusted.ref}
    record = DatasetRef(name=NAME, ref=ref, digest=hash_bytes(data), rows=len(items), counts=counts, inputs=inputs)
    yield materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        claims=claims,
        questions=len(items),
        unmeasured=[name for name in evalsuite.SLICES if name not in counts],
        slices=counted("slice", counts, "questions"),
        seen=table(what_is_seen(counts, case.gate)),
        left_out=table(hits),
        inputs=inputs,
    )
