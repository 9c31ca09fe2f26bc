"""One damaged thing per sentence that `llmops lineage verify` can say, on a small installation of real stores."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pygit2
import pytest

from llmops_assets.handover.lineage import verify
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import DatasetRef, FileRef, LakeRef, ModelRef, Recipe, TunedModel
from resources.lake.base import Lake
from resources.lake.embedded import EmbeddedLake
from resources.registry import Registry

pytestmark = pytest.mark.slow

TAG = "rows-1"


@dg.asset
def rows(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """A dataset with a tag."""
    commit = publish(context, lake, {"rows/all": b"all the rows"})
    lake.tag(TAG, commit)
    ref = lake.uri(commit, "rows/all")
    return materialized(context, DatasetRef(name="rows", ref=ref, tag=TAG, digest="d" * 64, rows=1), lake=lake, ref=ref)


@dg.asset
def adapter(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], registry: dg.ResourceParam[Registry]
) -> dg.MaterializeResult:
    """A folder of weights and a file with its hash, with a run and a model version in MLflow."""
    files = {"adapter/weights/1": b"one", "adapter/weights/2": b"two", "adapter/engine.gguf": b"engine"}
    commit = publish(context, lake, files)
    folder = lake.uri(commit, "adapter/weights")
    with registry.run("adapter", {"dagster_run": context.run.run_id}) as run:
        record = TunedModel(
            name="support",
            ref=folder,
            digest="a" * 64,
            engine_file=FileRef(ref=lake.uri(commit, "adapter/engine.gguf"), sha256=hash_bytes(b"engine"), size=6),
            base=ModelRef(name="base", digest="b"),
            recipe=Recipe(),
            dataset=DatasetRef(name="rows", ref=lake.uri(commit, "adapter/engine.gguf"), digest="d" * 64, rows=1),
        )
        registry.register_model("support", record, run.run_id)
    return materialized(context, record, lake=lake, ref=folder, mlflow_run=run.url)


@dg.asset
def note(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """A result that names what others published and has nothing of its own in any store."""
    ref = lake.uri(lake.resolve("main"), "rows/all")
    return materialized(context, DatasetRef(name="note", ref=ref, digest="d" * 64, rows=1))


@dataclass
class Installation:
    """Dagster, lake and MLflow after one run of each asset."""

    dagster: dg.DagsterInstance
    lake: EmbeddedLake
    registry: Registry
    runs: dict[str, str]
    """Asset to the Dagster run that made it."""

    def made(self, asset: str) -> str:
        """How `verify` names a materialization."""
        return f"{asset} of run {self.runs[asset][:8]}"

    def ref(self, asset: str) -> LakeRef:
        """The lake ref of an asset's materialization."""
        found = self.dagster.get_latest_materialization_event(dg.AssetKey(asset))
        assert found is not None
        assert found.asset_materialization is not None
        return LakeRef.model_validate(found.asset_materialization.metadata["lake_ref"].value)

    @property
    def git(self) -> pygit2.Repository:
        return pygit2.Repository(str(self.lake.root / "repository.git"))

    def stored(self, path: str) -> Path:
        """The file of the bytes at a path of main."""
        sha256 = self.lake.stat("main", path).sha256
        return self.lake.root / "objects" / sha256[:2] / sha256[2:]

    @property
    def mlflow_run(self) -> str:
        (run,) = self.registry.client.search_runs([self.registry.experiment_id])
        return run.info.run_id

    def broken(self) -> list[str]:
        return verify(self.dagster, self.lake, self.registry)


def registry_in(folder: Path) -> Registry:
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", ui="http://ui.example", artifacts=folder / "artifacts")


@pytest.fixture(scope="module")
def empty_mlflow(tmp_path_factory) -> Path:
    """A folder with an MLflow database: making one takes seconds, copying it does not."""
    folder = tmp_path_factory.mktemp("mlflow")
    assert registry_in(folder).experiment_id
    return folder


@pytest.fixture
def installed(tmp_path, empty_mlflow, lake) -> Iterator[Installation]:
    shutil.copytree(empty_mlflow, tmp_path / "mlflow")
    registry = registry_in(tmp_path / "mlflow")
    with dg.DagsterInstance.ephemeral() as instance:
        runs = {}
        for asset in (rows, adapter, note):
            done = dg.materialize([asset], instance=instance, resources={"lake": lake, "registry": registry})
            runs[asset.key.to_user_string()] = done.run_id
        yield Installation(instance, lake, registry, runs)


def test_what_is_whole_is_said_to_hold(installed):
    assert installed.broken() == []


def test_a_run_that_dagster_lost(installed):
    installed.dagster.run_storage.delete_run(installed.runs["note"])
    assert installed.broken() == [f"{installed.made('note')}: Dagster has no such run any more"]


def test_a_commit_that_main_does_not_have(installed):
    draft = "elsewhere"
    installed.lake.branch(draft)
    installed.lake.put(draft, "adrift", b"adrift")
    commit = installed.lake.commit(draft, "never merged")
    ref = installed.lake.uri(commit, "adrift")
    materialization = dg.AssetMaterialization("adrift", metadata={"lake_ref": str(ref)})
    assert installed.broken() == []
    run = forged(installed, materialization)
    assert installed.broken() == [
        f"adrift of run {run[:8]}: {ref} is not in the history of main: it was rewritten, or the commit removed"
    ]


def forged(installed: Installation, materialization: dg.AssetMaterialization) -> str:
    """A run that records a materialization as it is given, whatever it says; its id."""

    @dg.op
    def record(context: dg.OpExecutionContext) -> None:
        context.log_event(materialization)

    @dg.job
    def recording() -> None:
        record()

    return recording.execute_in_process(instance=installed.dagster).run_id


def test_bytes_that_were_erased(installed):
    ref = installed.ref("adapter").model_copy(update={"path": "adapter/engine.gguf"})
    installed.lake.erase(ref.path)
    assert installed.broken() == [
        f"{installed.made('adapter')}: the bytes of {ref} were erased: what they were cannot be verified"
    ]


def test_bytes_that_are_missing(installed):
    installed.stored("adapter/engine.gguf").unlink()
    (problem,) = installed.broken()
    assert problem.startswith(f"{installed.made('adapter')}: the bytes of adapter/engine.gguf are not stored any more")


def test_bytes_that_were_cut(installed):
    installed.stored("adapter/engine.gguf").write_bytes(b"cut")
    assert installed.broken() == [
        f"{installed.made('adapter')}: the bytes of adapter/engine.gguf have size 3, not 6: restore them from a backup"
    ]


@pytest.mark.parametrize("part", ["adapter/weights/1", "adapter/weights/2"])
def test_a_missing_file_of_a_folder(installed, part):
    installed.stored(part).unlink()
    told = f"the bytes of {part} are not stored any more: its branch was dropped and collected, or see fsck()"
    assert installed.broken() == [f"{installed.made('adapter')}: {told}", f"model support version 1: {told}"]


def test_a_path_that_its_commit_does_not_have(installed):
    ref = installed.lake.uri(installed.lake.resolve("main"), "never/there")
    run = forged(installed, dg.AssetMaterialization("adrift", metadata={"lake_ref": str(ref)}))
    assert installed.broken() == [f"adrift of run {run[:8]}: no object never/there at {ref.commit} in lake://llmops"]


def test_a_hash_that_is_not_the_recorded_one(installed):
    ref = installed.ref("rows")
    record = {"file": {"ref": str(ref), "sha256": "0" * 64}}
    run = forged(installed, dg.AssetMaterialization("adrift", metadata={"record": dg.MetadataValue.json(record)}))
    found = hash_bytes(b"all the rows")[:12]
    assert installed.broken() == [f"adrift of run {run[:8]}: {ref} has hash {found}, recorded was {'0' * 12}"]


def test_a_tag_that_is_gone(installed):
    ref = installed.ref("rows")
    installed.git.references.delete(f"refs/tags/{TAG}")
    assert installed.broken() == [f"{installed.made('rows')}: the tag {TAG} of {ref} is gone"]


def test_a_tag_that_was_moved_to_other_bytes(installed):
    ref = installed.ref("rows")
    with installed.lake.transaction("Other rows", name="other") as draft:
        draft.put("rows/all", b"other rows")
    installed.git.references[f"refs/tags/{TAG}"].set_target(installed.lake.resolve("main"))
    assert installed.broken() == [f"{installed.made('rows')}: the tag {TAG} names other bytes than {ref}"]


def test_a_run_that_mlflow_deleted(installed):
    run_id = installed.mlflow_run
    installed.registry.client.delete_run(run_id)
    told = f"MLflow has no run {run_id}, or it was deleted"
    assert installed.broken() == [f"{installed.made('adapter')}: {told}", f"model support version 1: {told}"]


def test_a_model_version_whose_run_mlflow_deleted(installed):
    other = installed.registry.client.create_run(installed.registry.experiment_id).info.run_id
    installed.registry.client.create_model_version("support", source="elsewhere", run_id=other)
    assert installed.broken() == []
    installed.registry.client.delete_run(other)
    assert installed.broken() == [f"model support version 2: MLflow has no run {other}, or it was deleted"]


def test_an_mlflow_run_that_says_it_is_of_another_dagster_run(installed):
    run_id, other = installed.mlflow_run, installed.runs["rows"]
    installed.registry.client.set_tag(run_id, "dagster_run", other)
    assert installed.broken() == [f"{installed.made('adapter')}: MLflow run {run_id} says it is of Dagster run {other}"]


def test_an_mlflow_run_of_a_run_that_dagster_does_not_have(installed):
    run_id = installed.registry.client.create_run(installed.registry.experiment_id).info.run_id
    installed.registry.client.set_tag(run_id, "dagster_run", "never")
    assert installed.broken() == [f"MLflow run {run_id}: Dagster has no run never"]


def test_a_commit_of_a_run_that_dagster_does_not_have(installed):
    with installed.lake.transaction("By hand", {"dagster_run": "never"}, name="hand") as draft:
        draft.put("by/hand", b"1")
    told = installed.broken()
    # The draft's commit and the merge carry the run.
    commits = [commit.id for commit in installed.lake.log("main", limit=2)]
    assert sorted(told) == sorted(f"lake commit {commit[:12]}: Dagster has no run never" for commit in commits)


def test_a_model_version_whose_bytes_are_not_in_main(installed):
    client, ref = installed.registry.client, installed.ref("adapter").model_copy(update={"commit": "0" * 40})
    client.set_model_version_tag("support", "1", "lake_ref", str(ref))
    assert installed.broken() == [
        f"model support version 1: {ref} is not in the history of main: it was rewritten, or the commit removed"
    ]


def test_a_ref_that_is_none(installed):
    installed.registry.client.set_model_version_tag("support", "1", "lake_ref", "s3://elsewhere")
    assert installed.broken() == ["model support version 1: 's3://elsewhere' is no address in a lake"]
