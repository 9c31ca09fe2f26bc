"""What the Kubernetes target promises beyond the contract of targets: every gateway, one deployer, nothing half done.

Gateways are health pages that a test sets; the real process is in test_deployment_target.py.
"""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from kubernetes_server import KubernetesServer
from signing_support import KEY, publish_seal, trusted_file
from support import tiny_lora

from llmops_assets.gateway.bundle import bundle_folder, load_bundle
from llmops_assets.gateway.state import ServingState, read_state
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import FileRef, GenerationSettings, ModelRef, PromptRef, ReleaseManifest, RouterPolicy
from llmops_assets.lib.signing import RefusedError, read_trusted
from resources.cluster import Cluster
from resources.deployment_target import DeploymentError
from resources.deployment_target.adapters import COMPLETE, Adapters
from resources.deployment_target.fetching import Fetcher, RedactionChangedError, main
from resources.deployment_target.kubernetes import KubernetesTarget
from resources.deployment_target.routes import KEPT, Routes, from_data, from_folder
from resources.lake.base import Lake, LakeError
from resources.models import Models

NAMESPACE = "llmops-serving"


class Gateway:
    """A gateway's health page; it takes every state that is routed, but one of a release that it `refuses`."""

    def __init__(self, server: KubernetesServer, name: str, ready: bool = True) -> None:
        self.state, self.failed, self.error = ServingState(), -1, ""
        self.refuses, self.asleep, self.server, self.name = "", False, server, name
        page = type("Page", (Health,), {"gateway": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), page)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        server.put(
            "v1", "Pod", name, NAMESPACE, metadata={"labels": {"app.kubernetes.io/name": "gateway"}},
            spec={"containers": [{"name": "gateway", "ports": [{"containerPort": self.http.server_port}]}]},
            status={"podIP": "127.0.0.1", "containerStatuses": [
                {"name": "gateway", "state": {"running": {}} if ready else {"waiting": {"reason": "PodInitializing"}}}
            ]},
        )  # fmt: skip

    def health(self) -> dict:
        config = self.server.find("ConfigMap", "routes", NAMESPACE) or {}
        routes = from_data(config.get("data"))
        seen = (self.state.generation, self.failed)
        if routes is not None and not self.asleep and routes.state.generation not in seen:
            if self.refuses in routes.state.releases():
                self.failed, self.error = routes.state.generation, "BundleError: broken"
            else:
                self.state, self.error = routes.state, ""
        return {**self.state.model_dump(), "error": self.error, "failed_generation": self.failed}


class Health(BaseHTTPRequestHandler):
    gateway: Gateway

    def do_GET(self) -> None:
        data = json.dumps(self.gateway.health()).encode()
        self.send_response(200 if self.gateway.state.live else 503)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    server = KubernetesServer().start()
    server.put("v1", "Namespace", NAMESPACE)
    server.put("v1", "ConfigMap", "routes", NAMESPACE)
    server.put("apps/v1", "Deployment", "gateway", NAMESPACE, spec={"replicas": 2})
    yield server
    server.stop()


@pytest.fixture
def gateways(server) -> list[Gateway]:
    return [Gateway(server, "one"), Gateway(server, "two")]


class Target(KubernetesTarget):
    """The target, with every release that it is told of signed in the lake as the graph leaves it."""

    def apply(self, manifest: ReleaseManifest, *stage, **options):
        publish_seal(self.lake, manifest)
        return super().apply(manifest, *stage, **options)


@pytest.fixture
def make(server, lake, tmp_path):
    def made(**changes) -> KubernetesTarget:
        given = {"lake": lake, "models": Models(tmp_path / "models"), "seconds": 5.0, **changes}
        given |= {"trusted": trusted_file(tmp_path / "trusted.pem")}
        cluster = Cluster(server.address, attempts=3, pause=0.02)
        return Target(cluster, NAMESPACE, "http://127.0.0.1:9/", **given)

    return made


def put(lake: Lake, path: str, data: bytes) -> FileRef:
    with lake.transaction("put", {}, name="put") as transaction:
        transaction.put(path, data)
    return FileRef(ref=lake.uri(transaction.merged, path), sha256=hash_bytes(data), size=len(data))


def release(name: str, **fields) -> ReleaseManifest:
    values = {
        "base": ModelRef(name="base", digest="b" * 64),
        "prompt": PromptRef(name="p", version=1, template="Be brief.", digest="p"),
        "generation": GenerationSettings(max_tokens=8),
        "router": RouterPolicy(answer_above=0.7, hand_over_below=0.2),
        "handover": f"A colleague of {name} will help.",
    }
    return ReleaseManifest.model_validate({**values, **fields})


def routes(server: KubernetesServer) -> Routes:
    found = from_data(server.find("ConfigMap", "routes", NAMESPACE)["data"])
    assert found is not None
    return found


# -- deploying --------------------------------------------------------------------------------------------------------


def test_a_deployment_ends_when_every_gateway_serves_it(server, gateways, make):
    target, one = make(), release("one")
    target.start()
    gateways[1].asleep = True
    woken = threading.Timer(0.6, setattr, (gateways[1], "asleep", False))
    began = time.monotonic()
    woken.start()
    assert target.apply(one, "live").live == one.release_id
    assert time.monotonic() - began >= 0.6
    assert {gateway.state.live for gateway in gateways} == {one.release_id}


def test_pods_that_wait_or_end_are_not_waited_for(server, gateways, make):
    Gateway(server, "waits", ready=False).asleep = True
    Gateway(server, "ends").asleep = True
    server.find("Pod", "ends", NAMESPACE)["metadata"]["deletionTimestamp"] = "2026-03-02T00:00:00Z"
    assert make().apply(release("one"), "live").live == release("one").release_id


def test_a_release_that_one_gateway_refuses_is_taken_back_everywhere(server, gateways, make):
    target, one, two = make(), release("one"), release("two")
    target.apply(one, "live")
    gateways[1].refuses = two.release_id
    with pytest.raises(DeploymentError, match=r"did not take the release: two: BundleError: broken"):
        target.apply(two, "live")
    assert routes(server).state.live == one.release_id
    assert {gateway.health()["live"] for gateway in gateways} == {one.release_id}


def test_a_gateway_that_never_follows_is_named_after_the_time(server, gateways, make):
    target, one = make(seconds=0.5), release("one")
    target.apply(one, "live")
    gateways[0].asleep = True
    with pytest.raises(DeploymentError, match=r"not served within 0 s by one: `llmops cluster doctor`"):
        target.apply(release("two"), "live")
    assert routes(server).state.live == one.release_id


def test_of_two_deployers_at_once_one_is_refused_and_nothing_is_lost(server, gateways, make):
    mine, other, one, two = make(), make(), release("one"), release("two")
    mine.apply(one, "live")
    read = mine._cluster.get

    def slow(*asked):
        found = read(*asked)
        if asked[1] == "ConfigMap" and two.release_id not in json.dumps(found["data"]):
            mine._cluster.get = read
            other.apply(two, "canary", share=0.5)
        return found

    mine._cluster.get = slow
    with pytest.raises(DeploymentError, match="somebody else changed what is served meanwhile"):
        mine.apply(release("three"), "live")
    assert (routes(server).state.live, routes(server).state.canary) == (one.release_id, two.release_id)


def test_a_state_that_was_decided_on_before_another_deployment_is_refused(server, gateways, make):
    mine, other, one, two = make(), make(), release("one"), release("two")
    mine.apply(one, "live")
    before = mine._state()
    other.apply(two, "canary", share=0.5)
    with pytest.raises(DeploymentError, match="somebody else changed what is served meanwhile"):
        mine._serve(before, before.model_copy(update={"generation": before.generation + 1, "previous": None}))
    assert routes(server).state.canary == two.release_id


def test_a_write_whose_answer_was_lost_is_no_conflict(server, gateways, make):
    target = make()
    target.start()
    found = target._read()
    wanted = Routes(ServingState(generation=7), {"identifiers": [], "allow": []})
    target._write(found, wanted)
    assert from_data(target._write(found, wanted)["data"]).state.generation == 7


def test_an_api_server_that_restarts_meanwhile_is_waited_for(server, gateways, make):
    target, one = make(), release("one")
    target.start()
    server.faults = [503, 500]
    assert target.apply(one, "live").live == one.release_id
    server.faults = [500] * 3
    with pytest.raises(DeploymentError, match="request timed out"):
        target.apply(release("two"), "live")
    assert routes(server).state.live == one.release_id


def test_what_is_not_installed_is_a_sentence(server, make):
    server.objects.pop(("v1", "configmaps", NAMESPACE, "routes"))
    with pytest.raises(DeploymentError, match=r"has no ConfigMap routes: install with `llmops cluster apply`"):
        make().apply(release("one"), "live")
    server.forbidden = {"configmaps"}
    with pytest.raises(DeploymentError, match=r"not allowed: configmaps is forbidden"):
        make().apply(release("one"), "live")


def test_new_rules_of_redaction_wait_for_gateways_to_start_again(server, gateways, make):
    one = release("one")
    make().apply(one, "live")
    changed = make(allow=("Acme",))
    with pytest.raises(DeploymentError, match=r"rules of redaction changed.*rollout restart deployment/gateway"):
        changed.apply(release("two"), "live")
    assert routes(server).redaction["allow"] == ["Acme"]
    assert routes(server).state.live == one.release_id
    assert changed.apply(release("two"), "live").live == release("two").release_id


def test_a_stop_keeps_the_number_of_gateways_for_the_start(server, gateways, make):
    target = make()
    target.apply(release("one"), "live")
    ended = [("v1", "pods", NAMESPACE, gateway.name) for gateway in gateways]
    taken = threading.Timer(0.2, lambda: [server.objects.pop(key) for key in ended])
    taken.start()
    target.stop()
    assert server.find("Deployment", "gateway", NAMESPACE)["spec"]["replicas"] == 0
    begun = threading.Timer(0.2, lambda: Gateway(server, "three"))
    begun.start()
    assert target.start().live == release("one").release_id
    assert server.find("Deployment", "gateway", NAMESPACE)["spec"]["replicas"] == 2


# -- what is kept -----------------------------------------------------------------------------------------------------


def test_old_manifests_go_and_those_that_serve_stay():
    first = release("first")
    kept = Routes(ServingState(live=first.release_id), {}, (first,))
    for n in range(KEPT + 5):
        kept = kept.holding(release(f"r{n}"))
    assert len(kept.releases) == KEPT + 1
    assert kept.find(first.release_id) == first
    assert kept.find(release("r0").release_id) is None
    assert kept.holding(first).releases[-1] == first
    assert from_data(kept.data()) == kept
    assert from_data(None) is None


# -- fetching ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path):
    """Mount routes as a kubelet does."""
    folder = tmp_path / "routes"
    folder.mkdir()

    def mount(what: Routes) -> Path:
        version = folder / f"..{what.state.generation}"
        version.mkdir(exist_ok=True)
        for name, text in what.data().items():
            (version / name).write_text(text)
        (folder / "..data").unlink(missing_ok=True)
        (folder / "..data").symlink_to(version.name)
        return folder

    return mount


def fetching(routes: Path, root: Path, lake: Lake) -> Fetcher:
    folder = routes.parent
    return Fetcher(routes, root, lake, Models(folder), trusted_file(folder / "trusted.pem"))


RULES = {"identifiers": [], "allow": []}


def test_releases_are_there_before_the_gateway_is_told(lake, mounted, tmp_path):
    model, index = put(lake, "m.gguf", b"weights"), put(lake, "i.zip", b"index")
    one = release("one", engine_model=model, knowledge_index=index)
    root = tmp_path / "root"
    folder = mounted(Routes(ServingState(generation=3, live=one.release_id), RULES, (one,)))
    assert fetching(folder, root, lake).step()
    assert load_bundle(bundle_folder(root, one.release_id)).manifest == one
    assert read_state(root).live == one.release_id
    assert json.loads((root / "redaction.json").read_text()) == RULES


def test_nothing_is_told_before_anything_is_routed(lake, tmp_path):
    (tmp_path / "routes").mkdir()
    assert not fetching(tmp_path / "routes", tmp_path / "root", lake).step()
    assert not (tmp_path / "root").exists()


def test_a_file_that_is_another_is_never_put_in_place_and_the_gateway_may_refuse(lake, mounted, tmp_path, capsys):
    wrong = put(lake, "m.gguf", b"weights").model_copy(update={"sha256": "0" * 64})
    one = release("one", engine_model=wrong)
    folder = mounted(Routes(ServingState(generation=1, live=one.release_id), RULES, (one,)))
    assert fetching(folder, tmp_path / "root", lake).step()
    assert not bundle_folder(tmp_path / "root", one.release_id).exists()
    assert read_state(tmp_path / "root").generation == 1
    assert f"{one.release_id} cannot be served: " in capsys.readouterr().err


def test_a_lake_that_does_not_answer_leaves_what_serves(lake, mounted, tmp_path):
    one = release("one", engine_model=put(lake, "m.gguf", b"weights"))
    gone = put(lake, "n.gguf", b"more")
    two = release("two", engine_model=gone.model_copy(update={"ref": gone.ref.model_copy(update={"path": "nowhere"})}))
    fetcher = fetching(tmp_path / "routes", tmp_path / "root", lake)
    mounted(Routes(ServingState(generation=1, live=one.release_id), RULES, (one,)))
    fetcher.step()
    mounted(Routes(ServingState(generation=2, live=two.release_id), RULES, (one, two)))
    with pytest.raises(LakeError):
        fetcher.step()
    assert read_state(tmp_path / "root").live == one.release_id


def test_releases_that_serve_no_more_make_room(lake, mounted, tmp_path):
    made = [release(name, engine_model=put(lake, f"{name}.gguf", name.encode())) for name in ("one", "two", "three")]
    names = [m.release_id for m in made]
    fetcher = fetching(tmp_path / "routes", tmp_path / "root", lake)
    for n, name in enumerate(names):
        previous = names[n - 1] if n else None
        mounted(Routes(ServingState(generation=n + 1, live=name, previous=previous), RULES, tuple(made)))
        fetcher.step()
    assert {folder.name for folder in (tmp_path / "root" / "bundles").iterdir()} == set(names[1:])


def test_a_gateway_never_serves_under_other_rules_than_it_started_with(lake, mounted, tmp_path):
    fetcher = fetching(tmp_path / "routes", tmp_path / "root", lake)
    mounted(Routes(ServingState(), RULES))
    fetcher.step()
    mounted(Routes(ServingState(generation=1), {**RULES, "allow": ["Acme"]}))
    with pytest.raises(RedactionChangedError, match="rollout restart deployment/gateway"):
        fetcher.step()
    assert read_state(tmp_path / "root").generation == 0


def test_files_are_read_of_one_version(mounted):
    folder = mounted(Routes(ServingState(generation=1), RULES))
    mounted(Routes(ServingState(generation=2), RULES))
    assert from_folder(folder).state.generation == 2


def test_the_process_says_what_it_lacks(monkeypatch, capsys):
    for name in ("LAKEFS_ENDPOINT", "LAKEFS_ACCESS_KEY_ID", "LAKEFS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "sys.argv",
        ["fetching", *(part for name in ("routes", "root", "trusted-keys") for part in (f"--{name}", "/nowhere"))],
    )
    with pytest.raises(SystemExit):
        main()
    assert "LAKEFS_ENDPOINT, LAKEFS_ACCESS_KEY_ID, LAKEFS_SECRET_ACCESS_KEY must be in the" in capsys.readouterr().err


def test_a_gateway_whose_upstreams_have_the_models_fetches_none(lake, mounted, tmp_path):
    nowhere = put(lake, "m.gguf", b"weights").model_copy(update={"sha256": "0" * 64})
    one = release("one", engine_model=nowhere, knowledge_index=put(lake, "i.zip", b"index"))
    root = tmp_path / "root"
    folder = mounted(Routes(ServingState(generation=1, live=one.release_id), RULES, (one,)))
    publish_seal(lake, one)
    keys = trusted_file(tmp_path / "trusted.pem")
    assert Fetcher(folder, root, lake, Models(tmp_path), keys, weightless=True).step()
    bundle, trusted = bundle_folder(root, one.release_id), read_trusted(keys)
    assert {"index.zip", "manifest.json", "model.sig"} <= {file.name for file in bundle.iterdir()}
    assert not list(bundle.glob("*.gguf"))
    loaded = load_bundle(bundle, trusted=trusted, weightless=True)
    assert (loaded.manifest, loaded.signed_by) == (one, KEY.id)
    for needed in (None, trusted):
        with pytest.raises(RefusedError, match=r"model\.gguf is missing"):
            load_bundle(bundle, trusted=needed)
    (bundle / "adapter.gguf").write_bytes(b"of somebody else")
    with pytest.raises(RefusedError, match=r"adapter\.gguf was not signed"):
        load_bundle(bundle, trusted=trusted, weightless=True)


# -- the adapters beside vLLM -----------------------------------------------------------------------------------------


@pytest.fixture
def beside_vllm(lake, mounted, tmp_path, tiny_model):
    """A vLLM's folder of adapters on the tiny model."""
    folder = tmp_path / "adapters"
    folder.mkdir()
    return Adapters(tmp_path / "routes", folder, tiny_model.folder, tiny_model.ref.digest, lake, most_rank=16)


def adapted(lake, tiny_model, name: str, **fields):
    """A release with an adapter of its own for the tiny model."""
    base = ModelRef(name="tiny", digest=tiny_model.ref.digest)
    folder = tiny_model.folder.parent / f"lora-{uuid.uuid4().hex}"
    file = put(lake, f"{name}.gguf", tiny_lora(tiny_model, folder, seed=len(name)).read_bytes())
    return release(name, **{"base": base, "adapter": file, **fields})


def test_adapters_are_there_under_their_releases_names_before_they_are_routed_and_gone_after(
    lake, mounted, tmp_path, tiny_model, beside_vllm
):
    made = [adapted(lake, tiny_model, name) for name in ("a", "bb", "ccc", "dddd")]
    names = [m.release_id for m in made]

    def there() -> set[str]:
        return {folder.name for folder in beside_vllm.adapters.iterdir() if folder.is_dir()}

    mounted(Routes(ServingState(generation=1, live=names[0]), RULES, tuple(made[:2])))
    assert beside_vllm.step()
    assert there() == set(names[:2]), "the live one, and the one that comes next"
    about = json.loads((beside_vllm.adapters / names[0] / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"] == str(tiny_model.folder)
    assert about["revision"] == tiny_model.ref.digest
    mounted(Routes(ServingState(generation=2, live=names[2], previous=names[1], canary=names[3]), RULES, tuple(made)))
    assert beside_vllm.step()
    assert there() == set(names[1:])


def test_a_pod_is_ready_only_when_what_is_served_is_there(lake, mounted, tiny_model, beside_vllm):
    good, next_one = adapted(lake, tiny_model, "a"), adapted(lake, tiny_model, "bb")

    def away(manifest):
        gone = manifest.adapter.ref.model_copy(update={"path": "nowhere"})
        return manifest.model_copy(update={"adapter": manifest.adapter.model_copy(update={"ref": gone})})

    complete = beside_vllm.adapters / COMPLETE
    mounted(Routes(ServingState(generation=1, live=good.release_id), RULES, (away(good),)))
    with pytest.raises(LakeError):
        beside_vllm.step()
    assert not complete.exists()
    mounted(Routes(ServingState(generation=2, live=good.release_id), RULES, (good, away(next_one))))
    with pytest.raises(LakeError):
        beside_vllm.step()
    assert complete.exists(), "what comes next keeps nobody from what is served"


@pytest.mark.parametrize("fault", ["another file", "another base", "a student", "too high a rank"])
def test_an_adapter_that_vllm_cannot_serve_is_said_once_and_never_put_in_place(
    lake, mounted, tiny_model, beside_vllm, capsys, fault
):
    one = adapted(lake, tiny_model, "one")
    changes = {
        "another file": {"adapter": one.adapter.model_copy(update={"sha256": "0" * 64})},
        "another base": {"base": ModelRef(name="tiny", digest="other")},
        "a student": {"engine_model": one.adapter},
        "too high a rank": {},
    }
    beside_vllm._most_rank = 8 if fault == "too high a rank" else 16
    bad = one.model_copy(update=changes[fault])
    mounted(Routes(ServingState(generation=1, live=bad.release_id), RULES, (bad,)))
    assert beside_vllm.step()
    assert beside_vllm.step()
    assert [entry.name for entry in beside_vllm.adapters.iterdir()] == [COMPLETE]
    assert capsys.readouterr().err.count(f"{bad.release_id} cannot be served here: ") == 1
