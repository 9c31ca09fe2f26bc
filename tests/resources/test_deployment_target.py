"""What a deployment target must do, with the real gateway process and the real engine on a tiny model."""

import json
import os
import signal
from pathlib import Path

import pytest
from support import ref

from llmops_assets.lib.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.hashing import hash_bytes, hash_file
from llmops_assets.lib.knowledge import KnowledgeIndex
from llmops_assets.lib.records import (
    FileRef,
    GenerationSettings,
    ModelRef,
    PromptRef,
    ReleaseManifest,
    RouterPolicy,
)
from resources.deployment_target import Ask, DeploymentError, LocalTarget

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def index_bytes() -> bytes:
    from gateway_support import ARTICLES

    return KnowledgeIndex.build(ARTICLES, Embedder(find_embedder_folder())).to_bytes()


@pytest.fixture(scope="module")
def releases(tiny_gguf, index_bytes):
    """(manifest by name, fetch, base model)."""
    base = tiny_gguf / "tiny.gguf"

    def manifest(name: str, **fields) -> ReleaseManifest:
        values = {
            "base": ModelRef(name="tiny", digest=hash_file(base)),
            "prompt": PromptRef(name="p", version=1, template="Be brief.", digest="p"),
            "knowledge_index": FileRef(ref=ref("i.zip"), sha256=hash_bytes(index_bytes), size=len(index_bytes)),
            "router": RouterPolicy(answer_above=0.7, hand_over_below=0.3, passages=1),
            "generation": GenerationSettings(max_tokens=8),
            "handover": f"A colleague of {name} will help.",
        }
        return ReleaseManifest.model_validate({**values, **fields})

    return manifest, lambda file, target: target.write_bytes(index_bytes), base


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    folder = tmp_path_factory.mktemp("target")
    made = LocalTarget(
        folder / "gateway", log_url=f"sqlite:///{folder / 'log.db'}", subject_key=folder / "key", port=8790
    )
    yield made
    made.stop()


@pytest.fixture
def apply(target, releases):
    manifest, fetch, base = releases

    def apply_(name: str, stage="live", **fields):
        made = manifest(name, **fields)
        return made.release_id, target.apply(made, stage, fetch=fetch, base_model=base, share=0.5)

    return apply_


def say(target, question="Which stocks should I buy on the moon?", which="live") -> str:
    (reply,) = target.ask_many([Ask(question)], which)
    assert reply.status == 200, reply.error
    return reply.answer


def test_an_unreachable_target_says_so_and_answers_with_status_zero(tmp_path):
    target = LocalTarget(tmp_path, log_url="sqlite://", subject_key=tmp_path / "key")
    with pytest.raises(DeploymentError, match="start it"):
        target.status()
    (reply,) = target.ask_many([Ask("hello")])
    assert reply.status == 0
    assert reply.error


def test_a_release_is_served_replaced_and_rolled_back_in_one_call(target, apply):
    one, status = apply("one")
    assert (status.live, status.previous) == (one, None)
    assert say(target) == "A colleague of one will help."
    assert say(target, "How long does delivery take?") == "Delivery takes 3 to 5 days."
    two, status = apply("two")
    assert (status.live, status.previous) == (two, one)
    assert say(target) == "A colleague of two will help."
    again = target.rollback()
    assert (again.live, again.previous) == (one, two)
    assert say(target) == "A colleague of one will help."
    _, unchanged = apply("one")
    assert unchanged == again


def test_the_engine_generates_and_the_same_release_gives_the_same_answer(target, apply):
    apply("one", router=RouterPolicy(answer_above=2.0, hand_over_below=0.0))
    replies = [target.ask_many([Ask("How long does delivery take?")])[0] for _ in range(2)]
    assert [r.path for r in replies] == ["generated", "generated"]
    assert replies[0].answer == replies[1].answer


def test_a_canary_takes_part_and_can_be_withdrawn(target, apply):
    one, _ = apply("one")
    two, status = apply("two", "canary")
    assert (status.live, status.canary) == (one, two)
    assert say(target, which="canary") == "A colleague of two will help."
    replies = target.ask_many([Ask("Why is the moon?", conversation=f"c{n}") for n in range(30)])
    assert {r.release_id for r in replies} == {one, two}
    assert target.abort_canary().canary is None
    assert {r.release_id for r in target.ask_many([Ask("Why is the moon?", conversation="c1")])} == {one}


def test_a_preview_is_asked_by_name_and_ends(target, apply, releases):
    manifest, fetch, base = releases
    apply("one")
    with target.preview(manifest("three"), fetch=fetch, base_model=base):
        assert say(target, which="preview") == "A colleague of three will help."
        assert say(target) == "A colleague of one will help."
    assert target.ask_many([Ask("hello")], "preview")[0].status == 503


def test_a_release_that_cannot_be_loaded_is_refused_and_the_old_one_serves_on(target, apply):
    one, _ = apply("one")
    with pytest.raises(DeploymentError, match="did not take the release"):
        apply("bad", knowledge_index=None, engine_model=None, adapter=_broken_adapter(target))
    assert target.status().live == one
    assert say(target) == "A colleague of one will help."


def _broken_adapter(target) -> FileRef:
    # The fetch of these tests gives the index's bytes for whatever is asked: no adapter the engine could load.
    data = (next(iter(Path(target.root / "bundles").glob("*/index.zip")))).read_bytes()
    return FileRef(ref=ref("adapter.gguf"), sha256=hash_bytes(data), size=len(data))


def test_a_killed_gateway_is_started_again_with_what_it_served(target, apply):
    one, _ = apply("one")
    os.kill(json.loads((target.root / "gateway.json").read_text())["pid"], signal.SIGKILL)
    assert target.start().live == one
    assert say(target) == "A colleague of one will help."


def test_a_killed_engine_is_started_again_by_its_gateway(target, apply):
    release, _ = apply("one", router=RouterPolicy(answer_above=2.0, hand_over_below=0.0))
    assert say(target, "How long does delivery take?") is not None
    engines = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _is_engine(p, release)]
    assert len(engines) == 1
    os.kill(engines[0], signal.SIGKILL)
    (reply,) = target.ask_many([Ask("How long does delivery take?")])
    assert (reply.status, reply.path) == (200, "generated")


def _is_engine(process: Path, release: str) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return b"llmops_assets.gateway.engine" in command and release.encode() in command


def test_there_is_nothing_to_roll_back_to_at_first(tmp_path):
    target = LocalTarget(tmp_path, log_url="sqlite://", subject_key=tmp_path / "key")
    with pytest.raises(DeploymentError, match="no previous release"):
        target.rollback()
