"""The way of a release on hand-made upstreams: real assets, embedded lake, SQLite registry, scripted target."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import pytest
import yaml
from scripted_target import Said, ScriptedTarget
from support import article, dataset

from llmops_assets.deployment.deployment import deployment
from llmops_assets.deployment.release import release
from llmops_assets.evaluation.candidate import candidate
from llmops_assets.evaluation.gate import gate
from llmops_assets.evaluation.quality_report import quality_report
from llmops_assets.evaluation.safety_report import safety_report
from llmops_assets.handover import serving
from llmops_assets.handover.reading import recorded
from llmops_assets.lib import evalsuite
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import (
    BaseModelRef,
    DatasetRef,
    DataTerms,
    EngineModel,
    EvalItem,
    FileRef,
    GatePolicy,
    KnowledgeIndexRef,
    ModelRef,
    Recipe,
    Record,
    RouterPolicy,
    TrainingSet,
    TunedModel,
    UseCase,
)
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.signer import Signer
from resources.workspace import Workspace

JUDGEMENT = [candidate, quality_report, safety_report, gate]
WAY = [*JUDGEMENT, release, deployment]
QUIET = {"quality_report": {"config": {"ablations": False}}}
GATE = GatePolicy(minimum_accuracy=0.5, on_undecided="accept", margins={"out_of_scope": 0.2})
"""For a suite of ten questions: what is undecided passes where the measured loss is within the margin."""
ANSWER = "Delivery takes 3 to 5 days."


def items(*, facts: bool = True) -> list[EvalItem]:
    """Eight questions of the slice faq, two that a person must answer."""
    known = [
        EvalItem(
            id=f"faq-{n}",
            slice="faq",
            question=f"What is number {n}?",
            article="delivery",
            intent="delivery",
            reference=ANSWER,
            facts=((f"fact {n}",),) if facts else (),
        )
        for n in range(8)
    ]
    foreign = [
        EvalItem(id=f"out-{n}", slice="out_of_scope", question=f"Moon {n}?", article=None, intent="", reference="")
        for n in range(2)
    ]
    return [*known, *foreign]


@dataclass
class World:
    """An installation whose upstreams were materialized by hand."""

    instance: dg.DagsterInstance
    lake: Lake
    registry: Registry
    target: ScriptedTarget
    root: Any
    log: InstalledLog
    signer: Signer

    def __post_init__(self) -> None:
        path = self.root / "llmops_assets/samples/use_case.yaml"
        self.case = UseCase.model_validate(yaml.safe_load(path.read_text()))
        self.base = ModelRef(name="base", digest="b" * 64)
        self.workspace = Workspace(self.signer.trusted.parent.parent / "home")
        self.training = TrainingSet(rows=dataset(), held_out=dataset(), reference=dataset(), until=date(2026, 3, 2))
        knowledge = self.put("articles.jsonl", articles.to_jsonl([article("delivery", ANSWER)]))
        self.knowledge = DatasetRef(name="knowledge", ref=knowledge.ref, digest=knowledge.sha256, rows=1)
        self.case = self.case.model_copy(update={"gate": GATE})
        self.report("use_case", self.case)
        self.report("base_model", BaseModelRef(ref=self.base, source="base"))
        self.report("quantized_model", EngineModel(kind="q8_0", file=None, size=1, losses={}))
        self.report("training_dataset", self.training)
        self.report("system_prompt", self.registry.register_prompt("assistant", "Help politely. Be brief."))
        index = KnowledgeIndexRef(
            file=self.put("index.zip", b"index"),
            router=RouterPolicy(answer_above=0.7, hand_over_below=0.3),
            knowledge=self.knowledge,
            questions=1,
        )
        self.report("knowledge_index", index)
        self.publish_suite(items())
        # The registry's store is shared by the tests of a module.
        for kind in ("adapter", "model"):
            self.registry.drop_alias(f"assistant-{kind}", "champion")
        self.tune("adapter", "one")
        self.answer_right()

    def put(self, path: str, data: bytes) -> FileRef:
        with self.lake.transaction(f"put {path}", {}, name="upstream") as transaction:
            transaction.put(path, data)
        commit = transaction.merged or self.lake.resolve("main")
        return FileRef(ref=self.lake.uri(commit, path), sha256=hash_bytes(data), size=len(data))

    def report(self, asset: str, record: Record) -> None:
        """Materialize an asset by hand."""
        metadata = {"record": dg.MetadataValue.json(record.model_dump(mode="json"))}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata=metadata))

    def publish_suite(self, suite: list[EvalItem]) -> None:
        file = self.put("evaluation/suite.jsonl", evalsuite.to_jsonl(suite))
        self.report("eval_suite", DatasetRef(name="suite", ref=file.ref, digest=file.sha256, rows=len(suite)))

    def tune(self, asset: str, name: str, *, kind: str = "adapter", terms: DataTerms | None = None) -> TunedModel:
        """A tuned model of other weights than every other one."""
        file = self.put(f"models/{asset}/{name}.gguf", f"{asset} {name}".encode())
        model = TunedModel(
            kind=kind,
            name=f"assistant-{kind}",
            ref=file.ref.model_copy(update={"path": f"models/{asset}"}),
            digest=file.sha256,
            engine_file=file,
            base=self.base,
            recipe=Recipe(),
            dataset=dataset(),
            terms=terms or DataTerms(),
        )
        with self.registry.run(asset, {}) as run:
            version = self.registry.register_model(model.name, model, run.run_id)
        model = model.model_copy(update={"model_version": version})
        self.report(asset, model)
        return model

    def answer_right(self, release: str = "", numbers=range(8)) -> None:
        for n in numbers:
            self.target.say(f"What is number {n}?", Said(f"It is fact {n}.", article="delivery"), release)

    def answer_wrong(self, release: str = "", numbers=range(8)) -> None:
        for n in numbers:
            self.target.say(f"What is number {n}?", Said("It is something.", article="other"), release)

    def run(self, assets=WAY, **config: dict) -> dg.ExecuteInProcessResult:
        """Materialize assets; `config` by the name of the asset."""
        names = {one.key.to_user_string() for one in assets}
        wanted = {**QUIET, **{name: {"config": values} for name, values in config.items()}}
        return dg.materialize(
            assets,
            instance=self.instance,
            resources={
                "lake": self.lake,
                "registry": self.registry,
                "target": self.target,
                "interaction_log": self.log,
                "signer": self.signer,
                "workspace": self.workspace,
            },
            run_config={"ops": {name: values for name, values in wanted.items() if name in names}},
            raise_on_error=False,
        )

    def released(self, name: str = "one") -> str:
        """The name of the release that a successful run of the whole way leaves live."""
        self.tune("adapter", name)
        result = self.run()
        assert result.success, failure(result)
        live = self.live
        assert live is not None
        return live

    @property
    def live(self) -> str | None:
        """What the target serves, after it was seen to serve nothing beside it."""
        state = self.target.states[-1]
        assert (state.canary, state.shadow, state.preview) == (None, None, None)
        return state.live

    @property
    def serves(self) -> str | None:
        """What `handover.serving` says."""
        found = serving.recorded(self.instance, self.lake)
        return found.release.release_id if found else None

    def record(self, asset: str, kind: type[Record]):
        found = recorded(self.instance, asset, kind)
        assert found is not None
        return found


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed, in the words of the asset."""
    assert not result.success
    events = [event for event in result.all_events if event.is_step_failure]
    return "\n".join(str(event.step_failure_data.error) for event in events)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """The store is shared by a module: making one takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", ui="http://mlflow.example", artifacts=folder / "artifacts")


@pytest.fixture
def world(lake, registry, tmp_path, root):
    """An installation on hand-made upstreams."""
    with dg.DagsterInstance.ephemeral() as instance:
        log = InstalledLog(f"sqlite:///{tmp_path / 'interactions.db'}")
        signer = Signer(tmp_path / "keys/signing.key", tmp_path / "keys/trusted.pem")
        target = ScriptedTarget(lake, Models(tmp_path / "models"), signer.trusted)
        yield World(instance, lake, registry, target, root, log, signer)
        log.close()
