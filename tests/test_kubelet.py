"""The cluster that tests run on is as strict as a real one: pods share nothing, tokens open what roles say."""

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from kubelet import HERE, Kubelet, PodFaultError
from kubernetes_server import REMEMBERED, KubernetesServer, Rule

SPACE = "llmops"
LAUNCHER = [Rule(SPACE, ["batch"], ["jobs"], ["create", "list"]), Rule(SPACE, [""], ["pods"], ["list"])]


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    server = KubernetesServer().start()
    server.job_ends = ""
    server.put("v1", "Namespace", SPACE)
    server.put("v1", "ConfigMap", "settings", SPACE, data={"settings.yaml": "a: 1", "NAME": "of a map"})
    server.put("v1", "Secret", "secrets", SPACE, data={"TOKEN": base64.b64encode(b"hush").decode()})
    yield server
    server.stop()


@pytest.fixture
def kubelet(server, tmp_path) -> Iterator[Kubelet]:
    kubelet = Kubelet(server, tmp_path / "pods", SPACE, image={"BAKED": "in"}, tokens={"runs": "t"}).begin()
    yield kubelet
    kubelet.stop()


def template(code: str, **container) -> dict:
    mounts = [{"name": "home", "mountPath": f"{HERE}/home"}, {"name": "settings", "mountPath": f"{HERE}/etc/app"}]
    volumes = [{"name": "home", "emptyDir": {}}, {"name": "settings", "configMap": {"name": "settings"}}]
    made = {"name": "step", "image": "i", "command": [sys.executable, "-c", code], "volumeMounts": mounts, **container}
    return {"metadata": {"labels": {"dagster/op": "a"}}, "spec": {"containers": [made], "volumes": volumes}}


def run(server: KubernetesServer, name: str, pod: dict) -> Callable[[], dict]:
    """A Job; asked again, its status."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": pod}}
    server.answer("POST", f"/apis/batch/v1/namespaces/{SPACE}/jobs", json.dumps(job).encode(), "application/json")
    return lambda: server.find("Job", name, SPACE).get("status", {})


def until(condition, seconds: float = 30.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def ended(status: Callable[[], dict]) -> dict:
    return until(lambda: status() if status().get("conditions") else None)


def test_a_pod_has_its_spec_and_nothing_of_this_process(server, kubelet, monkeypatch):
    monkeypatch.setenv("OF_THE_TESTS", "x")
    code = (
        "import os; e = os.environ; print(e['BAKED'], e['NAME'], e['TOKEN'], e['TEXT'], e['HOSTNAME'], "
        f"open('{HERE}/etc/app/settings.yaml').read(), 'OF_THE_TESTS' in e, "
        "open(e['KUBECONFIG']).read().count('token'))"
    )
    env = [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "secrets", "key": "TOKEN"}}},
        {"name": "TEXT", "value": "$(TOKEN)-$(NOBODY)"},
    ]
    pod = template(code, env=env, envFrom=[{"configMapRef": {"name": "settings"}}])
    pod["spec"]["serviceAccountName"] = "runs"
    assert ended(run(server, "one", pod))["succeeded"] == 1
    assert kubelet.log("one-pod").strip() == "in of a map hush hush-$(NOBODY) one-pod a: 1 False 1"
    assert kubelet.faults == []


def test_a_path_that_one_pod_hands_to_another_leads_nowhere(server, kubelet):
    written = f"open('{HERE}/home/value', 'w').write('x'); import os; print(os.path.realpath('{HERE}/home/value'))"
    assert ended(run(server, "first", template(written)))["succeeded"] == 1
    there = kubelet.log("first-pod").strip()
    for path in (f"{HERE}/home/value", there):
        status = run(server, f"then-{len(path)}", template(f"open({path!r})"))
        assert ended(status) == {"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]}


def test_what_a_pod_wants_and_does_not_get_is_told(server, kubelet):
    missing = template("pass", envFrom=[{"secretRef": {"name": "nobody"}}])
    run(server, "a", missing)
    until(lambda: kubelet.faults)
    assert "there is no Secret llmops/nobody" in kubelet.faults.pop()
    ended(run(server, "b", template("open('here', 'w')")))
    assert kubelet.faults.pop() == "b-pod wrote here outside of its volumes"
    with pytest.raises(PodFaultError, match="cannot be mounted here"):
        kubelet.start("c", template("pass", volumeMounts=[{"name": "home", "mountPath": "/tmp"}]))


@pytest.mark.slow
def test_a_pod_is_killed_where_it_runs_and_ends_when_it_is_deleted(server, kubelet):
    forever = "import time\nprint('STEP_START', flush=True)\ntime.sleep(600)"
    kubelet.kill_one("a")
    assert ended(run(server, "lost", template(forever)))["failed"] == 1
    assert kubelet.killed == ["lost"]
    run(server, "deleted", template(forever))
    pod = until(lambda: kubelet.pods.get("deleted-pod"))
    server.answer("DELETE", f"/apis/batch/v1/namespaces/{SPACE}/jobs/deleted", b"", "")
    assert until(lambda: pod.process.poll()) != 0
    assert server.find("Pod", "deleted-pod", SPACE) is None


# -- the API server ---------------------------------------------------------------------------------------------------


@pytest.fixture
def client(server):
    from kubernetes import client

    settings = client.Configuration()
    settings.host, settings.retries = server.address, False
    return client.CoreV1Api(client.ApiClient(settings))


def test_a_watch_sees_every_change_after_a_version(server, client):
    from kubernetes import watch

    before = client.list_namespaced_config_map(SPACE).metadata.resource_version
    server.put("v1", "ConfigMap", "one", SPACE, data={"a": "1"})
    server.put("v1", "ConfigMap", "one", SPACE, data={"a": "2"})
    server.put("v1", "Secret", "other", SPACE, data={})
    server.remove(("v1", "configmaps", SPACE, "one"))
    seen = watch.Watch().stream(
        client.list_namespaced_config_map, SPACE, resource_version=before, timeout_seconds=1, _request_timeout=20
    )
    found = [(event["type"], event["object"].data["a"]) for event in seen]
    assert found == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


def test_a_watch_from_a_version_that_is_forgotten_is_gone(server, client):
    from kubernetes import watch
    from kubernetes.client import ApiException

    for number in range(REMEMBERED + 5):
        server.put("v1", "ConfigMap", "one", SPACE, data={"a": str(number)})
    with pytest.raises(ApiException) as gone:
        list(watch.Watch().stream(client.list_namespaced_config_map, SPACE, resource_version="1", timeout_seconds=1))
    assert gone.value.status == 410


@pytest.mark.parametrize(
    ("token", "method", "path", "status"),
    [
        ("", "GET", f"/api/v1/namespaces/{SPACE}/pods", 401),
        ("t", "GET", f"/api/v1/namespaces/{SPACE}/pods", 200),
        ("t", "GET", f"/api/v1/namespaces/{SPACE}/pods/a", 403),
        ("t", "GET", f"/api/v1/namespaces/{SPACE}/secrets/secrets", 403),
        ("t", "GET", "/api/v1/namespaces/other/pods", 403),
        ("t", "DELETE", f"/apis/batch/v1/namespaces/{SPACE}/jobs/a", 403),
        ("t", "GET", f"/apis/batch/v1/namespaces/{SPACE}/jobs", 200),
    ],
)
def test_a_token_opens_what_its_role_says(server, token, method, path, status):
    import requests

    server.rules = {"t": LAUNCHER}
    answer = requests.request(method, server.address + path, headers={"authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status_code == status
