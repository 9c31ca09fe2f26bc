"""What a cluster does for pods: each is a process of this machine, with a folder and an environment of its own.

`Kubelet` runs the pods of Jobs, and those that it is given. What a pod mounts lies under `HERE`, which for every
process is its own folder: a path that one pod hands to another leads nowhere, as between the disks of nodes, and a
pod's folder is gone with it. Not like a real one: images (all pods have this environment), users, limits, network.

`Gateways` runs those of a namespace, as many as their Deployment says. The ConfigMap `routes` is mounted by turning one
link. The gateway is the real process, begun when the fetcher beside it has what it begins with.
"""

import base64
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kubernetes_server import KubernetesServer
from signing_support import trusted_file

from llmops_assets.gateway.identity.own import own_key
from llmops_assets.lib import ports
from llmops_assets.lib.errors import LlmopsError
from resources.deployment_target.fetching import Fetcher
from resources.lake.base import Lake
from resources.models import Models

NAMESPACE = "llmops-serving"
HERE = "/proc/self/cwd"
"""Begins every path that is mounted: the folder of whichever pod's process asks."""
KUBECONFIG = f"{HERE}/.kube/config"
"""Where a pod finds the API server and its token."""


class PodFaultError(AssertionError):
    """A pod asks for what is not there, or writes where nothing is mounted."""


@dataclass
class Pod:
    """A running process and what it is for."""

    name: str
    namespace: str
    job: str
    root: Path
    process: subprocess.Popen
    mounted: set[str] = field(default_factory=set)

    def signal(self, number: int) -> None:
        """To all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Kubelet:
    """Runs pods of one namespace until `stop`. `image` is the environment that images bring along, `tokens` what the
    pods of a service account show the API server."""

    def __init__(
        self,
        server: KubernetesServer,
        folder: Path,
        namespace: str,
        *,
        image: Mapping[str, str],
        tokens: Mapping[str, str],
    ) -> None:
        self.server, self.folder, self.namespace = server, folder, namespace
        self.image, self.tokens = dict(image), dict(tokens)
        self.pods: dict[str, Pod] = {}
        self.faults: list[str] = []
        """What pods of Jobs asked for in vain, and wrote outside of their volumes."""
        self.ran: list[str] = []
        """Pods of Jobs in the order in which they began."""
        self.killed: list[str] = []
        self._kill: list[re.Pattern[str]] = []
        self._stopped = threading.Event()
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> "Kubelet":
        """Take up Jobs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Every pod ends."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(30)
        for pod in list(self.pods.values()):
            pod.signal(signal.SIGTERM)
        for pod in list(self.pods.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                pod.process.wait(15)
            pod.signal(signal.SIGKILL)
            pod.process.wait(15)
            shutil.rmtree(pod.root, ignore_errors=True)

    def kill_one(self, step: str) -> None:
        """The next pod of a step is killed while it runs, as when its node is lost."""
        self._kill.append(re.compile(step))

    def log(self, name: str) -> str:
        """What a pod printed."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    # -- pods -----------------------------------------------------------------------------------------------------

    def start(
        self, name: str, template: Mapping[str, Any], job: str = "", owner: Mapping[str, Any] | None = None
    ) -> Pod:
        """A pod of a template. PodFaultError for a ConfigMap, a secret or a key that is not there."""
        spec = template["spec"]
        (container,) = spec["containers"]
        root = self.folder / name
        root.mkdir(parents=True)
        volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
        mounted = set()
        for mount in container.get("volumeMounts", ()):
            self._mount(root, volumes[mount["name"]], mount)
            mounted.add(_inside(mount["mountPath"]).split("/")[0])
        environment = {**self.image, "HOSTNAME": name, "KUBECONFIG": KUBECONFIG, **self._environment(container)}
        environment["PWD"] = str(root)
        self._account(root, spec)
        mounted.add(".kube")
        command = [_expanded(part, environment) for part in (*container.get("command", ()), *container.get("args", ()))]
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as printed:
            process = subprocess.Popen(
                command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
                start_new_session=True,
            )  # fmt: skip
        pod = Pod(name, self.namespace, job, root, process, mounted)
        with self._lock:
            self.pods[name] = pod
        self.server.logs[self.namespace, name] = log
        labels = {**template.get("metadata", {}).get("labels", {}), **({"job-name": job} if job else {})}
        owners = {"ownerReferences": [owner]} if owner else {}
        self.server.put(
            "v1", "Pod", name, self.namespace,
            metadata={"labels": labels, "uid": name, **owners}, spec=dict(spec), status=_status("Running", container),
        )  # fmt: skip
        return pod

    def exec(self, name: str, *command: str, timeout: float = 120.0) -> str:
        """What a command prints in a pod, as by `kubectl exec`. AssertionError when it fails."""
        pod = self.pods[name]
        environment = dict(
            part.split("=", 1)
            for part in Path(f"/proc/{pod.process.pid}/environ").read_text().split("\0")
            if "=" in part
        )
        done = subprocess.run(
            command, cwd=pod.root, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _mount(self, root: Path, volume: Mapping[str, Any], mount: Mapping[str, Any]) -> None:
        target = root / _inside(mount["mountPath"])
        if "emptyDir" in volume:
            target.mkdir(parents=True, exist_ok=True)
            return
        if "configMap" in volume:
            files = {k: v.encode() for k, v in self._data("ConfigMap", volume["configMap"]["name"]).items()}
        else:
            files = self._secret(volume["secret"]["secretName"])
        if "subPath" in mount:
            if mount["subPath"] not in files:
                raise PodFaultError(f"{volume['name']} has no {mount['subPath']}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[mount["subPath"]])
            return
        target.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (target / name).write_bytes(data)

    def _data(self, kind: str, name: str) -> dict[str, str]:
        found = self.server.find(kind, name, self.namespace)
        if found is None:
            raise PodFaultError(f"there is no {kind} {self.namespace}/{name}")
        return found.get("data") or {}

    def _secret(self, name: str) -> dict[str, bytes]:
        return {key: base64.b64decode(value) for key, value in self._data("Secret", name).items()}

    def _environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                found |= self._data("ConfigMap", source["configMapRef"]["name"])
            else:
                found |= {k: v.decode() for k, v in self._secret(source["secretRef"]["name"]).items()}
        for entry in container.get("env", ()):
            if "valueFrom" in entry:
                wanted = entry["valueFrom"]["secretKeyRef"]
                values = self._secret(wanted["name"])
                if wanted["key"] not in values:
                    raise PodFaultError(f"the secret {wanted['name']} has no {wanted['key']}")
                found[entry["name"]] = values[wanted["key"]].decode()
            else:
                found[entry["name"]] = _expanded(entry.get("value", ""), found)
        return found

    def _account(self, root: Path, spec: Mapping[str, Any]) -> None:
        """The token of the pod's service account, where it is to have one."""
        account = spec.get("serviceAccountName", "default")
        allowed = spec.get("automountServiceAccountToken", True)
        user = {"token": self.tokens[account]} if allowed and account in self.tokens else {}
        cluster = {"server": self.server.address}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": account, "user": user}],
            "contexts": [
                {"name": "here", "context": {"cluster": "here", "user": account, "namespace": self.namespace}}
            ],
        }
        file = root / _inside(KUBECONFIG)
        file.parent.mkdir()
        file.write_text(yaml.safe_dump(config))

    # -- jobs -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopped.wait(0.1):
            for job in self.server.all("Job", self.namespace):
                if not job.get("status") and job["metadata"]["name"] not in self.ran:
                    self._begin(job)
            for pod in list(self.pods.values()):
                self._look(pod)

    def _begin(self, job: Mapping[str, Any]) -> None:
        name = job["metadata"]["name"]
        self.ran.append(name)
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"]}
        try:
            self.start(f"{name}-pod", job["spec"]["template"], name, owner)
        except (PodFaultError, OSError) as error:
            self.faults.append(f"{name}: {error}")
            return
        self.server.report("Job", name, self.namespace, {"active": 1})

    def _look(self, pod: Pod) -> None:
        """One round of what is done for a pod: it has ended, was deleted, or is to be killed."""
        if self.server.find("Pod", pod.name, self.namespace) is None:
            pod.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                pod.process.wait(10)
            pod.signal(signal.SIGKILL)
            pod.process.wait(10)
        elif pod.process.poll() is None:
            self._lose(pod)
            return
        code = pod.process.wait()
        pod.signal(signal.SIGKILL)
        with self._lock:
            self.pods.pop(pod.name)
        if pod.job:
            beside = sorted({path.name for path in pod.root.iterdir()} - pod.mounted)
            if beside:
                self.faults.append(f"{pod.name} wrote {', '.join(beside)} outside of its volumes")
        shutil.rmtree(pod.root, ignore_errors=True)
        if (kept := self.server.find("Pod", pod.name, self.namespace)) is not None:
            (container,) = kept["spec"]["containers"]
            phase = "Failed" if code else "Succeeded"
            self.server.report("Pod", pod.name, self.namespace, _status(phase, container, code))
        if pod.job:
            ended = "Failed" if code else "Complete"
            conditions = [{"type": ended, "status": "True"}]
            count = {"failed": 1} if code else {"succeeded": 1}
            self.server.report("Job", pod.job, self.namespace, {**count, "conditions": conditions})

    def _lose(self, pod: Pod) -> None:
        labels = (self.server.find("Pod", pod.name, self.namespace) or {}).get("metadata", {}).get("labels", {})
        wanted = next((p for p in self._kill if p.fullmatch(labels.get("dagster/op", ""))), None)
        if wanted is not None and "STEP_START" in self.log(pod.name):
            self._kill.remove(wanted)
            self.killed.append(pod.job)
            pod.signal(signal.SIGKILL)


def _inside(path: str) -> str:
    """A mounted path as it lies in a pod's folder."""
    if not path.startswith(f"{HERE}/"):
        raise PodFaultError(f"{path} cannot be mounted here: it must begin with {HERE}")
    return path.removeprefix(f"{HERE}/")


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """$(NAME) as the API server writes it."""
    return re.sub(r"\$\((\w+)\)", lambda found: environment.get(found[1], found[0]), text)


def _status(phase: str, container: Mapping[str, Any], code: int = 0) -> dict[str, Any]:
    running = phase == "Running"
    state = {"running": {}} if running else {"terminated": {"exitCode": code, "reason": phase}}
    about = {"name": container["name"], "image": container["image"], "imageID": "", "ready": running, "restartCount": 0}
    return {"phase": phase, "containerStatuses": [{**about, "state": state}]}


class Gateways:
    """Runs until the process ends; one pod at most, which the Service's address leads to.

    `log_url` is the interaction log's (none: a SQLite file of its own), `options` more of the gateway's command line.
    """

    namespace = NAMESPACE

    def __init__(
        self,
        server: KubernetesServer,
        folder: Path,
        lake: Lake,
        models: Models,
        base: Path,
        *,
        log_url: str = "",
        options: Sequence[str] = (),
    ) -> None:
        self.server, self.folder = server, folder
        self._log_url = log_url or f"sqlite:///{folder / 'log.db'}"
        self._options = list(options)
        self.port = ports.find_free()
        self.own_key = folder / "own.key"
        self.trusted = trusted_file(folder / "trusted.pem")
        self._lake, self._models, self._base = lake, models, str(base)
        self._process: subprocess.Popen | None = None
        self._count = 0
        self._mounted = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self) -> str:
        """Of the Service."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> "Gateways":
        """The namespace as `llmops cluster apply` leaves it: no gateway runs, since nothing is routed."""
        self.server.put("v1", "Namespace", NAMESPACE)
        self.server.put("v1", "ConfigMap", "routes", NAMESPACE)
        self.server.put("apps/v1", "Deployment", "gateway", NAMESPACE, spec={"replicas": 1})
        own_key(self.own_key)
        self._thread.start()
        return self

    def stop(self) -> None:
        """The gateway ends, and no other begins."""
        self._stopped.set()
        self._thread.join(60)
        self._end()

    def _run(self) -> None:
        while not self._stopped.wait(0.2):
            deployment = self.server.find("Deployment", "gateway", NAMESPACE)
            if deployment is None or not deployment["spec"]["replicas"]:
                self._end()
            else:
                self._keep()

    def _keep(self) -> None:
        """One round of what happens in a pod."""
        pod = self.folder / f"pod-{self._count}"
        root = pod / "releases"
        self._mount(pod)
        try:
            there = Fetcher(pod / "routes", root, self._lake, self._models, self.trusted, self._base).step()
        except LlmopsError:
            there = (root / "state.json").exists()
        if there and (self._process is None or self._process.poll() is not None):
            self._start(pod, root)

    def _mount(self, pod: Path) -> None:
        config = self.server.find("ConfigMap", "routes", NAMESPACE) or {}
        version = config["metadata"]["resourceVersion"]
        routes = pod / "routes"
        if self._mounted == f"{pod.name}/{version}":
            return
        fresh = routes / f"..{version}"
        fresh.mkdir(parents=True, exist_ok=True)
        for name, text in (config.get("data") or {}).items():
            (fresh / name).write_text(text)
        link = routes / "..next"
        link.unlink(missing_ok=True)
        link.symlink_to(fresh.name)
        os.replace(link, routes / "..data")
        self._mounted = f"{pod.name}/{version}"

    def _start(self, pod: Path, root: Path) -> None:
        command = [sys.executable, "-m", "llmops_assets.gateway", "--root", root, "--port", str(self.port)]
        command += ["--log-url", self._log_url, "--subject-key", self.folder / "subject.key"]
        command += ["--redaction", root / "redaction.json", "--own-key", self.own_key]
        command += ["--trusted-keys", self.trusted, *self._options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
        log = (pod / "gateway.log").open("ab")
        self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        log.close()
        while self._process.poll() is None and not _answers(self.address):
            time.sleep(0.05)
        self.server.put(
            "v1", "Pod", pod.name, NAMESPACE,
            metadata={"labels": {"app.kubernetes.io/name": "gateway"}},
            spec={"containers": [{"name": "gateway", "ports": [{"containerPort": self.port}]}]},
            status={"podIP": "127.0.0.1", "containerStatuses": [{"name": "gateway", "state": {"running": {}}}]},
        )  # fmt: skip

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None
            self.server.objects.pop(("v1", "pods", NAMESPACE, f"pod-{self._count}"), None)
            self._count += 1


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/healthz", timeout=1).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True
