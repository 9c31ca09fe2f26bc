"""Why an answer was given, from a log, a release and a lake that hold it, and from ones that no longer do."""

from datetime import UTC, date, datetime

import pytest
from support import article, dataset

from llmops_assets.commands.explanations import Explainer, UnknownAnswerError
from llmops_assets.data import knowledge_base
from llmops_assets.evaluation.evidence import DECISION, REPORT
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib import explaining, tables
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import (
    DatasetRef,
    Feedback,
    FileRef,
    GateDecision,
    GatePolicy,
    HostingOption,
    Interaction,
    LakeRef,
    ModelRef,
    PromptRef,
    Release,
    ReleaseManifest,
    RouterPolicy,
    TrainingSet,
)

ARTICLES = [
    article("delivery", "Delivery takes 3 to 5 days.", "How long does delivery take?", "When will it arrive?"),
    article("returns", "Send it back within 30 days.", "How do I return an item?", "Can I send it back?"),
]
ROWS = [
    {
        "row_id": "r1",
        "kind": "open_book",
        "question": "How long does delivery take to Bonn?",
        "provenance": "inbox/2026-03-01/1",
    },
    {"row_id": "r2", "kind": "open_book", "question": "May I swap the colour?", "provenance": "inbox/2026-03-02/9"},
    {
        "row_id": "r1",
        "kind": "open_book",
        "question": "How long does delivery take to Bonn?",
        "provenance": "inbox/2026-03-01/1",
    },
]
OPTION = HostingOption.model_validate(
    {
        "name": "server",
        "kind": "self_hosted",
        "currency_per_hour": 3.6,
        "tokens_per_second": 30.0,
        "latency_p95_seconds": 1.0,
        "data_leaves_premises": False,
        "source": "made up",
    }
)


@pytest.fixture
def log(tmp_path):
    made = InteractionLog(f"sqlite:///{tmp_path / 'interactions.db'}")
    yield made
    made.close()


@pytest.fixture
def release(lake, words) -> Release:
    """A release of the bare base model with an index; the gate's decision and the training rows lie in the lake."""

    def put(path: str, data: bytes) -> LakeRef:
        with lake.transaction(path, {}, name="put") as transaction:
            transaction.put(path, data)
        return lake.uri(transaction.merged or "", path)

    put(knowledge_base.PATHS["articles"], articles.to_jsonl(ARTICLES))
    put("data/other.txt", b"unrelated")
    index = KnowledgeIndex.build(ARTICLES, words).to_bytes()
    file = FileRef(ref=put("indexes/i.zip", index), sha256=hash_bytes(index), size=len(index))
    manifest = ReleaseManifest(
        base=ModelRef(name="base", digest="b" * 64),
        prompt=PromptRef(name="assistant", version=4, template="Help.", digest="p"),
        knowledge_index=file,
        router=RouterPolicy(answer_above=0.8, hand_over_below=0.2, passages=2),
        handover="A person will answer.",
        language="en",
    )
    rows = put(tables.TRAINING_ROWS, tables.to_parquet(ROWS, tables.TRAINING))
    taught = DatasetRef(
        name="training_dataset", ref=rows, tag="training-dataset-abc", digest=tables.digest(ROWS), rows=3
    )
    decision = GateDecision(
        passed=True,
        candidate=manifest.release_id,
        incumbent="r-before",
        policy=GatePolicy(),
        slices=(),
        failed_slices=(),
        reasons=("not worse on faq",),
        evidence=(),
        status="passed",
    )
    gate = put(f"evaluation/gate/x/{DECISION}", decision.model_dump_json().encode())
    made = Release(
        release_id=manifest.release_id,
        manifest=manifest,
        manifest_ref=put("releases/m.json", manifest.text().encode()),
        gate=gate.model_copy(update={"path": f"evaluation/gate/x/{REPORT}"}),
        incumbent="r-before",
        training=TrainingSet(rows=taught, held_out=dataset(), reference=dataset(), until=date(2026, 3, 2)),
    )
    put(f"releases/{made.release_id}/release.json", made.model_dump_json().encode())
    return made


def logged(log: InteractionLog, release_id: str, name: str = "a1", **more) -> str:
    log.append(
        Interaction.model_validate(
            {
                "id": name,
                "time": datetime(2026, 3, 5, 9, 30, tzinfo=UTC),
                "release_id": release_id,
                "subject": "s1",
                "conversation": "c1",
                "question": "How long does delivery take, <PERSON_1>?",
                "answer": "Delivery takes 3 to 5 days.",
                "path": "matched",
                "article": "delivery",
                "similarity": 0.91,
                "latency_seconds": 0.5,
                **more,
            }
        )
    )
    return name


@pytest.fixture
def work(lake, log, words) -> Explainer:
    return Explainer(lake, log, words, OPTION)


def texts(work: Explainer, name: str) -> dict[str, str]:
    """Section to what it says."""
    return {s.title: explaining.to_text("", [s]) for s in work.sections(name)}


@pytest.mark.slow
def test_an_answer_is_followed_to_its_article_release_rows_and_price(lake, log, release, work):
    name = logged(log, release.release_id, guards="injection:question:note,secrets:answer:mask", output_tokens=9)
    log.add_feedback(
        Feedback(
            interaction=name, time=datetime(2026, 3, 5, tzinfo=UTC), rating=-1, reason="late", correction="Two days."
        )
    )
    told = texts(work, name)
    assert "path: matched: nearest article 0.91 (answered from 0.80 on, handed over below 0.20)" in told["answer"]
    assert "question: How long does delivery take, <PERSON_1>?" in told["answer"]
    assert "feedback: rated -1. late" in told["answer"]
    assert "corrected to: Two days." in told["answer"]
    commit = next(iter(lake.log("main", path=knowledge_base.PATHS["articles"]))).id
    assert f"as of lake commit {commit}" in told["articles"]
    assert "looked up again with the logged, redacted words: matched" in told["articles"]
    first = told["articles"].splitlines()[5]
    assert first.startswith("  - article delivery, similarity ")
    assert ", cited, of the answer in it 100%, text Delivery takes 3 to 5 days." in first
    assert "guard injection, where question, did note" in told["guards that fired"]
    assert "the gate decided against r-before: passed. not worse on faq" in told["release"]
    assert "prompt assistant version 4" in told["release"]
    assert "tag training-dataset-abc" in told["trained on"]
    nearest = told["nearest training rows"].splitlines()[4:]
    assert [line.split("row ")[1].split(",")[0] for line in nearest] == ["r1", "r2"]
    assert "provenance inbox/2026-03-01/1" in nearest[0]
    assert "0.00050000 at the prices of 'server'" in told["cost"]


def test_nobody_works_for_an_answer_out_of_the_cache_or_an_article(log, release, work):
    logged(log, release.release_id, "cached", path="generated", cached_seconds=12.4)
    told = texts(work, "cached")
    assert "path: generated, out of the cache: it was 12 s old" in told["answer"]
    assert "0.00000000 at the prices" in told["cost"]
    assert "none" in told["guards that fired"]


def test_a_follow_up_is_looked_up_in_its_conversation(log, release, work):
    logged(log, release.release_id, "first")
    logged(log, release.release_id, "other", conversation="c2", question="How do I return an item?", turn=0)
    logged(log, release.release_id, "second", question="and to Bonn?", turn=1, path="generated", article=None)
    assert "article delivery" in texts(work, "second")["articles"].splitlines()[5]


def test_what_is_gone_is_said_to_be_gone(lake, log, release, work):
    logged(log, release.release_id, "blank", question="", answer="")
    told = texts(work, "blank")
    assert explaining.ERASED in told["answer"]
    assert explaining.ERASED in told["articles"]
    assert "nothing to compare with" in told["nearest training rows"]
    logged(log, release.release_id)
    lake.erase(tables.TRAINING_ROWS)
    lake.erase("indexes/i.zip")
    told = texts(work, "a1")
    assert "none is left: their datasets were erased" in told["nearest training rows"]
    assert "state erased" in told["trained on"]
    assert "was erased" in told["articles"]


def test_an_answer_of_a_release_that_is_not_in_the_lake_tells_what_the_log_has(log, work):
    logged(log, "r-elsewhere")
    told = texts(work, "a1")
    assert "path: matched" in told["answer"]
    assert "r-elsewhere is not in the lake" in told["articles"]
    assert "release" not in told


def test_an_answer_that_is_not_in_the_log_is_unknown_or_erased(log, work):
    with pytest.raises(UnknownAnswerError, match="has no answer 'a1': it was never logged"):
        work.sections("a1")
    entry = log.audit("interaction erased", '{"interaction": "a1"}')
    with pytest.raises(UnknownAnswerError, match=f"audit entry {entry['number']} .* says 'interaction erased' of it"):
        work.sections("a1")
    with pytest.raises(UnknownAnswerError):
        work.sections("s1")


def test_an_index_of_another_embedder_is_not_looked_up_with_this_one(log, lake, release, words):
    class Other(type(words)):
        digest = "others"

    logged(log, release.release_id)
    told = texts(Explainer(lake, log, Other()), "a1")
    assert "another embedder" in told["articles"]
    assert "prices" not in told["cost"]
