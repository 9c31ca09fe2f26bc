"""The held-out questions by scenario slice that every release is judged on."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from llmops_assets.data.interactions import interactions
from llmops_assets.data.knowledge_base import knowledge_base
from llmops_assets.handover import reading
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.contents import read_articles, read_rows, read_suite
from llmops_assets.handover.days import run_day
from llmops_assets.handover.display import counted, table
from llmops_assets.handover.memory import kept_file, still_there
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import evalsuite, tables
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.judging import recent
from llmops_assets.lib.records import FAILURE, RECENT, Article, DatasetRef, EvalItem, KnowledgeBase, UseCase
from llmops_assets.lib.sizing import lines, wanted
from llmops_assets.lib.tables import TRAINING_ROWS, TRAINING_TAG
from resources.conversations import Conversations
from resources.lake.base import GoneError, Lake
from resources.use_case import UseCaseFiles

if TYPE_CHECKING:
    from llmops_assets.lib.labelling.labelfiles import Label

NAME = "eval_suite"
PATH = f"data/{NAME}/items.jsonl"
POOL = 500
"""Questions of customers that are looked at, to draw from."""
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


def repeated(items: Sequence[EvalItem], articles: Iterable[Article]) -> list[dict]:
    """Customers' questions that nearly equal a known phrasing of a served article: the index would give them away."""
    from llmops_assets.lib.corpus.deduplication import contaminated

    ids = {item.question: item.id for item in items if item.source}
    known = (("knowledge_base", article.id, question) for article in articles for question in article.questions)
    return [
        {"item": ids[hit.question], "row": hit.row_id, "dataset": hit.where, "how": hit.kind}
        | {"similarity": round(hit.similarity, 2)}
        for hit in contaminated(list(ids), known)
    ]


def traffic(
    context: dg.AssetExecutionContext, lake: Lake, days: int, articles: Sequence[Article], labels: "Mapping[str, Label]"
) -> recent.Outcomes:
    """What feedback and people say about the interactions of the last days."""
    from llmops_assets.lib.labelling.labelfiles import MACHINE

    until = run_day(context)
    known = reading.days(context, "interactions", until=until)
    refs = [ref for day, ref in known.items() if (until - day).days < days]
    people = {row: label.intent for row, label in labels.items() if not label.annotator.startswith(MACHINE)}
    return recent.outcomes((row for ref in refs for row in read_rows(lake, ref.ref)), articles, people)


def before(context: dg.AssetExecutionContext, lake: Lake) -> list[EvalItem]:
    """The items of the suite before this one, for the failures that it remembers; none the first time or if erased."""
    last = reading.previous(context, DatasetRef)
    return [] if last is None or not still_there(lake, str(last.ref)) else read_suite(lake, last.ref)


@dataclass(frozen=True)
class Drawn:
    """The items of a suite; of those that were written the ones left out, as hits; the ids that may not stand in it,
    and the customers' questions that may not; and what to keep of the comparison for the next time."""

    items: list[EvalItem]
    left_out: list[dict]
    refused: set[str]
    taught: set[str]
    checked: bytes


def draw(
    lake: Lake,
    written: list[EvalItem],
    known: Sequence[recent.Known],
    remembered: Sequence[EvalItem],
    articles: Sequence[Article],
    served: Iterable[Article],
    *,
    recents: int,
    failures: int,
) -> Drawn:
    """The suite of what was written and of traffic, without what any training dataset or the served index has.

    What was taught is left out before the sample is drawn, so that the sample has the size it needs.
    """
    tags = {tag: commit for tag, commit in lake.tags().items() if tag.startswith(TRAINING_TAG)}
    pool = recent.sample(known, POOL)
    possible = recent.items(pool, remembered, articles, recent=POOL, failures=POOL)
    hits, checked = contaminations(lake, evalsuite.ordered([*written, *possible]), tags)
    refused = {hit["item"] for hit in (*hits, *repeated(possible, served))}
    taught = {item.question for item in possible if item.id in refused}
    asked = recent.items(
        [one for one in pool if one.question not in taught],
        [item for item in remembered if item.question not in taught],
        articles,
        recent=recents,
        failures=failures,
    )
    ids = {item.id for item in written}
    items = evalsuite.ordered([*(item for item in written if item.id not in refused), *asked])
    return Drawn(items, [hit for hit in hits if hit["item"] in ids], refused, taught, checked)


class SuiteConfig(dg.Config):
    """How much of the traffic judges."""

    days: int = Field(7, ge=0, description="last days of traffic that the slice `recent` is drawn from; 0: none")
    recent: int = Field(60, ge=0, description="its questions at most; fewer where the gate's policy needs fewer")
    failures: int = Field(24, ge=0, description="questions of known failures at most, beside those in `recent`")


@dg.asset(
    deps=["use_case", knowledge_base, interactions],
    kinds={"jsonl"},
    owners=["team:ml-engineering"],
    code_version="5",
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
    context: dg.AssetExecutionContext,
    config: SuiteConfig,
    lake: dg.ResourceParam[Lake],
    use_case: dg.ResourceParam[UseCaseFiles],
    conversations: dg.ResourceParam[Conversations],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Held-out questions in slices: faq, complaint, slang, typos, out_of_scope, new_topic, those of dialogues, a sample
    of the last days' traffic whose right answer is known, and known failures; what is right say trusted articles only.

    A question that some training dataset had before it became a question of the suite is left out, and listed; so is a
    customer's, and one that the knowledge base knows, and both are counted. Where the use case names no questions out
    of scope, that slice is missing: unmeasured, not passed.
    """
    knowledge = read(context, "knowledge_base", KnowledgeBase)
    case = read(context, "use_case", UseCase)
    foreign = case.out_of_scope.held_out
    articles, claims = read_articles(lake, knowledge.trusted.ref), Claims(context)
    dated = [a.available_from for a in articles if a.available_from]
    written = evalsuite.build_suite(
        articles,
        foreign,
        new_since=min(dated, default=None),
        dialogues=use_case.dialogues(),
        slices=use_case.slices(),
    )
    found = traffic(context, lake, config.days, articles, conversations.labels())
    served, remembered = read_articles(lake, knowledge.articles.ref), before(context, lake)
    size = wanted(RECENT, case.gate, config.recent)
    drawn = draw(lake, written, found.known, remembered, articles, served, recents=size, failures=config.failures)
    data = evalsuite.to_jsonl(drawn.items)
    commit = publish(context, lake, {PATH: data, CHECKED: drawn.checked}, items=len(drawn.items))
    ref = lake.uri(commit, PATH)
    items = read_suite(lake, ref)
    asked = [item for item in items if item.slice.startswith((RECENT, FAILURE)) and item.question in drawn.taught]
    left = [*asked, *(item for item in items if item.id in drawn.refused)]
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
        traffic_known=counted("known by", Counter(one.how for one in found.known), "questions"),
        traffic_failed=sum(one.failed for one in found.known),
        traffic_unknown=counted("reason", found.unknown, "interactions"),
        traffic_taught=len(drawn.taught),
        disputed=len(found.disputed),
        seen=table(lines(counts, case.gate)),
        left_out=table(drawn.left_out),
        inputs=inputs,
    )
