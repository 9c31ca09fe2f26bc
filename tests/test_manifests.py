"""The manifests of k8s hold, and each of twenty planted faults, and more, is found without a cluster."""

import copy
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops_assets.commands import manifests
from llmops_assets.lib.cluster.objects import Object, parse
from llmops_assets.lib.cluster.schemas import VERSIONS, Schemas
from llmops_assets.lib.errors import LlmopsError

pytestmark = pytest.mark.slow

K8S = manifests.FOLDER
OVERLAYS = ("gpu", "local", "production")
Objects = list[dict[str, Any]]


@cache
def rendered(name: str) -> str:
    return (K8S / "rendered" / f"{name}.yaml").read_text()


@cache
def schemas(version: str) -> Schemas:
    return Schemas(version, K8S / "schemas")


def found_in(objects: list[Object]) -> list[str]:
    """What k8s/validate would tell of these objects, with the newest schemas."""
    secrets = manifests.secrets_of(K8S / "secrets.yaml")
    by_schema = list(schemas(VERSIONS[-1]).problems(objects))
    try:
        return [*by_schema, *manifests.distinct(manifests.problems(objects, secrets))]
    except LlmopsError as error:
        return [*by_schema, str(error)]


def one(objects: Objects, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    """The object of a kind and a name, whose hash may follow."""
    (found,) = (
        o
        for o in objects
        if o["kind"] == kind
        and re.sub(r"-[a-z0-9]{10}$", "", o["metadata"]["name"]) == name
        and namespace in (None, o["metadata"].get("namespace"))
    )
    return found


def container(objects: Objects, deployment: str, at: int = 0) -> dict[str, Any]:
    return one(objects, "Deployment", deployment)["spec"]["template"]["spec"]["containers"][at]


def instance(objects: Objects, change: Callable[[dict], object]) -> None:
    """Change the dagster.yaml of the ConfigMap."""
    data = one(objects, "ConfigMap", "dagster-instance")["data"]
    config = yaml.safe_load(data["dagster.yaml"])
    change(config)
    data["dagster.yaml"] = yaml.safe_dump(config)


def drop(objects: Objects, kind: str, name: str, namespace: str | None = None) -> None:
    objects.remove(one(objects, kind, name, namespace))


def drop_variable(container: dict, name: str) -> None:
    container["env"] = [variable for variable in container["env"] if variable["name"] != name]


def run_config(config: dict) -> dict:
    return config["run_launcher"]["config"]["run_k8s_config"]


PLANTED: dict[str, tuple[Callable[[Objects], object], str]] = {
    "field typo": (
        lambda o: container(o, "gateway").update(imagePullPolcy="Always"),
        r"Deployment llmops-serving/gateway: .*unknown: 'imagePullPolcy'",
    ),
    "wrong type": (
        lambda o: one(o, "Deployment", "webserver")["spec"].update(replicas="two"),
        r"Deployment llmops/webserver: spec.replicas: \"two\" is not of types",
    ),
    "removed API": (
        lambda o: one(o, "PodDisruptionBudget", "gateway").update(apiVersion="policy/v1beta1"),
        r"Kubernetes 1.37 has no PodDisruptionBudget of policy/v1beta1",
    ),
    "selector is not the labels": (
        lambda o: one(o, "Deployment", "webserver")["spec"]["selector"]["matchLabels"].update(
            {"app.kubernetes.io/name": "web"}
        ),
        r"Deployment llmops/webserver: its selector does not take the labels of its own pods",
    ),
    "volume mount typo": (
        lambda o: container(o, "gateway")["volumeMounts"][0].update(name="relases"),
        r"container gateway mounts the volume relases, which the pod does not have",
    ),
    "budget with both bounds": (
        lambda o: one(o, "PodDisruptionBudget", "gateway")["spec"].update(minAvailable=1),
        r"PodDisruptionBudget llmops-serving/gateway: it has minAvailable and maxUnavailable",
    ),
    "wrong Pod Security label": (
        lambda o: one(o, "Namespace", "llmops")["metadata"]["labels"].update(
            {"pod-security.kubernetes.io/enforce": "restrictive"}
        ),
        r"Namespace llmops: pod-security.kubernetes.io/enforce is 'restrictive'",
    ),
    "bad quantity": (
        lambda o: container(o, "gateway")["resources"]["limits"].update(memory="3Gb"),
        r"container gateway: limits: memory: '3Gb' is no quantity",
    ),
    "request over limit": (
        lambda o: container(o, "gateway")["resources"]["requests"].update(memory="3073Mi"),
        r"container gateway requests more memory \(3073Mi\) than its limit \(3Gi\)",
    ),
    "missing ConfigMap": (
        lambda o: drop(o, "ConfigMap", "gateway-environment"),
        r"container gateway: there is no ConfigMap gateway-environment-",
    ),
    "targetPort typo": (
        lambda o: one(o, "Service", "gateway")["spec"]["ports"][0].update(targetPort="htpp"),
        r"Service llmops-serving/gateway: no container of Deployment llmops-serving/gateway has the port htpp",
    ),
    "probe port typo": (
        lambda o: container(o, "webserver")["readinessProbe"]["httpGet"].update(port="web"),
        r"container webserver: readinessProbe asks the port web",
    ),
    "autoscaler's target": (
        lambda o: one(o, "ScaledObject", "gateway")["spec"]["scaleTargetRef"].update(name="gatway"),
        r"ScaledObject llmops-serving/gateway: there is no Deployment gatway to scale",
    ),
    "privilege escalation": (
        lambda o: container(o, "gateway")["securityContext"].update(allowPrivilegeEscalation=True),
        r"container gateway does not set allowPrivilegeEscalation: false",
    ),
    "RBAC of everything": (
        lambda o: one(o, "Role", "launcher")["rules"][0].update(verbs=["*"]),
        r"Role llmops/launcher: \* on jobs of group 'batch' is not needed",
    ),
    "no default deny": (
        lambda o: drop(o, "NetworkPolicy", "default-deny", "llmops-serving"),
        r"Namespace llmops-serving: no NetworkPolicy denies what none names",
    ),
    "route to adapter administration": (
        lambda o: one(o, "HTTPRoute", "assistant")["spec"]["rules"][0]["matches"].append(
            {"path": {"type": "PathPrefix", "value": "/v1/load_lora_adapter"}}
        ),
        r"HTTPRoute llmops-serving/assistant: /v1/load_lora_adapter is not for customers",
    ),
    "run image is another": (
        lambda o: next(e for e in container(o, "code-server")["env"] if e["name"] == "DAGSTER_CURRENT_IMAGE").update(
            value="llmops-graph:0.1.0"
        ),
        r"runs would use llmops-graph:0.1.0, but the code server is registry.example.com/llmops-graph:0.1.0",
    ),
    "two daemons": (
        lambda o: one(o, "Deployment", "daemon")["spec"].update(replicas=2),
        r"Deployment llmops/daemon: 2 daemons would evaluate every sensor",
    ),
    "unknown field of KEDA": (
        lambda o: one(o, "ScaledObject", "gateway")["spec"].update(minReplicas=2),
        r"ScaledObject llmops-serving/gateway: spec: unknown: 'minReplicas'",
    ),
}
"""The twenty faults of the design, each with what must be said of it."""

MORE: dict[str, tuple[Callable[[Objects], object], str]] = {
    "a second daemon beside the first": (
        lambda o: o.append(
            {**copy.deepcopy(one(o, "Deployment", "daemon")), "metadata": {"name": "daemon-b", "namespace": "llmops"}}
        ),
        r"2 workloads run Dagster's daemon",
    ),
    "two daemons during an upgrade": (
        lambda o: one(o, "Deployment", "daemon")["spec"].pop("strategy"),
        r"without strategy Recreate two daemons run",
    ),
    "launched pods are root": (
        lambda o: instance(o, lambda c: run_config(c)["pod_spec_config"]["security_context"].pop("run_as_non_root")),
        r"Job llmops/launched-run: container dagster does not set runAsNonRoot",
    ),
    "launched steps may escalate": (
        lambda o: instance(o, lambda c: run_config(c)["container_config"].pop("security_context")),
        r"Job llmops/launched-step-adapter: container dagster does not set allowPrivilegeEscalation",
    ),
    "launched pods mount what is not there": (
        lambda o: instance(o, lambda c: run_config(c)["pod_spec_config"]["volumes"].pop()),
        r"container dagster mounts the volume gateway-key, which the pod does not have",
    ),
    "launched pods have another account": (
        lambda o: instance(o, lambda c: c["run_launcher"]["config"].update(service_account_name="run")),
        r"Job llmops/launched-run: there is no service account run",
    ),
    "a launcher's typo": (
        lambda o: instance(o, lambda c: c["run_launcher"]["config"].update(job_namspace="x")),
        r'dagster.yaml: run_launcher: .*"job_namspace"',
    ),
    "a variable is passed on that nothing sets": (
        lambda o: one(o, "ConfigMap", "llmops-environment")["data"].pop("PGUSER"),
        r"dagster.yaml passes on PGUSER, which the ConfigMap llmops-environment does not set",
    ),
    "a model too large for the GPUs": (
        lambda o: one(o, "ConfigMap", "llmops-environment")["data"].update(LLMOPS_MODEL_PARAMETERS="70000000000"),
        r"of 70,000,000,000 parameters needs \d+ GiB, \d+ GPUs of 24 GiB; a step may take 1",
    ),
    "the training image of another version": (
        lambda o: one(o, "ConfigMap", "llmops-environment")["data"].update(
            LLMOPS_TRAINING_IMAGE="x/llmops-training:0.0.9"
        ),
        r"the image x/llmops-training:0.0.9 is not of this package's version",
    ),
    "a key that the secret has not": (
        lambda o: one(o, "ExternalSecret", "gateway-secrets")["spec"]["data"].pop(),
        r"container gateway: the secret gateway-secrets has no key PGPASSWORD",
    ),
    "a claim that is not there": (
        lambda o: drop(o, "PersistentVolumeClaim", "vllm-models"),
        r"Deployment llmops-serving/vllm: there is no claim vllm-models",
    ),
    "replicas fight with the autoscaler": (
        lambda o: one(o, "Deployment", "gateway")["spec"].update(replicas=2),
        r"Deployment llmops-serving/gateway says replicas too",
    ),
    "a role that is not there": (
        lambda o: drop(o, "Role", "deployer"),
        r"RoleBinding llmops-serving/deployer: there is no role deployer",
    ),
    "a role beyond its object": (
        lambda o: one(o, "Role", "deployer")["rules"][0].pop("resourceNames"),
        r"Role llmops-serving/deployer: get, update on configmaps",
    ),
    "a token that opens nothing": (
        lambda o: one(o, "Deployment", "gateway")["spec"]["template"]["spec"].update(automountServiceAccountToken=True),
        r"Deployment llmops-serving/gateway: it carries a token that opens nothing",
    ),
    "an unpinned image": (
        lambda o: container(o, "vllm").update(image="vllm/vllm-openai:latest"),
        r"its image 'vllm/vllm-openai:latest' is not pinned",
    ),
    "adapters over HTTP": (
        lambda o: drop_variable(container(o, "vllm"), "VLLM_API_KEY"),
        r"VLLM_ALLOW_RUNTIME_LORA_UPDATING without a key lets everybody load adapters",
    ),
    "a monitor without a service": (
        lambda o: one(o, "ServiceMonitor", "gateway")["spec"]["selector"]["matchLabels"].update(a="b"),
        r"ServiceMonitor llmops-serving/gateway: no service has the labels",
    ),
    "a route to another port": (
        lambda o: one(o, "HTTPRoute", "assistant")["spec"]["rules"][0]["backendRefs"][0].update(port=80),
        r"HTTPRoute llmops-serving/assistant: Service llmops-serving/gateway has no port 80",
    ),
    "a policy for nobody": (
        lambda o: one(o, "NetworkPolicy", "gateway")["spec"]["podSelector"]["matchLabels"].update(a="b"),
        r"NetworkPolicy llmops-serving/gateway: no pod has the labels",
    ),
    "a volume of the node": (
        lambda o: one(o, "Deployment", "vllm")["spec"]["template"]["spec"]["volumes"].__setitem__(
            0, {"name": "models", "hostPath": {"path": "/models"}}
        ),
        r"the volume models is a hostPath",
    ),
    "a volume without bounds": (
        lambda o: one(o, "Deployment", "gateway")["spec"]["template"]["spec"]["volumes"][1].update(emptyDir={}),
        r"the volume releases has no sizeLimit",
    ),
    "an alert without an expression": (
        lambda o: one(o, "PrometheusRule", "llmops")["spec"]["groups"][0]["rules"][0].pop("expr"),
        r"PrometheusRule llmops-serving/llmops: spec.groups.0.rules.0: .*\"expr\" is a required property",
    ),
}
"""Faults beyond the twenty, each found once while this was made."""


@pytest.fixture
def objects() -> Objects:
    return [dict(o.data) for o in copy.deepcopy(parse(rendered("production")))]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_wrong_with_what_is_there(overlay):
    assert found_in(parse(rendered(overlay))) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_wanted_version_of_kubernetes_takes_it(overlay, version):
    objects = parse(rendered(overlay))
    assert list(schemas(version).problems([*objects, *manifests.launched_pods(objects)])) == []


def test_twenty_faults_are_planted():
    assert len(PLANTED) == 20


@pytest.mark.parametrize("fault", [*PLANTED, *MORE])
def test_a_planted_fault_is_found_and_named(objects, fault):
    plant, told = (PLANTED | MORE)[fault]
    plant(objects)
    found = found_in([Object(o) for o in objects])
    assert any(re.search(told, problem) for problem in found), found


@pytest.mark.parametrize("name", ["gateway.json", "rules.yaml"])
def test_a_cluster_has_the_dashboard_and_the_alerts_of_the_package(name):
    assert (K8S / "components" / "monitoring" / name).read_text() == manifests.monitoring()[name]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_rendered_is_what_is_kept(overlay):
    assert manifests.render(manifests.overlay(overlay)) == rendered(overlay)


def test_validate_goes_through_and_says_how_much_it_saw():
    done = subprocess.run([sys.executable, K8S / "validate"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"0 problems, Kubernetes {VERSIONS[0]} to {VERSIONS[-1]}"
    *overlays, checkov = [line.split(":")[0] for line in done.stdout.splitlines()[:-1]]
    assert overlays == list(OVERLAYS)
    assert checkov in ("checkov", "checkov was not run")


def finding(check: str, resource: str) -> dict[str, str]:
    return {"check_id": check, "check_name": f"name of {check}", "resource": resource}


def checkov_that(folder: Path, body: str) -> str:
    """A program that takes checkov's arguments."""
    file = folder / "checkov"
    file.write_text(f"#!{sys.executable}\nimport json, sys\n{body}\n")
    file.chmod(0o755)
    return str(file)


def test_what_checkov_finds_is_excepted_with_a_reason_or_told(tmp_path):
    exceptions = tmp_path / "checkov.yaml"
    exceptions.write_text(
        yaml.safe_dump(
            [
                {"check": "CKV_1", "why": "w"},
                {"check": "CKV_2", "objects": ["Job.llmops.launched-*"], "why": "w"},
                {"check": "CKV_3", "why": "w"},
            ]
        )
    )
    failed = [
        finding("CKV_1", "Deployment.llmops.daemon"),
        finding("CKV_2", "Job.llmops.launched-run"),
        finding("CKV_2", "Deployment.llmops.daemon"),
        finding("CKV_4", "Deployment.llmops.daemon"),
    ]
    body = f"print(json.dumps({{'results': {{'failed_checks': {failed!r}}}}}))"
    assert manifests.unexcused(checkov_that(tmp_path, body), [], exceptions) == [
        "checkov: CKV_2: Deployment.llmops.daemon: name of CKV_2",
        "checkov: CKV_4: Deployment.llmops.daemon: name of CKV_4",
        "checkov: CKV_3: checkov.yaml excepts what nothing does",
    ]


@pytest.mark.parametrize("body", ["sys.exit('no such framework')", "print('no such framework')", "print('{}')"])
def test_a_checkov_that_did_not_run_is_no_clean_sheet(tmp_path, body):
    with pytest.raises(LlmopsError, match=r"checkov did not run: (no such framework|{})"):
        manifests.unexcused(checkov_that(tmp_path, body), [], K8S / "checkov.yaml")


def test_every_exception_from_checkov_has_its_reason():
    for exception in yaml.safe_load((K8S / "checkov.yaml").read_text()):
        assert exception.keys() <= {"check", "objects", "why"}
        assert len(exception["why"]) > 20


def test_a_kustomization_that_does_not_render_is_a_sentence(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("resources: [nowhere.yaml]\n")
    with pytest.raises(LlmopsError, match=r"nowhere.yaml"):
        manifests.render(manifests.overlay(str(tmp_path)))
    with pytest.raises(LlmopsError, match=r"neither an overlay of k8s \(gpu, local, production\) nor a folder"):
        manifests.overlay("staging")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b\n", "document 1 is no object"),
        ("[", "no YAML"),
        ("{apiVersion: v1, kind: Pod}", r"\(Pod\) has no metadata.name"),
    ],
)
def test_a_text_without_objects_is_told(text, told):
    with pytest.raises(LlmopsError, match=told):
        parse(text)


def secrets_in(page: str) -> Iterator[tuple[str, str, str]]:
    """(namespace, name, key) of every secret that the page tells to create."""
    for line in page.replace("\\\n", " ").splitlines():
        words = line.split()
        if words[:4] == ["kubectl", "create", "secret", "generic"]:
            for key in re.findall(r"--from-(?:literal|file)=([\w.-]+)", line):
                yield words[words.index("-n") + 1], words[4], key


def test_the_list_of_secrets_is_what_the_vault_gives_and_the_guide_makes(root: Path):
    listed = {
        (namespace, name, key)
        for (namespace, name), keys in manifests.secrets_of(K8S / "secrets.yaml").items()
        for key in keys
    }
    vault = {
        (o.namespace, o.name, entry["secretKey"])
        for o in parse(rendered("production"))
        if o.kind == "ExternalSecret"
        for entry in o.spec["data"]
    }
    assert listed == vault
    assert listed == set(secrets_in((root / "docs" / "kubernetes.md").read_text()))


def test_every_metric_that_rings_scales_or_is_drawn_is_one_that_the_gateway_has():
    from prometheus_client import generate_latest

    from llmops_assets.gateway.metrics import Metrics

    known = set(re.findall(r"# TYPE (\w+)", generate_latest(Metrics().registry).decode()))
    known |= {f"{name}_{suffix}" for name in known for suffix in ("bucket", "sum", "count", "total")}
    drawn = "".join(
        yaml.safe_dump({"spec": o.data.get("spec"), "data": o.data.get("data")})
        for o in parse(rendered("production"))
        if o.kind in ("ScaledObject", "PrometheusRule") or o.name == "llmops-dashboard"
    )
    named = set(re.findall(r"\bgateway_[a-z_]+", drawn))
    assert len(named) > 4
    assert named - known == set()
