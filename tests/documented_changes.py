"""What is asked of the changes that the documentation describes; tests/test_docs.py makes them in a copy of the sources
and calls a function of this module in a process of its own."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest
from support import WordEmbedder, article, dataset, ref

from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import DatasetRef, FileRef, Record
from resources.deployment_target import DeploymentError, DeploymentTarget
from resources.lake.base import Lake

DAY = "2026-03-11"


def hand_over(instance: dg.DagsterInstance, asset: str, record: Record, partition: str | None = None) -> None:
    """Record a materialization as `materialized` would."""
    metadata = {"record": dg.MetadataValue.json(record.model_dump(mode="json"))}
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata=metadata, partition=partition))


def put(lake: Lake, path: str, data: bytes) -> FileRef:
    """A file in the lake."""
    with lake.transaction("put", {}, name="put") as transaction:
        transaction.put(path, data)
    assert transaction.merged is not None
    return FileRef(ref=lake.uri(transaction.merged, path), sha256=hash_bytes(data), size=len(data))


def hand_over_day(
    instance: dg.DagsterInstance, lake: Lake, asset: str, columns: tables.Columns, rows: Sequence[dict]
) -> None:
    """Rows of DAY as a daily asset hands them over."""
    file = put(lake, f"days/{asset}/{DAY}.parquet", tables.to_parquet(rows, columns))
    record = DatasetRef(name=asset, ref=file.ref, digest=tables.digest(rows), rows=len(rows))
    hand_over(instance, asset, record, DAY)


def target_of(definitions: dg.Definitions) -> DeploymentTarget:
    """The target that the assets of a code location are given."""
    found: list[DeploymentTarget] = []

    @dg.op
    def ask(target: dg.ResourceParam[DeploymentTarget]) -> None:
        found.append(target)

    @dg.job(resource_defs=definitions.get_repository_def().get_top_level_resources())
    def asking() -> None:
        ask()

    assert asking.execute_in_process().success
    return found[0]


def record_of(result: dg.ExecuteInProcessResult, asset: str) -> dict:
    """The record that an asset handed over in a run."""
    (event,) = result.asset_materializations_for_node(asset)
    return event.metadata["record"].value


def group(home: Path) -> None:
    """The asset of the group is in the graph under the group's name, and reads what another group hands over."""
    from llmops_assets.definitions import build_defs
    from resources import open_lake
    from resources.workspace import Workspace

    job = dg.define_asset_job("staff", selection=dg.AssetSelection.assets("colleagues_needed"))
    definitions = build_defs(home, jobs=[job])
    assert definitions.resolve_asset_graph().get(dg.AssetKey("colleagues_needed")).group_name == "staffing"
    paths = ["handover"] * 61 + ["matched"] * 9
    with dg.DagsterInstance.ephemeral() as instance:
        rows, lake = [{"path": path} for path in paths], open_lake(Workspace(home))
        hand_over_day(instance, lake, "interactions", tables.INTERACTIONS, rows)
        result = definitions.resolve_job_def("staff").execute_in_process(instance=instance, partition_key=DAY)
    assert record_of(result, "colleagues_needed") == {"handed_over": 61, "colleagues": 2}


def method(home: Path, tiny: Path) -> None:
    """The method trains, its weights are what it says, and the candidate is made of them."""
    from safetensors.torch import load

    from llmops_assets.definitions import build_defs
    from llmops_assets.lib.corpus.articles import to_jsonl
    from llmops_assets.lib.records import Candidate, KnowledgeIndexRef, Recipe, RouterPolicy, TrainingSet, TunedModel
    from llmops_assets.lib.training.loop import load_model, save_adapter, with_lora
    from resources import open_lake
    from resources.models import Models
    from resources.workspace import Settings, Workspace

    workspace = Workspace(home)
    workspace.write_settings(Settings(base_model=str(tiny)))
    lake, base, recipe = open_lake(workspace), Models(home / "models").resolve(str(tiny)), Recipe(rank=2)
    model, folder = with_lora(load_model(base.folder), recipe), home / "adapter"
    for name, value in model.named_parameters():
        if "lora_B" in name:
            value.data.fill_(0.5)
    digest = save_adapter(model, folder, base.ref.name, {}, []).digest
    files = [put(lake, f"adapters/a/{file.name}", file.read_bytes()) for file in sorted(folder.iterdir())]
    at = files[0].ref.model_copy(update={"path": "adapters/a", "commit": lake.resolve("main")})
    known = put(lake, "articles.jsonl", to_jsonl([article("a", "It is so.")]))
    articles = DatasetRef(name="knowledge", ref=known.ref, digest=known.sha256, rows=1)
    rows = dataset()
    training = TrainingSet(rows=rows, held_out=rows, reference=rows, until=DAY)
    index = FileRef(ref=ref("index.zip"), sha256="1" * 64, size=1)
    router = RouterPolicy(answer_above=0.7, hand_over_below=0.3)
    names = ["use_case", "hosting_plan", "base_model", "system_prompt", "calmer_adapter", "candidate"]
    job = dg.define_asset_job("calm", selection=dg.AssetSelection.assets(*names))
    with dg.DagsterInstance.ephemeral() as instance:
        tuned = TunedModel(name="a", ref=at, digest=digest, base=base.ref, recipe=recipe, dataset=rows)
        hand_over(instance, "adapter", tuned)
        hand_over(instance, "training_dataset", training)
        hand_over(
            instance, "knowledge_index", KnowledgeIndexRef(file=index, router=router, knowledge=articles, questions=1)
        )
        config = {"candidate": {"config": {"tuned": "calmer_adapter"}}}
        calm = build_defs(home, jobs=[job]).resolve_job_def("calm")
        result = calm.execute_in_process(instance=instance, run_config={"ops": config})
    made = TunedModel.model_validate(record_of(result, "calmer_adapter"))
    weights = load(lake.get(made.ref.commit, f"{made.ref.path}/adapter_model.safetensors"))
    assert {float(x) for name, value in weights.items() if "lora_B" in name for x in value.unique()} == {0.25}
    assert (made.recipe.method, made.warm_start) == ("calmer", digest)
    candidate = Candidate.model_validate(record_of(result, "candidate"))
    assert candidate.tuned == made
    assert candidate.manifest.adapter == made.engine_file


def layout(folder: Path) -> None:
    """The layout is recognised, tells who said what to whom, and keeps out what it does not know."""
    from llmops_assets.lib.sources import read_rows

    def entry(side: str, said: str, scope: str = "shared") -> dict[str, str]:
        return {"side": side, "said": said, "scope": scope, "at": f"{DAY}T10:00:00"}

    case = {
        "id": "d1",
        "client": {"number": 3, "email": "anna@mail.example"},
        "entries": [
            entry("client", "Is it loud?"),
            entry("robot", "Beep."),
            entry("desk", "They always ask.", "desk"),
            entry("desk", "Who may see this?", "planet"),
            entry("guest", "Mine is loud."),
            entry("desk", "No, it is silent.\n\n> Is it loud?"),
        ],
    }
    file = folder / "cases.jsonl"
    file.write_text(json.dumps(case) + "\n")
    (row,) = read_rows(file)
    assert (row.question, row.answer, row.subject) == ("Is it loud?", "No, it is silent.", "anna@mail.example")
    assert dict(row.left_out) == {
        "bot": 1, "private": 1, "unknown visibility": 1, "third person": 1, "quoted mail": 1
    }  # fmt: skip
    case["entries"][0]["side"] = "nobody"
    file.write_text(json.dumps(case) + "\n")
    with pytest.raises(ValueError, match="entry 0: side is none of client, desk"):
        list(read_rows(file))


def step(folder: Path) -> None:
    """The step answers before the article does, whole and streamed, and leaves other questions alone."""
    from gateway_support import Files, Gateway, streamed

    handover = "A colleague of one will help."
    with Gateway(Files(folder), folder) as gateway:
        gateway.serve(1, live=gateway.files.bundle(folder).release_id)

        def answered(question: str) -> str:
            whole = gateway.ask(question).json()["choices"][0]["message"]["content"]
            assert streamed(gateway.ask(question, stream=True).text).text == whole
            return whole

        assert answered("How can I return a lamp?") == "Returns are free within 30 days."
        assert answered("How can I return a lamp with smoke?") == handover


def package(folder: Path, mirrored: Path) -> None:
    """The package's asset counts, its source is read by day, and its target takes a release to a gateway."""
    from acme_assets.definitions import defs
    from gateway_support import ARTICLES, Files, Gateway
    from signing_support import publish_seal, trusted_file

    from llmops_assets.lib.answering.knowledge import KnowledgeIndex
    from resources import open_lake
    from resources.conversations import Conversations
    from resources.deployment_target import Ask
    from resources.workspace import Workspace

    workspace = Workspace(folder / ".llmops")
    with Gateway(Files(mirrored), mirrored) as gateway:
        os.environ |= {"ACME_FOLDER": str(mirrored), "ACME_GATEWAYS": gateway.address}
        definitions = defs()
        node = definitions.resolve_asset_graph().get(dg.AssetKey("return_questions"))
        assert (node.group_name, node.code_version) == ("returns", "1")
        with dg.DagsterInstance.ephemeral() as instance:
            rows = [{"question": text} for text in ("May I return it?", "Where is it?", "A RETURN, please")]
            hand_over_day(instance, open_lake(workspace), "labelled_conversations", tables.LABELLED, rows)
            job = definitions.resolve_job_def("count_returns")
            result = job.execute_in_process(instance=instance, partition_key=DAY)
        assert record_of(result, "return_questions") == {"returns": 2, "questions": 3}

        conversations = Conversations(workspace)
        assert list(map(str, conversations.days())) == ["2026-03-02", "2026-03-03"]
        (row,) = conversations.read(conversations.days()[0])
        assert (row.id[:6], row.question, row.answer) == ("forms/", "Where is it?", "On its way.")
        (rejected,) = conversations.read(conversations.days()[1])
        assert "is empty" in rejected.reason

        target = target_of(definitions)
        index = KnowledgeIndex.build(ARTICLES, WordEmbedder()).to_bytes()
        manifest = gateway.files.manifest("acme").model_copy(
            update={
                "engine_model": put(target.lake, "model.gguf", b"a model"),
                "knowledge_index": put(target.lake, "index.zip", index),
            }
        )
        broken = manifest.model_copy(update={"engine_model": put(target.lake, "model.gguf", b"broken")})
        trusted_file(target.trusted)
        for one in (manifest, broken):
            publish_seal(target.lake, one)
        assert target.apply(manifest, "live").live == manifest.release_id
        (reply,) = target.ask_many([Ask("How long does delivery take?")])
        assert (reply.answer, reply.release_id) == ("Delivery takes 3 to 5 days.", manifest.release_id)
        with pytest.raises(DeploymentError, match="did not take"):
            target.apply(broken, "live")
        assert target.status().live == manifest.release_id
