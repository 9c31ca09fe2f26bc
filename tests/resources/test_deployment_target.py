"""What every deployment target must do: the real gateway process with a tiny model, and the scripted one in memory.

A new target is one more entry of TARGETS.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gateway_support import ARTICLES
from kubelet import Gateways
from kubernetes_server import KubernetesServer
from scripted_target import Said, ScriptedTarget
from signing_support import publish_seal, seal_of, trusted_file
from upstream_server import KEY, UpstreamServer

from llmops_assets.gateway.upstreams.settings import Upstream, UpstreamSettings
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.hashing import hash_bytes, hash_file
from llmops_assets.lib.records import (
    FileRef,
    GenerationSettings,
    ModelRef,
    PromptRef,
    ReleaseManifest,
    RouterPolicy,
)
from llmops_assets.lib.signing import SigningKey
from resources.cluster import Cluster
from resources.deployment_target import Ask, DeploymentError, DeploymentTarget, LocalTarget, ReleaseRefusedError
from resources.deployment_target.kubernetes import KubernetesTarget
from resources.lake.base import Lake
from resources.lake.embedded import EmbeddedLake
from resources.models import Models

UNKNOWN = "Which stocks should I buy on the moon?"
KNOWN = "How long does delivery take?"
GENERATES = RouterPolicy(answer_above=2.0, hand_over_below=0.0)


def local(folder: Path, lake: Lake, models: Models, base: Path) -> LocalTarget:
    return LocalTarget(
        folder / "gateway",
        lake=lake,
        models=models,
        trusted=trusted_file(folder / "trusted.pem"),
        base_model=str(base),
        log_url=f"sqlite:///{folder / 'log.db'}",
        subject_key=folder / "key",
        port=8790,
    )


def scripted(folder: Path, lake: Lake, models: Models, __: Path) -> ScriptedTarget:
    target = ScriptedTarget(lake, models, trusted_file(folder / "trusted.pem"))
    target.say(KNOWN, Said("Delivery takes 3 to 5 days.", article="delivery"))
    return target


def kubernetes(folder: Path, lake: Lake, models: Models, base: Path) -> KubernetesTarget:
    server = KubernetesServer().start()
    gateways = Gateways(server, folder, lake, models, base).begin()
    cluster = Cluster(server.address, attempts=2, pause=0.02)
    return KubernetesTarget(
        cluster,
        gateways.namespace,
        gateways.address,
        lake=lake,
        models=models,
        trusted=gateways.trusted,
        key=gateways.own_key,
        seconds=120,
    )


TARGETS = {"scripted": scripted, "local": local, "kubernetes": kubernetes}
REAL = [pytest.param(name, marks=pytest.mark.slow) if name != "scripted" else name for name in TARGETS]


@dataclass(frozen=True)
class Subject:
    """A target under test, and releases for it whose hand-over text carries their name."""

    target: DeploymentTarget
    lake: Lake
    manifest: Callable[..., ReleaseManifest]
    make: Callable[[Path], DeploymentTarget]

    def apply(self, name: str, stage="live", **fields):
        made = self.manifest(name, **fields)
        publish_seal(self.lake, made)
        return made.release_id, self.target.apply(made, stage, share=0.5)

    def say(self, question: str = UNKNOWN, which="live") -> str:
        (reply,) = self.target.ask_many([Ask(question)], which)
        assert reply.status == 200, reply.error
        return reply.answer


def put(lake: Lake, path: str, data: bytes) -> FileRef:
    with lake.transaction("put", {}, name="put") as transaction:
        transaction.put(path, data)
    assert transaction.merged is not None
    return FileRef(ref=lake.uri(transaction.merged, path), sha256=hash_bytes(data), size=len(data))


@pytest.fixture(scope="module")
def subjects(tmp_path_factory, tiny_gguf) -> Iterator[Callable[[str], Subject]]:
    folder = tmp_path_factory.mktemp("targets")
    lake, models = EmbeddedLake(folder / "lake"), Models(folder / "models")
    digest = hash_file(tiny_gguf / "tiny.gguf")
    index = put(lake, "index.zip", KnowledgeIndex.build(ARTICLES, Embedder(find_embedder_folder())).to_bytes())
    made: dict[str, Subject] = {}

    def manifest(name: str, **fields) -> ReleaseManifest:
        values = {
            "base": ModelRef(name="tiny", digest=digest),
            "prompt": PromptRef(name="p", version=1, template="Be brief.", digest="p"),
            "knowledge_index": index,
            "router": RouterPolicy(answer_above=0.7, hand_over_below=0.3, passages=1),
            "generation": GenerationSettings(max_tokens=8),
            "handover": f"A colleague of {name} will help.",
        }
        return ReleaseManifest.model_validate({**values, **fields})

    def subject(kind: str) -> Subject:
        if kind not in made:

            def make(where: Path) -> DeploymentTarget:
                where.mkdir(exist_ok=True)
                return TARGETS[kind](where, lake, models, tiny_gguf)

            made[kind] = Subject(make(folder / kind), lake, manifest, make)
        return made[kind]

    yield subject
    for one in made.values():
        one.target.stop()


@pytest.fixture(params=REAL)
def served(subjects, request) -> Subject:
    return subjects(request.param)


@pytest.fixture
def gateway(subjects) -> Subject:
    return subjects("local")


# -- every target -------------------------------------------------------------------------------------------------


def test_an_unreachable_target_says_so_and_answers_with_status_zero(served, tmp_path):
    target = served.make(tmp_path)
    assert not target.is_running()
    with pytest.raises(DeploymentError, match="start it"):
        target.status()
    (reply,) = target.ask_many([Ask("hello")])
    assert reply.status == 0
    assert reply.error


@pytest.mark.slow
def test_a_new_target_serves_nothing_and_has_nothing_to_roll_back_to(served, tmp_path):
    target = served.make(tmp_path)
    try:
        status = target.start()
        assert (status.live, status.previous, status.canary) == (None, None, None)
        assert target.is_running()
        assert target.ask_many([Ask("hello")])[0].status == 503
        with pytest.raises(DeploymentError, match="no previous release"):
            target.rollback()
    finally:
        target.stop()
    assert not target.is_running()


@pytest.mark.slow
def test_a_release_is_served_replaced_and_rolled_back_in_one_call(served):
    one, status = served.apply("one")
    assert status.live == one
    assert served.say() == "A colleague of one will help."
    assert served.say(KNOWN) == "Delivery takes 3 to 5 days."
    two, status = served.apply("two")
    assert (status.live, status.previous) == (two, one)
    assert served.say() == "A colleague of two will help."
    again = served.target.rollback()
    assert (again.live, again.previous) == (one, two)
    assert served.say() == "A colleague of one will help."
    _, unchanged = served.apply("one")
    assert unchanged == again
    assert served.target.rollback(to=two).live == two
    assert served.say() == "A colleague of two will help."


def test_a_canary_takes_part_and_can_be_withdrawn(served):
    one, _ = served.apply("one")
    two, status = served.apply("two", "canary")
    assert (status.live, status.canary) == (one, two)
    assert served.say(which="canary") == "A colleague of two will help."
    replies = served.target.ask_many([Ask("Why is the moon?", conversation=f"c{n}") for n in range(30)])
    assert {r.release_id for r in replies} == {one, two}
    assert served.target.abort_canary().canary is None
    assert {r.release_id for r in served.target.ask_many([Ask("Why is the moon?", conversation="c1")])} == {one}
    assert served.target.ask_many([Ask("hello")], "canary")[0].status == 503


def test_who_is_with_the_canary_stays_with_it_when_its_share_grows(served):
    served.apply("one")
    made = served.manifest("two")
    publish_seal(served.lake, made)
    asks = [Ask("Why is the moon?", conversation=f"c{n}") for n in range(40)]
    answered: list[set[int]] = []
    for share in (0.2, 0.6):
        served.target.apply(made, "canary", share=share)
        replies = served.target.ask_many(asks)
        answered.append({n for n, reply in enumerate(replies) if reply.release_id == made.release_id})
    assert answered[0] < answered[1] < set(range(40))
    assert answered[0]
    served.target.abort_canary()


def test_a_move_that_was_decided_on_another_state_is_refused_and_one_that_is_made_already_is_fine(served):
    one, _ = served.apply("one")
    two = served.manifest("two")
    publish_seal(served.lake, two)
    before = served.target.routed()
    served.target.apply(two, "canary", share=0.2, expected=before.generation)
    after = served.target.routed()
    assert (after.canary, after.canary_share, after.generation > before.generation) == (two.release_id, 0.2, True)
    served.target.apply(two, "canary", share=0.2, expected=before.generation)
    for move in (
        lambda: served.target.abort_canary(before.generation),
        lambda: served.target.apply(two, "live", expected=before.generation),
    ):
        with pytest.raises(DeploymentError, match="somebody else changed it"):
            move()
    assert (served.target.routed(), served.target.status().live) == (after, one)
    served.target.abort_canary(after.generation)


@pytest.mark.slow
def test_a_canary_becomes_live_and_leaves_its_place(served):
    one, _ = served.apply("one")
    two, _ = served.apply("two", "canary")
    _, status = served.apply("two")
    assert (status.live, status.previous, status.canary) == (two, one, None)


def test_a_shadow_is_asked_by_name_and_no_customer_sees_it(served):
    one, _ = served.apply("one")
    _, status = served.apply("two", "shadow")
    assert (status.live, status.canary) == (one, None)
    assert served.target.routed().shadow_share == 0.5
    assert served.say(which="shadow") == "A colleague of two will help."
    replies = served.target.ask_many([Ask("Why is the moon?", conversation=f"c{n}") for n in range(10)])
    assert {r.release_id for r in replies} == {one}
    served.target.end_shadow()
    assert (served.target.routed().shadow, served.target.routed().shadow_share) == (None, 0.0)
    assert served.target.ask_many([Ask("hello")], "shadow")[0].status == 503


@pytest.mark.slow
def test_a_preview_is_asked_by_name_and_ends_whatever_happens(served):
    served.apply("one")
    with served.target.preview(served.manifest("three")):
        assert served.say(which="preview") == "A colleague of three will help."
        assert served.say() == "A colleague of one will help."
    assert served.target.ask_many([Ask("hello")], "preview")[0].status == 503
    with pytest.raises(KeyError), served.target.preview(served.manifest("three")):
        raise KeyError("asking failed")
    assert served.target.ask_many([Ask("hello")], "preview")[0].status == 503


def test_what_is_not_signed_or_not_by_us_is_kept_from_customers(served):
    one, _ = served.apply("one")
    unsigned, theirs = served.manifest("unsigned"), served.manifest("theirs")
    publish_seal(served.lake, theirs, seal_of(theirs, SigningKey.new()))
    for manifest, told in (
        (unsigned, "it is not signed: `llmops signing sign"),
        (theirs, "not among the trusted ones"),
    ):
        for stage in ("canary", "live"):
            with pytest.raises(ReleaseRefusedError, match=told) as error:
                served.target.apply(manifest, stage)
            assert error.value.refusal.file == "model.sig"
    with served.target.preview(unsigned):
        assert served.say(which="preview") == "A colleague of unsigned will help."
    served.target.apply(unsigned, "shadow")
    assert served.target.routed().shadow == unsigned.release_id
    assert served.target.end_shadow().live == one
    assert (served.target.status().live, served.target.status().canary) == (one, None)


@pytest.mark.slow
@pytest.mark.parametrize("text", [b"{", None], ids=["no JSON", "another's"])
def test_a_manifest_that_was_changed_in_the_lake_is_refused_forward_and_back(served, text):
    one, _ = served.apply("one")
    two, _ = served.apply("two")
    changed = {**seal_of(served.manifest("one")), "manifest.json": text or served.manifest("x").text().encode()}
    publish_seal(served.lake, served.manifest("one"), changed)
    for move in (lambda: served.target.rollback(one), lambda: served.target.apply(served.manifest("one"), "live")):
        with pytest.raises(ReleaseRefusedError) as error:
            move()
        assert (error.value.refusal.release, error.value.refusal.file) == (one, "manifest.json")
    assert served.target.status().live == two
    assert served.target.rollback(two).live == two
    served.apply("one")


@pytest.mark.slow
def test_a_release_is_served_once_more_after_it_was_put_right(served):
    one, _ = served.apply("one")
    assert served.target.renew().live == one
    assert served.say() == "A colleague of one will help."


def test_answers_come_in_the_order_of_the_questions(served):
    served.apply("one")
    replies = served.target.ask_many([Ask(KNOWN), Ask(UNKNOWN), Ask(KNOWN)])
    assert [r.path for r in replies] == ["matched", "handover", "matched"]
    assert [r.article for r in replies] == ["delivery", None, "delivery"]


def test_a_file_that_is_not_what_the_manifest_names_is_refused_and_the_old_release_serves_on(served):
    one, _ = served.apply("one")
    changed = put(served.lake, "changed.zip", b"other bytes").model_copy(update={"sha256": "0" * 64})
    with pytest.raises(DeploymentError, match="not the file"):
        served.apply("bad", knowledge_index=changed)
    gone = changed.model_copy(update={"ref": changed.ref.model_copy(update={"path": "nowhere.zip"})})
    with pytest.raises(DeploymentError, match="cannot be served"):
        served.apply("gone", knowledge_index=gone)
    assert served.target.status().live == one
    assert served.say() == "A colleague of one will help."


@pytest.mark.slow
def test_what_was_never_released_is_not_rolled_back_to(served):
    one, _ = served.apply("one")
    with pytest.raises(DeploymentError, match="r-000000000000 was never released"):
        served.target.rollback(to="r-000000000000")
    assert served.target.status().live == one


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_a_canary_without_a_share_is_refused(served, share):
    one, _ = served.apply("one")
    two = served.manifest("two")
    publish_seal(served.lake, two)
    with pytest.raises(DeploymentError, match="at most 1"):
        served.target.apply(two, "canary", share=share)
    assert (served.target.status().live, served.target.status().canary) == (one, None)


@pytest.mark.slow
def test_a_stopped_target_serves_again_what_it_served(served):
    one, _ = served.apply("one")
    served.target.stop()
    assert served.target.ask_many([Ask("hello")])[0].status == 0
    assert served.target.start().live == one
    assert served.say() == "A colleague of one will help."


# -- the gateway process ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_engine_generates_and_the_same_release_gives_the_same_answer(gateway):
    gateway.apply("one", router=GENERATES)
    replies = [gateway.target.ask_many([Ask(KNOWN)])[0] for _ in range(2)]
    assert [r.path for r in replies] == ["generated", "generated"]
    assert replies[0].answer == replies[1].answer


@pytest.mark.slow
def test_a_release_that_cannot_be_loaded_is_refused_and_the_old_one_serves_on(gateway):
    one, _ = gateway.apply("one")
    with pytest.raises(DeploymentError, match="did not take the release"):
        gateway.apply("bad", adapter=put(gateway.lake, "adapter.gguf", b"no adapter the engine could load"))
    assert gateway.target.status().live == one
    assert gateway.say() == "A colleague of one will help."


@pytest.mark.slow
def test_a_release_of_another_base_model_is_refused(gateway):
    with pytest.raises(DeploymentError, match="of another base model"):
        gateway.apply("one", base=ModelRef(name="other", digest="0" * 64))


@pytest.mark.slow
def test_a_killed_gateway_is_started_again_with_what_it_served(gateway):
    one, _ = gateway.apply("one")
    os.kill(json.loads((gateway.target.root / "gateway.json").read_text())["pid"], signal.SIGKILL)
    assert gateway.target.start().live == one
    assert gateway.say() == "A colleague of one will help."


@pytest.mark.slow
def test_a_gateway_that_is_killed_in_the_middle_of_a_move_is_started_again_and_the_move_ends(gateway):
    one, _ = gateway.apply("one")
    two, _ = gateway.apply("two")
    before = gateway.target._state()
    os.kill(json.loads((gateway.target.root / "gateway.json").read_text())["pid"], signal.SIGKILL)
    wanted = before.model_copy(update={"live": one, "previous": two, "generation": before.generation + 1})
    assert gateway.target._serve(before, wanted).live == one
    assert gateway.say() == "A colleague of one will help."


@pytest.mark.slow
def test_a_killed_engine_is_started_again_by_its_gateway(gateway):
    release, _ = gateway.apply("one", router=GENERATES)
    assert gateway.say(KNOWN) is not None
    engines = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _is_engine(p, release)]
    assert len(engines) == 1
    os.kill(engines[0], signal.SIGKILL)
    (reply,) = gateway.target.ask_many([Ask(KNOWN)])
    assert (reply.status, reply.path) == (200, "generated")


def _is_engine(process: Path, release: str) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return b"llmops_assets.gateway.llamacpp" in command and release.encode() in command


@pytest.mark.slow
def test_a_gateway_that_ends_at_its_start_leaves_the_end_of_its_own_log(gateway, tmp_path):
    target = LocalTarget(
        tmp_path,
        lake=gateway.lake,
        models=Models(tmp_path),
        trusted=trusted_file(tmp_path / "trusted.pem"),
        log_url="no database",
        subject_key=tmp_path / "key",
    )
    (tmp_path / "gateway.log").write_text("of an earlier life\n")
    with pytest.raises(DeploymentError, match=r"(?s)ended at its start:.*SQLAlchemy URL") as failed:
        target.start()
    assert "earlier life" not in str(failed.value)
    assert "SQLAlchemy URL" in target.last_words()
    assert not target.is_running()


@pytest.mark.slow
def test_an_upstream_answers_in_place_of_the_embedded_engine(gateway, tmp_path, tiny_gguf, monkeypatch):
    monkeypatch.setenv("ITS_KEY", KEY)
    with UpstreamServer("From another machine.", key=KEY) as server:
        one = Upstream(name="one", url=server.url, key="$ITS_KEY", models={"*": "assistant"})
        target = LocalTarget(
            tmp_path / "gateway",
            lake=gateway.lake,
            models=Models(tmp_path),
            trusted=trusted_file(tmp_path / "trusted.pem"),
            base_model=str(tiny_gguf),
            log_url=f"sqlite:///{tmp_path / 'log.db'}",
            subject_key=tmp_path / "key",
            upstreams=UpstreamSettings(upstreams=(one,)),
        )
        try:
            target.start()
            manifest = gateway.manifest("one", router=GENERATES)
            publish_seal(gateway.lake, manifest)
            target.apply(manifest, "live")
            (reply,) = target.ask_many([Ask(UNKNOWN)])
            assert reply.answer == "From another machine."
            assert KEY not in (tmp_path / "gateway" / "upstreams.json").read_text()
        finally:
            target.stop()


def test_the_scripted_target_refuses_a_stage_when_told_to(subjects):
    served = subjects("scripted")
    one, _ = served.apply("one")
    served.target.refused = {"canary"}
    try:
        with pytest.raises(DeploymentError, match="as canary"):
            served.apply("two", "canary")
    finally:
        served.target.refused = set()
    assert (served.target.status().live, served.target.status().canary) == (one, None)
