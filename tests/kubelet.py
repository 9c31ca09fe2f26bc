"""What a cluster does for the gateways of a namespace: as many pods as the Deployment says, each with real processes.

A pod has a folder of its own; the ConfigMap `routes` is mounted into it as a kubelet does it, by turning one link. The
gateway is the real process, begun when the fetcher beside it has what it begins with.
"""

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from kubernetes_server import KubernetesServer
from signing_support import trusted_file

from llmops_assets.gateway.identity.own import own_key
from llmops_assets.lib import ports
from llmops_assets.lib.errors import LlmopsError
from resources.deployment_target.fetching import Fetcher
from resources.lake.base import Lake
from resources.models import Models

NAMESPACE = "llmops-serving"


class Gateways:
    """Runs until the process ends; one pod at most, which the Service's address leads to."""

    namespace = NAMESPACE

    def __init__(self, server: KubernetesServer, folder: Path, lake: Lake, models: Models, base: Path) -> None:
        self.server, self.folder = server, folder
        self.port = ports.find_free()
        self.own_key = folder / "own.key"
        self.trusted = trusted_file(folder / "trusted.pem")
        self._lake, self._models, self._base = lake, models, str(base)
        self._process: subprocess.Popen | None = None
        self._count = 0
        self._mounted = ""

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
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def _run(self) -> None:
        while True:
            deployment = self.server.find("Deployment", "gateway", NAMESPACE)
            if deployment is None or not deployment["spec"]["replicas"]:
                self._end()
            else:
                self._keep()
            time.sleep(0.05)

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
        command += ["--log-url", f"sqlite:///{self.folder / 'log.db'}", "--subject-key", self.folder / "subject.key"]
        command += ["--redaction", root / "redaction.json", "--own-key", self.own_key]
        command += ["--trusted-keys", self.trusted]
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
