"""The suite on hand-made upstreams: what traffic gives it, and what keeps it apart from what is taught."""

from datetime import date, timedelta

import dagster as dg
import pytest
from release_support import failure
from support import WordEmbedder, article

from llmops_assets.data.eval_suite import eval_suite
from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.handover.contents import read_rows, read_suite
from llmops_assets.handover.reading import recorded
from llmops_assets.lib import tables
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.judging.recent import is_judged
from llmops_assets.lib.labelling.labelfiles import Label, keep_labels
from llmops_assets.lib.records import DatasetRef, EvalItem, FeedbackPolicy, KnowledgeBase, UseCase
from llmops_assets.samples import generator
from resources.conversations import Conversations
from resources.redactor import Redactors
from resources.use_case import UseCaseFiles
from resources.workspace import Settings, Workspace

pytestmark = pytest.mark.slow

DAY = date(2026, 3, 9)
RETURNS = article(
    "returns",
    "You can return any lamp within 45 days.",
    "May I send a lamp back?",
    facts=(("45 days",),),
    held_out=["Is it too late to give back a lamp after a month?"],
)
ASKED = [f"How late may I bring lamp number {n} of the kitchen back?" for n in range(40)]
CORRECTED, OTHER = [text for text in ASKED if is_judged(text)][:2]


class Upstreams:
    """An installation whose use case, knowledge base and days of traffic were materialized by hand."""

    def __init__(self, instance: dg.DagsterInstance, lake, home) -> None:
        self.instance, self.lake, self.workspace = instance, lake, Workspace(home)
        file = home / "articles.yaml"
        file.write_text("[]")
        self.workspace.write_settings(Settings(knowledge=file))
        case = generator.load_use_case()
        self.case: UseCase = case.model_copy(
            update={
                "out_of_scope": case.out_of_scope.model_copy(update={"held_out": ()}),
                "feedback": FeedbackPolicy(quarantine=False),
            }
        )
        self.report("use_case", self.case)
        self.know([RETURNS])

    def put(self, path: str, data: bytes) -> DatasetRef:
        with self.lake.transaction(f"put {path}", {}, name="upstream") as transaction:
            transaction.put(path, data)
        return DatasetRef(name=path, ref=self.lake.uri(transaction.merged, path), digest=hash_bytes(data), rows=1)

    def report(self, asset: str, record, day: date | None = None) -> None:
        metadata = {"record": dg.MetadataValue.json(record.model_dump(mode="json"))}
        partition = str(day) if day else None
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata=metadata, partition=partition))

    def know(self, trusted, served=None) -> None:
        kept = self.put("trusted.jsonl", articles.to_jsonl(trusted))
        shown = self.put("served.jsonl", articles.to_jsonl(served or trusted))
        self.report("knowledge_base", KnowledgeBase(articles=shown, trusted=kept, corrections=0))

    def asked(self, *rows: dict, day: date = DAY) -> None:
        plain = {"time": f"{day}T10:00:00", "path": "generated", "status": 200, "turn": 0, "rating": 0, "answer": "No."}
        full = [
            {**plain, "id": f"i-{row['question']}", "subject": f"s{n}", "conversation": f"c{n}", **row}
            for n, row in enumerate(rows)
        ]
        path = f"monitoring/interactions/{day}.parquet"
        self.report("interactions", self.put(path, tables.to_parquet(full, tables.INTERACTIONS)), day)

    def run(self, *assets, day: date = DAY, **config):
        use_case = UseCaseFiles(self.workspace.settings)
        return dg.materialize(
            list(assets) or [eval_suite],
            instance=self.instance,
            resources={
                "lake": self.lake,
                "use_case": use_case,
                "conversations": Conversations(self.workspace),
                "embedder": WordEmbedder(),
                "redactor": Redactors(self.workspace.subject_key, use_case),
                "workspace": self.workspace,
            },
            tags={"dagster/partition": str(day)},
            partition_key=str(day) if assets else None,
            run_config={"ops": {"eval_suite": {"config": config}}} if config else None,
            raise_on_error=False,
        )

    def suite(self, **config) -> list[EvalItem]:
        result = self.run(**config)
        assert result.success, failure(result)
        self.metadata = result.asset_materializations_for_node("eval_suite")[0].metadata
        record = recorded(self.instance, "eval_suite", DatasetRef)
        assert record is not None
        return read_suite(self.lake, record.ref)


@pytest.fixture
def up(lake, tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Upstreams(instance, lake, tmp_path)


def questions(items: list[EvalItem], slice_: str) -> set[str]:
    return {item.question for item in items if item.slice == slice_}


def correction(question: str, **fields) -> dict:
    return {"question": question, "correction": RETURNS.answer, "rating": -1, **fields}


def test_the_last_days_traffic_whose_answer_is_known_judges(up):
    up.asked(correction(CORRECTED), {"question": "Nice day today?"})
    items = up.suite()
    assert questions(items, "recent") == {CORRECTED}
    [item] = [item for item in items if item.slice == "recent"]
    assert (item.facts, item.source, item.failed) == (RETURNS.facts, f"i-{CORRECTED}", True)
    assert questions(items, "faq") == set(RETURNS.held_out)
    assert "recent" in str(up.metadata["seen"])
    later = DAY + timedelta(days=8)
    assert up.run(day=later).success
    record = recorded(up.instance, "eval_suite", DatasetRef)
    assert record is not None
    items = read_suite(up.lake, record.ref)
    assert questions(items, "recent") == set()
    assert questions(items, "failure_returns") == {CORRECTED}, "what failed stays, when it is no news any more"


def test_what_judges_is_not_taught_and_what_was_taught_does_not_judge(up):
    """Both ways: the corrections are shared out by question, and a dataset of any ancestor keeps a question out."""
    rows = [correction(text) for text in ASKED]
    up.asked(*rows)
    judged = questions(up.suite(), "recent")
    assert up.run(feedback_examples).success
    record = recorded(up.instance, "feedback_examples", DatasetRef)
    assert record is not None
    taught = {row["question"] for row in read_rows(up.lake, record.ref)}
    assert judged
    assert taught
    assert judged.isdisjoint(taught)
    # An ancestor of long ago, whose dataset is only a tag by now.
    old = [{"row_id": "t", "question": CORRECTED.upper()}]
    dataset = up.put(tables.TRAINING_ROWS, tables.to_parquet(old, tables.TRAINING))
    up.lake.tag("training-dataset-old", dataset.ref.commit)
    up.put(tables.TRAINING_ROWS, tables.to_parquet([], tables.TRAINING))
    items = up.suite()
    assert CORRECTED not in {item.question for item in items}
    assert questions(items, "recent") < judged


def test_a_question_that_the_served_knowledge_base_knows_does_not_judge(up):
    up.know([RETURNS], [RETURNS.model_copy(update={"questions": (*RETURNS.questions, CORRECTED)})])
    up.asked(correction(CORRECTED), correction(OTHER))
    assert CORRECTED not in questions(up.suite(), "recent")


def test_feedback_against_a_trusted_article_waits_for_a_person(up):
    other = article("delivery", "Delivery takes 3 to 5 days after packing.")
    up.know([RETURNS, other])
    wrong = {"path": "matched", "article": "delivery", "answer": other.answer}
    up.asked(correction(CORRECTED, **wrong))
    assert questions(up.suite(), "recent") == set()
    label = Label(row_id=f"i-{CORRECTED}", intent="returns", annotator="Ada", time="2026-03-10T10:00:00+00:00")
    keep_labels(up.workspace.labels_folder, [label], label.time)
    assert questions(up.suite(), "recent") == {CORRECTED}


def test_no_traffic_no_slice_and_as_many_questions_as_the_configuration_says(up):
    assert questions(up.suite(), "recent") == set()
    many = [text for text in (f"May item {n} of order {n * 7} go back to you?" for n in range(200)) if is_judged(text)]
    up.asked(*[correction(text) for text in many])
    assert len(questions(up.suite(recent=5), "recent")) <= 5
    assert questions(up.suite(days=0), "recent") == set()


def test_slices_that_somebody_wrote_stand_beside_the_others_and_faults_stop_the_run(up):
    folder = up.workspace.home / "slices"
    folder.mkdir()
    (folder / "limits.yaml").write_text("- {question: 'How many days?', expect: returns, require: [[45 days]]}\n")
    settings = up.workspace.settings.model_copy(update={"slices": folder, "scorers": {"limits": "exact"}})
    up.workspace.write_settings(settings)
    [item] = [item for item in up.suite() if item.slice == "limits"]
    assert (item.scorer, item.article) == ("exact", "returns")
    (folder / "empty.yaml").write_text("")
    told = failure(up.run())
    assert f"{folder / 'empty.yaml'}: no questions: write some, or remove the file" in told
