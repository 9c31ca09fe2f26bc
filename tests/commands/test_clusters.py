"""The commands of a cluster, over HTTP against an API server in memory: what is refused changes nothing."""

import base64
import threading
from collections.abc import Callable, Iterator

import pytest
import yaml
from click.testing import Result
from commands_support import llmops
from kubernetes_server import KubernetesServer

from llmops_assets.commands import clusters, manifests
from llmops_assets.lib.cluster.objects import parse
from resources.cluster import Cluster, ClusterError, ConflictError

pytestmark = pytest.mark.slow

KEY = "ab" * 32


def filled(server: KubernetesServer) -> None:
    """What the platform's team brings: namespaces are ours, secrets, nodes and storage are not."""
    server.put("storage.k8s.io/v1", "StorageClass", "fast")
    server.put(
        "storage.k8s.io/v1", "StorageClass", "standard",
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    )  # fmt: skip
    server.put("v1", "Node", "gpu-1", status={"allocatable": {"cpu": "32", "nvidia.com/gpu": "2"}})
    for (namespace, name), keys in manifests.secrets_of(manifests.FOLDER / "secrets.yaml").items():
        secret(server, namespace, name, dict.fromkeys(keys, KEY))


def secret(server: KubernetesServer, namespace: str, name: str, values: dict[str, str]) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    server.put("v1", "Secret", name, namespace, data=data)


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    server = KubernetesServer().start()
    filled(server)
    yield server
    server.stop()


@pytest.fixture
def ask(server, monkeypatch) -> Callable[..., Result]:
    quick = {**(Cluster.__init__.__kwdefaults__ or {}), "pause": 0.01, "attempts": 3}
    monkeypatch.setattr(Cluster.__init__, "__kwdefaults__", quick)

    def asked(command: str, *arguments: object) -> Result:
        return llmops("cluster", command, *arguments, "--server", server.address)

    return asked


def workloads(overlay: str) -> set[str]:
    return {o.name for o in parse(manifests.render(manifests.overlay(overlay))) if o.kind == "Deployment"}


def run_all(server: KubernetesServer) -> None:
    """What a cluster's controllers do with Deployments."""
    for (_, plural, _, _), found in server.objects.items():
        if plural == "deployments":
            generation = found["metadata"]["generation"]
            found["status"] = {"readyReplicas": found["spec"]["replicas"], "observedGeneration": generation}


def test_render_prints_what_kustomize_makes():
    shown = llmops("cluster", "render", "local")
    assert shown.exit_code == 0
    assert shown.stdout == (manifests.FOLDER / "rendered" / "local.yaml").read_text()


@pytest.mark.parametrize("overlay", ["local", "gpu", "production"])
def test_apply_installs_and_a_second_one_changes_nothing(server, ask, overlay):
    before = ask("diff", overlay)
    objects = parse(manifests.render(manifests.overlay(overlay)))
    assert f"{len(objects)} objects would change" in before.stdout
    assert server.writes() == []
    done = ask("apply", overlay)
    assert done.exit_code == 0, done.output
    assert f"{len(objects)} objects applied" in done.stdout
    assert all(server.find(o.kind, o.name, o.namespace) for o in objects)
    assert ask("diff", overlay).stdout == "0 objects would change\n"
    applied = len(server.writes())
    assert ask("apply", overlay).exit_code == 0
    assert len(server.writes()) == 2 * applied


def test_migrations_end_before_pods_begin(server, ask):
    ask("apply", "local")
    kinds = [path.rstrip("/").split("/")[-2] for _, path in server.writes()]
    assert kinds[0] == "namespaces"
    assert max(i for i, k in enumerate(kinds) if k == "jobs") < min(
        i for i, k in enumerate(kinds) if k == "deployments"
    )


def test_a_migration_that_fails_leaves_the_pods_as_they_are(server, ask):
    server.job_ends = "Failed"
    failed = ask("apply", "local")
    assert failed.exit_code == 1
    assert "Job llmops/dagster-migrate-0-1-0 failed, the pods were left as they are" in failed.stderr
    assert not any("deployments" in path for _, path in server.writes())
    server.job_ends = ""
    server.find("Job", "dagster-migrate-0-1-0", "llmops").pop("status")
    pods = [waiting_pod("migrate", "ImagePullBackOff", "dial tcp: lookup registry: no such host")]
    server.put("v1", "Pod", "dagster-migrate-0-1-0-x", "llmops", status=pods[0],
               metadata={"labels": {"app.kubernetes.io/name": "dagster-migrate"}})  # fmt: skip
    late = ask("apply", "local", "--seconds", "1")
    assert "has not ended" in late.stderr
    assert "the registry cannot be reached from the node" in late.stderr


def test_diff_says_which_value_would_change_and_changes_nothing(server, ask):
    ask("apply", "local")
    server.find("Deployment", "gateway", "llmops-serving")["spec"]["template"]["spec"]["containers"][0]["image"] = (
        "old:1"
    )
    count = len(server.writes())
    told = ask("diff", "local").stdout
    assert "~ Deployment llmops-serving/gateway" in told
    assert "spec.template.spec.containers[gateway].image: old:1 -> llmops-gateway:0.1.0" in told
    assert told.splitlines()[-1] == "1 objects would change"
    assert len(server.writes()) == count


def test_an_apply_keeps_what_the_deployment_target_wrote(server, ask):
    ask("apply", "local")
    cluster = Cluster(server.address)
    routes = cluster.get("v1", "ConfigMap", "routes", "llmops-serving")
    cluster.update({**routes, "data": {"state.json": "{}"}}, manager="deployer")
    assert ask("apply", "local").exit_code == 0
    assert server.find("ConfigMap", "routes", "llmops-serving")["data"] == {"state.json": "{}"}


def test_a_field_of_another_manager_is_not_overwritten_without_force(server, ask):
    ask("apply", "local")
    cluster = Cluster(server.address)
    deployment = cluster.get("apps/v1", "Deployment", "webserver", "llmops")
    deployment["spec"]["replicas"] = 3
    cluster.update(deployment, manager="somebody")
    refused = ask("apply", "local")
    assert refused.exit_code == 1
    assert "Deployment llmops/webserver: PATCH" in refused.stdout
    assert 'conflict with "somebody": .spec.replicas' in refused.stdout
    assert server.find("Deployment", "webserver", "llmops")["spec"]["replicas"] == 3
    assert ask("apply", "local", "--force").exit_code == 0
    assert server.find("Deployment", "webserver", "llmops")["spec"]["replicas"] == 1


# -- nothing half applied -------------------------------------------------------------------------------------------


def lose_operators(server: KubernetesServer) -> None:
    server.kinds.pop("keda.sh/v1alpha1")


def lose_gpus(server: KubernetesServer) -> None:
    server.put("v1", "Node", "gpu-1", status={"allocatable": {"cpu": "32"}})


def lose_secret(server: KubernetesServer) -> None:
    server.objects.pop(("v1", "secrets", "llmops-serving", "gateway-secrets"))


def lose_key(server: KubernetesServer) -> None:
    server.find("Secret", "llmops-secrets", "llmops")["data"].pop("PGPASSWORD")


def spoil_key(server: KubernetesServer) -> None:
    values = dict.fromkeys(manifests.secrets_of(manifests.FOLDER / "secrets.yaml")["llmops", "llmops-secrets"], KEY)
    secret(server, "llmops", "llmops-secrets", values | {"LLMOPS_SUBJECT_KEY": "not a key"})


SIGNING = {"signing.key": KEY, "trusted.pem": KEY}


def change_key(server: KubernetesServer) -> None:
    secret(server, "llmops", "gateway-key", {**SIGNING, "gateway.key": "another"})


def empty_key(server: KubernetesServer) -> None:
    secret(server, "llmops", "gateway-key", {**SIGNING, "gateway.key": ""})


def lose_storage(server: KubernetesServer) -> None:
    server.objects.pop(("storage.k8s.io/v1", "storageclasses", "", "fast"))


def lose_default_storage(server: KubernetesServer) -> None:
    server.objects.pop(("storage.k8s.io/v1", "storageclasses", "", "standard"))


LACKING = {
    "a CRD": ("production", lose_operators, "no ScaledObject of keda.sh/v1alpha1 (gateway, vllm): install KEDA."),
    "GPUs": (
        "gpu", lose_gpus,
        "No node has any of nvidia.com/gpu, of which Deployment llmops-serving/vllm and 3 more "
        "wants 1",
    ),
    "a secret": ("local", lose_secret, "There is no secret llmops-serving/gateway-secrets: create it"),
    "a key": ("local", lose_key, "The secret llmops/llmops-secrets has no key PGPASSWORD"),
    "a key that is one": ("local", spoil_key, "LLMOPS_SUBJECT_KEY of the secret llmops/llmops-secrets is no 32"),
    "one key in two places": (
        "local", change_key,
        "gateway.key differs between the secrets llmops/gateway-key and "
        "llmops-serving/gateway-key",
    ),
    "a value": ("local", empty_key, "The key gateway.key of the secret llmops/gateway-key is empty."),
    "a storage class": ("production", lose_storage, "the storage class fast, which is not there"),
    "a default storage class": ("gpu", lose_default_storage, "names no storage class and the cluster has no default"),
}  # fmt: skip


@pytest.mark.parametrize("what", LACKING)
def test_what_is_missing_is_one_sentence_and_nothing_is_applied(server, ask, what):
    overlay, lose, told = LACKING[what]
    lose(server)
    refused = ask("apply", overlay)
    assert refused.exit_code == 1
    assert any(told in line for line in refused.stdout.splitlines()), refused.stdout
    assert server.writes() == []
    found = ask("doctor", overlay)
    assert found.exit_code == 1
    assert any(told in line for line in found.stdout.splitlines())
    assert KEY not in refused.output + found.output


def test_manifests_that_are_wrong_in_themselves_never_reach_the_server(server, ask, tmp_path):
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({
        "resources": ["all.yaml"],
    }))  # fmt: skip
    text = (manifests.FOLDER / "rendered" / "local.yaml").read_text()
    (tmp_path / "all.yaml").write_text(
        text.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", 1)
    )
    refused = ask("apply", tmp_path)
    assert refused.exit_code == 1
    assert "does not set allowPrivilegeEscalation: false" in refused.stdout
    assert server.writes() == []


def test_a_refusal_of_the_server_in_the_trial_leaves_everything_as_it_was(server, ask):
    server.put("v1", "Namespace", "llmops")
    job = server.put("batch/v1", "Job", "dagster-migrate-0-1-0", "llmops", spec={"template": {"spec": {}}})
    refused = ask("apply", "local")
    assert refused.exit_code == 1
    assert "Job llmops/dagster-migrate-0-1-0: PATCH" in refused.stdout
    assert "field is immutable" in refused.stdout
    assert {path for _, path in server.writes()} == {"/api/v1/namespaces/llmops", "/api/v1/namespaces/llmops-serving"}
    assert server.find("Job", "dagster-migrate-0-1-0", "llmops") is job


def test_a_server_that_goes_away_in_the_middle_is_told_and_the_next_apply_completes(server, ask):
    server.write_faults = [None] * 12 + [500] * 3
    broken = ask("apply", "local")
    assert broken.exit_code == 1
    count = len(parse(manifests.render(manifests.overlay("local"))))
    assert f"(500): 12 of {count} objects were applied before; the same command goes on from there" in broken.stderr
    assert ask("apply", "local").exit_code == 0
    assert ask("diff", "local").stdout == "0 objects would change\n"


def test_a_server_that_restarts_is_waited_for(server):
    cluster = Cluster(server.address, attempts=8, pause=0.05)
    server.stop()
    back = threading.Timer(0.3, server.start)
    back.start()
    assert cluster.find("v1", "Node")[0]["metadata"]["name"] == "gpu-1"
    back.join()
    server.faults = [503, 429, 500]
    assert cluster.get("v1", "Node", "gpu-1") is not None


def test_nobody_at_the_address_is_a_sentence():
    cluster = Cluster("http://127.0.0.1:9", attempts=2, pause=0.01)
    with pytest.raises(ClusterError, match=r"the API server at http://127.0.0.1:9 does not answer"):
        cluster.find("v1", "Node")


def test_a_stale_object_is_refused_and_an_unknown_one_is_none(server):
    server.put("v1", "Namespace", "n")
    server.put("v1", "ConfigMap", "c", "n", data={"a": "1"})
    cluster = Cluster(server.address)
    stale = cluster.get("v1", "ConfigMap", "c", "n")
    cluster.update({**stale, "data": {"a": "2"}})
    with pytest.raises(ConflictError, match=r"the object has been modified.*\(409\)"):
        cluster.update({**stale, "data": {"a": "3"}})
    assert server.find("ConfigMap", "c", "n")["data"] == {"a": "2"}
    assert cluster.get("v1", "ConfigMap", "d", "n") is None
    with pytest.raises(ClusterError, match=r"the cluster knows no Widget of acme.example/v1"):
        cluster.find("acme.example/v1", "Widget", "n")


# -- status and doctor ----------------------------------------------------------------------------------------------


def test_status_counts_pods_that_are_ready(server, ask):
    nothing = ask("status", "local")
    assert nothing.exit_code == 1
    assert nothing.stdout.count("not applied") == len(workloads("local"))
    ask("apply", "local")
    assert ask("status", "local").exit_code == 1
    run_all(server)
    shown = ask("status", "local")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("1/1") == len(workloads("local")) == 5
    server.find("Deployment", "daemon", "llmops")["metadata"]["generation"] += 1
    changing = ask("status", "local")
    assert changing.exit_code == 1
    assert "being changed" in changing.stdout


def test_doctor_has_nothing_to_say_of_what_runs(server, ask):
    ask("apply", "production")
    run_all(server)
    found = ask("doctor", "production")
    assert (found.exit_code, found.stdout) == (0, "nothing is wrong\n")


def waiting_pod(container: str, because: str, told: str = "", /, **last: object) -> dict:
    state = {
        "name": container,
        "image": "registry.example.com/x:1",
        "state": {"waiting": {"reason": because, "message": told}},
    }
    return {"containerStatuses": [{**state, **({"lastState": {"terminated": last}} if last else {})}]}  # fmt: skip


UNSCHEDULED = {"type": "PodScheduled", "status": "False"}
WAITING = {
    "registry unreachable": (
        waiting_pod("gateway", "ImagePullBackOff", 'failed to pull: dial tcp 10.0.0.1:443: i/o timeout'),
        "container gateway has no image registry.example.com/x:1: the registry cannot be reached from the node",
    ),
    "no such version": (
        waiting_pod("gateway", "ErrImagePull", "manifest unknown: manifest tagged by 0.1.0 is not found"),
        "the registry has no such version: build and push it",
    ),
    "no pull secret": (
        waiting_pod("gateway", "ErrImagePull", "pull access denied, repository does not exist or may require login"),
        "the registry lets nobody in without a pull secret",
    ),
    "a missing key": (
        waiting_pod("gateway", "CreateContainerConfigError", "couldn't find key PGPASSWORD in Secret x/y"),
        "cannot be made: couldn't find key PGPASSWORD in Secret x/y",
    ),
    "too little memory": (
        waiting_pod("gateway", "CrashLoopBackOff", reason="OOMKilled", exitCode=137),
        "ends again and again: it needs more memory than its limit",
    ),
    "a full volume": (
        waiting_pod("gateway", "CrashLoopBackOff", exitCode=1, message="OSError: No space left on device"),
        "ends again and again: its volume is full",
    ),
    "a crash": (
        waiting_pod("gateway", "CrashLoopBackOff", exitCode=3),
        "ends again and again, the last time with status 3: look at its logs",
    ),
    "no GPU left": (
        {"conditions": [{**UNSCHEDULED, "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}]},
        "finds no node: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu. (no node has a free nvidia.com/gpu)",
    ),
    "no volume": (
        {"conditions": [{**UNSCHEDULED, "message": "pod has unbound immediate PersistentVolumeClaims"}]},
        "(no volume could be made for its claim: is there a storage class?)",
    ),
    "a full disk": (
        {"reason": "Evicted", "message": "Pod ephemeral local storage usage exceeds the total limit 8Gi."},
        "was evicted, its disk is full: Pod ephemeral local storage usage",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WAITING)
def test_doctor_says_what_a_pod_waits_for(server, ask, what):
    ask("apply", "local")
    run_all(server)
    status, told = WAITING[what]
    server.put("v1", "Pod", "gateway-1", "llmops-serving", status=status)
    found = ask("doctor", "local")
    assert found.exit_code == 1
    [line, count] = found.stdout.splitlines()
    assert line.startswith("Pod llmops-serving/gateway-1")
    assert told in line
    assert count == "1 problems"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": hostNetwork', "Pod Security refuses them"),
        ('pods "x" is forbidden: exceeded quota: compute', "the namespace's quota is used up"),
        ('pods "x" is forbidden: error looking up service account', "they are refused"),
    ],
)
def test_doctor_finds_the_runs_whose_pods_are_refused(server, ask, message, told):
    ask("apply", "local")
    run_all(server)
    about = {"kind": "Job", "name": "dagster-run-1", "namespace": "llmops"}
    server.put("v1", "Event", "e", "llmops", reason="FailedCreate", message=message, involvedObject=about)
    found = ask("doctor", "local").stdout.splitlines()
    assert found[0].startswith(f"Job llmops/dagster-run-1 gets no pods, {told}: pods ")


def test_doctor_finds_pods_of_another_version(server, ask):
    ask("apply", "local")
    run_all(server)
    server.find("Deployment", "daemon", "llmops")["spec"]["template"]["spec"]["containers"][0]["image"] = (
        "r/llmops-graph:0.0.9"
    )
    found = ask("doctor", "local").stdout.splitlines()
    assert found[0].startswith(
        "Deployment llmops/daemon: the image r/llmops-graph:0.0.9 is not of this package's version 0.1.0"
    )


def test_what_the_caller_may_not_look_at_is_said(server, ask):
    server.forbidden = {"secrets", "nodes"}
    found = ask("doctor", "gpu").stdout
    assert "Whether secrets are missing cannot be told" in found
    assert "Whether nodes are missing cannot be told" in found


def test_doctor_says_which_training_does_not_fit(monkeypatch):
    objects = parse((manifests.FOLDER / "rendered" / "gpu.yaml").read_text())
    (environment,) = [o for o in objects if o.name.startswith("llmops-environment")]
    environment.data["data"].update(LLMOPS_MODEL_PARAMETERS="3000000000")
    assert [told.split(":")[0] for told in clusters.misfits_of(objects)] == [
        "preference_adapter cannot be trained here",
        "distilled_model cannot be trained here",
    ]
