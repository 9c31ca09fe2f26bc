"""An installation on the tiny model whose upstreams of training were materialized by hand, for what trains for real."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
from support import WordEmbedder

from llmops_assets.handover import serving
from llmops_assets.handover.reading import recorded
from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import (
    BaseModelRef,
    DatasetRef,
    Deployment,
    FileRef,
    PromptRef,
    Record,
    Release,
    ReleaseManifest,
    RouterPolicy,
    TrainingSet,
    TunedModel,
)
from llmops_assets.training.adapter import adapter
from resources.lake.base import Lake
from resources.lake.embedded import EmbeddedLake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace

QUICK = {"rank": 4, "alpha": 8, "learning_rate": 5e-3, "epochs": 2.0, "batch_tokens": 400, "max_tokens": 100_000}
"""A training of a fraction of a second."""
PROMPT = "Be brief."


def row(number: int, answer: str = "", provenance: str = "") -> dict:
    """A row to learn, whose answer is its number."""
    return {
        "row_id": f"row-{number}",
        "kind": "closed_book",
        "article": f"number-{number}",
        "question": f"what is number {number}?",
        "answer": answer or f"it is {number}",
        "source": "inbox",
        "provenance": provenance or f"inbox/2026-03-0{1 + number // 10}/{number}",
        "purpose": "support,training",
    }


@dataclass
class TrainingWorld:
    """Lake, registry, base model and Dagster's record of an installation; everything real, and small."""

    folder: Path
    instance: dg.DagsterInstance
    source: str | Path

    def __post_init__(self) -> None:
        self.lake: Lake = EmbeddedLake(self.folder / "lake")
        mlflow = f"sqlite:///{self.folder / 'mlflow.db'}"
        self.registry = Registry(mlflow, ui="http://mlflow.example", artifacts=self.folder / "artifacts")
        self.models = Models(self.folder / "models")
        self.workspace = Workspace(self.folder / "home")
        (self.folder / "home").mkdir()
        (self.folder / "home" / "settings.yaml").write_text(f"base_model: {self.source}")
        self.embedder = WordEmbedder()
        self.base = self.models.resolve(str(self.source))
        self.report("base_model", BaseModelRef(ref=self.base.ref, source=self.base.source))
        self.say(PROMPT)

    def report(self, asset: str, record: Record) -> None:
        """Materialize an asset by hand."""
        metadata = {"record": dg.MetadataValue.json(record.model_dump(mode="json"))}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata=metadata))

    def put(self, path: str, data: bytes) -> FileRef:
        with self.lake.transaction(f"put {path}", {}, name="put") as transaction:
            transaction.put(path, data)
        assert transaction.merged is not None
        return FileRef(ref=self.lake.uri(transaction.merged, path), sha256=hash_bytes(data), size=len(data))

    def say(self, template: str) -> PromptRef:
        """The system prompt from now on."""
        self.prompt = PromptRef(
            name="tiny-system-prompt", version=1, template=template, digest=hash_bytes(template.encode())
        )
        self.report("system_prompt", self.prompt)
        return self.prompt

    def publish(self, rows: Sequence[dict], path: str = tables.TRAINING_ROWS) -> DatasetRef:
        """Publish rows to learn."""
        made = [{name: r.get(name, [] if kind == tables.TEXTS else "") for name, kind in tables.TRAINING} for r in rows]
        ref = self.put(path, tables.to_parquet(made, tables.TRAINING)).ref
        return DatasetRef(name="training_dataset", ref=ref, digest=tables.digest(made), rows=len(rows))

    def teach(self, rows: Sequence[dict], path: str = tables.TRAINING_ROWS) -> TrainingSet:
        """Publish a training dataset, and hand it over."""
        learned = self.publish(rows, path)
        held_out = self.publish(rows[:2], "data/training_dataset/held_out.parquet")
        self.training = TrainingSet(rows=learned, held_out=held_out, reference=held_out, until=date(2026, 3, 2))
        self.report("training_dataset", self.training)
        return self.training

    def train(self, **config: object) -> TunedModel:
        """Run the asset `adapter` and return what it hands over."""
        resources = {
            "lake": self.lake,
            "registry": self.registry,
            "models": self.models,
            "workspace": self.workspace,
        }
        result = dg.materialize(
            [adapter],
            instance=self.instance,
            resources=resources,
            run_config={"ops": {"adapter": {"config": {**QUICK, **config}}}},
        )
        assert result.success
        found = recorded(self.instance, "adapter", TunedModel)
        assert found is not None
        return found

    def release(self, tuned: TunedModel, **more: object) -> Release:
        """Publish a release of an adapter, and say that it serves."""
        manifest = ReleaseManifest(
            base=self.base.ref,
            adapter=tuned.engine_file,
            adapter_digest=tuned.digest,
            prompt=self.prompt,
            router=RouterPolicy(answer_above=0.9, hand_over_below=0.1),
            handover="I am handing you over.",
        ).model_copy(update=more)
        folder = serving.folder_of(manifest.release_id)
        at = self.put(f"{folder}/manifest.json", manifest.text().encode()).ref
        made = Release(
            release_id=manifest.release_id,
            manifest=manifest,
            manifest_ref=at,
            gate=at.model_copy(update={"path": f"evaluation/gate/{manifest.release_id}/report.json"}),
            incumbent=None,
            tuned=tuned,
            training=self.training,
        )
        self.put(f"{folder}/release.json", made.model_dump_json().encode())
        live = Deployment(
            release_id=made.release_id,
            stage="live",
            target="scripted",
            address="",
            previous=None,
            applied_at=datetime.now(UTC),
        )
        self.report("deployment", live)
        return made
