"""What was trained is trained once more from its build alone, byte for byte; what differs is named."""

import json

import dagster as dg
import pytest
from support import article
from training_world import TrainingWorld, row

from llmops_assets.commands.reproductions import Part, Reproduction
from llmops_assets.data import knowledge_base
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import Build, Release, TunedModel
from llmops_assets.lib.training.gguf_weights import quantization, requantize
from llmops_assets.training import rebuilding
from llmops_assets.training.rebuilding import NotRebuildableError
from resources.models import EMBEDDED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory, tiny_gguf):
    with dg.DagsterInstance.ephemeral() as instance:
        yield TrainingWorld(tmp_path_factory.mktemp("world"), instance, tiny_gguf)


@pytest.fixture(scope="module")
def releases(world) -> list[Release]:
    """Three releases, each warm-started from the one before on more rows; the last one with an index and an engine's
    file, and then an unrelated change of the lake."""
    made = []
    for number in range(3):
        world.teach([row(n) for n in range(4 + 3 * number)])
        tuned = world.train(warm_start=number > 0, replay_rows=2)
        more = {}
        if number == 2:
            known = [article("delivery", "It takes 3 days.", "How long does delivery take?")]
            world.put(knowledge_base.PATHS["articles"], articles.to_jsonl(known))
            data = KnowledgeIndex.fitted(known, world.embedder).to_bytes()
            smaller = world.folder / "q8.gguf"
            requantize(world.base.gguf, smaller, "Q8_0")
            more = {
                "knowledge_index": world.put(f"indexes/{hash_bytes(data)[:16]}.zip", data),
                "engine_model": world.put("engine_models/q8.gguf", smaller.read_bytes()),
            }
        made.append(world.release(tuned, **more))
    world.teach([row(n, "something else") for n in range(30)])
    world.put("data/other.txt", b"unrelated")
    return made


@pytest.fixture
def work(world) -> Reproduction:
    return Reproduction(world.lake, world.models, world.workspace, world.embedder)


def tuned_of(release: Release) -> TunedModel:
    assert release.tuned is not None
    return release.tuned


def with_build(world: TrainingWorld, release: Release, **changed: object) -> Release:
    """The release with another build beside its adapter: as if its author had been wrong, or someone had changed it."""
    build = rebuilding.build_at(world.lake, tuned_of(release).ref).model_copy(update=changed)
    return with_file(world, release, "build.json", build.model_dump_json().encode())


def with_file(world: TrainingWorld, release: Release, name: str, data: bytes) -> Release:
    """The release with another file beside its adapter, on no branch that a test reads."""
    tuned = tuned_of(release)
    with rebuilding.scratch_branch(world.lake, "aside", tuned.ref.commit) as branch:
        world.lake.put(branch, f"{tuned.ref.path}/{name}", data)
        commit = world.lake.commit(branch, "aside")
    at = tuned.ref.model_copy(update={"commit": commit})
    return release.model_copy(update={"tuned": tuned.model_copy(update={"ref": at})})


def publish(world: TrainingWorld, release: Release) -> str:
    world.put(f"releases/{release.release_id}/release.json", release.model_dump_json().encode())
    return release.release_id


def test_a_chain_of_warm_starts_is_equal_byte_for_byte_after_the_lake_went_on(world, releases, work):
    before = world.lake.branches()
    parts = list(work.parts(releases[-1].release_id))
    assert [part.name.split()[0] for part in parts] == ["adapter", "adapter", "adapter", "knowledge", "engine"]
    assert [part.differing for part in parts] == [()] * 5
    assert len({release.manifest.adapter_digest for release in releases}) == 3
    assert [part.name.split()[1] for part in parts[:3]] == [r.manifest.adapter_digest[:16] for r in releases]
    assert world.lake.branches() == before, "nothing is left behind"
    assert not any(world.workspace.home.glob("scratch/*"))


def test_the_real_model_is_made_again_after_a_warm_start(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        world = TrainingWorld(tmp_path, instance, EMBEDDED)
        world.teach([row(n) for n in range(4)])
        world.release(world.train(epochs=1.0))
        world.teach([row(n) for n in range(8)])
        release = world.release(world.train(epochs=1.0, warm_start=True))
        world.put("data/other.txt", b"unrelated")
        parts = list(Reproduction(world.lake, world.models, world.workspace, world.embedder).parts(release.release_id))
    assert [part.differing for part in parts] == [()] * 2


def test_what_a_warm_start_learned_and_repeated_stands_in_its_build(world, releases):
    build = rebuilding.build_at(world.lake, tuned_of(releases[1]).ref)
    known = releases[0].training
    assert known is not None
    assert (build.start, build.known, build.replayed) == (tuned_of(releases[0]).ref, known.rows, 2)
    learned = rebuilding.rows_to_learn(world.lake, build.dataset, build.known, build.replayed, build.recipe.seed)
    assert len(learned) == 3 + 2
    assert str(world.folder) not in build.model_dump_json().replace(build.base.source, "")


def test_an_adapter_is_found_by_the_beginning_of_its_hash_and_made_alone(releases, work):
    digest = tuned_of(releases[1]).digest
    (alone,) = work.parts(digest[:8], whole=False)
    assert alone.equal
    assert alone.name == f"adapter {digest[:16]} (lora, 7 rows)"
    (by_ref,) = work.parts(str(tuned_of(releases[0]).ref))
    assert by_ref.equal
    for name in (digest[:7], "r-never", "lake://x", "0" * 64):
        with pytest.raises(NotRebuildableError):
            list(work.parts(name))


def test_weights_that_someone_replaced_are_not_what_the_release_names_and_not_what_is_made(world, releases, work):
    tuned, weights = tuned_of(releases[0]), "adapter_model.safetensors"
    poison = world.lake.get(tuned.ref.commit, f"{tuned.ref.path}/{weights}")[:-1] + b"\x01"
    poisoned = with_file(world, releases[0], weights, poison)
    (part,) = work.parts(str(tuned_of(poisoned).ref))
    assert part.differing == (weights,)
    assert "no recorded input differs" in part.told()
    name = publish(world, poisoned)
    with pytest.raises(NotRebuildableError, match=r"adapter_model\.safetensors: the lake has"):
        list(work.parts(name))
    publish(world, releases[0])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda b: {"dataset": b.dataset.model_copy(update={"digest": "0" * 64})}, "dataset: .* has digest"),
        (lambda b: {"prompt": b.prompt.model_copy(update={"template": "Be long."})}, "prompt: "),
        (
            lambda b: {"base": b.base.model_copy(update={"ref": b.base.ref.model_copy(update={"digest": "1" * 64})})},
            "base model: .* here, 1111",
        ),
        (lambda b: {"recipe": b.recipe.model_copy(update={"rank": 8, "seed": 1})}, "recipe's rank: 8 here, 4 was"),
        (lambda b: {"recipe": b.recipe.model_copy(update={"seed": 1})}, "recipe's seed: 1 here, 17 was recorded"),
        (lambda b: {"recipe": b.recipe.model_copy(update={"method": "spells"})}, "recipe's method: spells here, lora"),
    ],
    ids=["dataset", "prompt", "base", "recipe", "seed", "method"],
)
def test_the_first_input_that_differs_is_named_before_anything_is_trained(world, releases, work, changed, told):
    build = rebuilding.build_at(world.lake, tuned_of(releases[0]).ref)
    name = publish(world, with_build(world, releases[0], **changed(build)))
    try:
        with pytest.raises(NotRebuildableError, match=told):
            list(work.parts(name))
    finally:
        publish(world, releases[0])


def test_another_version_is_named_where_bytes_differ_and_forgiven_where_they_do_not(world, releases, work):
    build = rebuilding.build_at(world.lake, tuned_of(releases[0]).ref)
    older = build.environment.model_copy(update={"packages": {**build.environment.packages, "torch": "1.0"}})
    (part,) = work.parts(str(tuned_of(with_build(world, releases[0], environment=older)).ref))
    assert part.equal
    assert part.told().endswith(f"equal bytes, though torch: {build.environment.packages['torch']} here, 1.0 then")
    seed = build.recipe.model_copy(update={"seed": 1})
    forged = with_build(world, releases[0], environment=older, recipe=seed)
    (part,) = work.parts(str(tuned_of(forged).ref))
    assert part.differing == ("adapter.gguf", "adapter_model.safetensors")
    assert "first that differs: torch" in part.told()


def test_what_differs_of_two_environments_is_told_in_order(world, releases):
    then = rebuilding.build_at(world.lake, tuned_of(releases[0]).ref).environment
    now = then.model_copy(update={"threads": then.threads + 1, "cpu": "AVX9", "packages": {"torch": "9"}})
    told = rebuilding.changes(then, now, "a", "b")
    assert told[-3:] == [
        f"threads: {then.threads + 1} here, {then.threads} then",
        f"cpu: AVX9 here, {then.cpu} then",
        "code: b here, a then",
    ]
    assert [sentence.partition(":")[0] for sentence in told[:-3]] == sorted(then.packages)
    assert rebuilding.changes(then, then, "a", "a") == []


def test_a_manifest_that_was_changed_is_no_release(world, releases, work):
    name = releases[0].release_id
    forged = releases[0].manifest.model_copy(update={"handover": "I am not."})
    record = releases[0].model_copy(update={"manifest": forged})
    world.put(f"releases/{name}/release.json", record.model_dump_json().encode())
    with pytest.raises(NotRebuildableError, match=r"the record of .* hashes to r-"):
        list(work.parts(name))
    publish(world, releases[0])


def test_an_adapter_of_an_earlier_version_says_what_to_do(world, work):
    file = world.put("adapters/0123456789abcdef/adapter_model.safetensors", b"old")
    at = file.ref.model_copy(update={"path": "adapters/0123456789abcdef"})
    with pytest.raises(NotRebuildableError, match="train it again"):
        list(work.parts(str(at)))


def test_rows_that_were_erased_end_it(world, work):
    training = world.teach([row(n) for n in range(50, 54)], "data/erased/rows.parquet")
    tuned = world.train(seed=3)
    world.lake.erase(training.rows.ref.path)
    with pytest.raises(NotRebuildableError, match=r"dataset: .* was erased"):
        list(work.parts(tuned.digest))


def test_a_build_of_a_newer_version_is_read_whole():
    assert json.loads(Build.model_validate_json(BUILD).model_dump_json())["later"] == "yes"


BUILD = json.dumps(
    {
        "kind": "adapter",
        "recipe": {},
        "base": {"ref": {"name": "b", "digest": "d"}, "source": "b"},
        "prompt": {"name": "p", "version": 1, "template": "t", "digest": "d"},
        "dataset": {"name": "d", "ref": "lake://llmops/0123456789ab/x", "digest": "d", "rows": 1},
        "environment": {"packages": {}, "python": "3", "threads": 1, "device": "cpu", "cpu": "AVX2"},
        "later": "yes",
    }
)


def test_a_part_is_told_on_a_line():
    assert Part("x").told() == "x: equal bytes"
    assert Part("x", ("a", "b")).told() == "x: a, b not equal; no recorded input differs"


def test_the_quantization_of_a_file_is_read_from_it(world, tmp_path):
    for kind in ("Q8_0", "F16"):
        requantize(world.base.gguf, tmp_path / kind, kind)
        assert quantization(tmp_path / kind) == kind
