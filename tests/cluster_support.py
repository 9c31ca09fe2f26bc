"""A cluster on this machine: API server, kubelet and gateways of the tests, a real PostgreSQL, a lake over HTTP.

What runs is what `k8s/rendered/local.yaml` says: commands, environment, secrets, ConfigMaps, service accounts and their
roles. Changed are the paths that are mounted (tests/kubelet.py), addresses and ports, and that logs of steps and files
of MLflow go to no object store, since there is none.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kubelet import HERE, KUBECONFIG, Gateways, Kubelet
from kubernetes_server import KubernetesServer, rules_of
from lakefs_server import ACCESS_KEY, SECRET_KEY, FakeLakeFS
from postgres_server import PASSWORD, USER, PostgreSQL
from signing_support import KEY

from llmops_assets.cli import QUIET
from llmops_assets.commands.manifests import HASH
from llmops_assets.lib import ports
from llmops_assets.lib.cluster.objects import parse
from resources.lake.lakefs import LakeFSLake
from resources.models import Models

SPACE = "llmops"
MOUNTED = ("/home/llmops/installation", "/srv/dagster", "/tmp")
SUBJECT_KEY = "5b" * 32
DATABASES = ("dagster", "mlflow", "llmops")
NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


class ClusterHere:
    """The namespaces of an installation with everything beside them; `settings` are its settings.yaml."""

    def __init__(self, folder: Path, root: Path, postgres: PostgreSQL, base: Path, settings: Mapping[str, Any]) -> None:
        self.postgres = postgres
        for name in DATABASES:
            postgres.create(name)
        self.server = KubernetesServer().start()
        self.server.job_ends = ""
        self.lakefs = FakeLakeFS(folder / "lakefs")
        self.lake = LakeFSLake(self.lakefs.endpoint, ACCESS_KEY, SECRET_KEY, SPACE)
        self.mlflow, self.code = ports.find_free(), ports.find_free()
        objects = parse((root / "k8s" / "rendered" / "local.yaml").read_text())
        # Which no overlay has without Prometheus's operator.
        objects += parse((root / "k8s" / "components" / "monitoring" / "figures.yaml").read_text())
        self.objects = {(o.kind, o.namespace, o.name): yaml.safe_load(_moved(yaml.safe_dump(o.data))) for o in objects}
        rules = rules_of(objects)
        tokens = {account: f"token-of-{account}" for space, account in rules if space == SPACE}
        self.server.put("v1", "Namespace", SPACE)
        self.gateways = Gateways(
            self.server, folder / "gateways", self.lake, Models(folder / "gateways" / "models"), base,
            log_url=postgres.url("llmops"), options=["--replay"],
        )  # fmt: skip
        self.gateways.begin()
        (folder / "gateways" / "subject.key").write_text(SUBJECT_KEY)
        self.settings = {
            **settings,
            "mlflow_uri": f"http://127.0.0.1:{self.mlflow}",
            "log_url": f"postgresql+psycopg2://{USER}@127.0.0.1:{postgres.port}/llmops",
        }
        self._configure()
        self.kubelet = Kubelet(
            self.server, folder / "pods", SPACE,
            image={**QUIET, **_image(root)},
            tokens=tokens,
        ).begin()  # fmt: skip
        # From here on everybody is asked who they are.
        self.server.rules = {f"token-of-{account}": rules[space, account] for space, account in rules if space == SPACE}

    def _configure(self) -> None:
        """ConfigMaps and secrets as an operator's overlay has them."""
        self.environment = {
            **self._config_map("llmops-environment")["data"],
            "LAKEFS_ENDPOINT": self.lakefs.endpoint,
            "LLMOPS_TARGET_ADDRESS": self.gateways.address,
            "LLMOPS_MAX_STEPS": "2",
            "PGHOST": "127.0.0.1",
            "PGUSER": USER,
            "PGPORT": str(self.postgres.port),
        }
        self._config_map("llmops-environment")["data"] = self.environment
        instance = self._config_map("dagster-instance")["data"]
        config = yaml.safe_load(instance["dagster.yaml"])
        config["storage"]["postgres"]["postgres_db"]["port"] = self.postgres.port
        config["compute_logs"] = NO_COMPUTE_LOGS
        launcher = config["run_launcher"]["config"]
        launcher |= {"load_incluster_config": False, "kubeconfig_file": KUBECONFIG}
        launcher["env_vars"].append("PGPORT")
        location = {"host": "127.0.0.1", "port": self.code, "location_name": "llmops_assets"}
        workspace = {"load_from": [{"grpc_server": location}]}
        instance |= {"dagster.yaml": yaml.safe_dump(config), "workspace.yaml": yaml.safe_dump(workspace)}
        self._config_map("llmops-installation")["data"] = {"settings.yaml": yaml.safe_dump(self.settings)}
        for (kind, space, name), data in self.objects.items():
            if kind == "ConfigMap" and space == SPACE:
                self.server.put("v1", "ConfigMap", name, space, data=data["data"])
        secrets = {
            "LAKEFS_ACCESS_KEY_ID": ACCESS_KEY,
            "LAKEFS_SECRET_ACCESS_KEY": SECRET_KEY,
            "LLMOPS_SUBJECT_KEY": SUBJECT_KEY,
            "PGPASSWORD": PASSWORD,
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        }
        self.environment |= secrets
        self._secret("llmops-secrets", secrets)
        KEY.write(self.gateways.folder / "signing.key", new=True)
        files = (self.gateways.own_key, self.gateways.folder / "signing.key", self.gateways.trusted)
        names = ("gateway.key", "signing.key", "trusted.pem")
        self.keys = {name: file.read_text() for name, file in zip(names, files, strict=True)}
        self._secret("gateway-key", self.keys)
        self.dagster_yaml = config

    def _config_map(self, name: str) -> dict[str, Any]:
        """By its name without the hash."""
        (found,) = (
            data
            for (kind, space, called), data in self.objects.items()
            if kind == "ConfigMap" and space == SPACE and called.startswith(name)
        )
        return found

    def _secret(self, name: str, values: Mapping[str, str]) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.server.put("v1", "Secret", name, SPACE, data=data)

    # -- what runs ------------------------------------------------------------------------------------------------

    def start(self, deployment: str, *changed: tuple[str, str]) -> str:
        """The pod of a Deployment, its command with texts changed; its name."""
        template = json.dumps(self.objects["Deployment", SPACE, deployment]["spec"]["template"])
        # A component's file says names without the hashes that rendering adds.
        for name in [name for kind, _, name in self.objects if kind == "ConfigMap"]:
            template = template.replace(f'"name": "{HASH.sub("", name)}"', f'"name": "{name}"')
        for before, after in changed:
            assert before in template, before
            template = template.replace(before, after)
        return self.kubelet.start(deployment, json.loads(template)).name

    def start_registry(self, artifacts: Path) -> None:
        """MLflow's server, on the tables that `migrate` made."""
        import requests

        self.start(
            "mlflow",
            ('"5000"', f'"{self.mlflow}"'),
            ("s3://$(ARTIFACTS_BUCKET)", artifacts.as_uri()),
            ("mlflow,mlflow:5000", f"127.0.0.1:{self.mlflow},mlflow:5000"),
        )

        def answers() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{self.mlflow}/health", timeout=5).ok
            except requests.RequestException:
                return False

        self.wait_for(answers, 300, "mlflow")

    def migrate(self) -> None:
        """All tables, by the Jobs that an apply waits for."""
        jobs = {name: data for (kind, _, name), data in self.objects.items() if kind == "Job"}
        for name, job in jobs.items():
            self.server.put("batch/v1", "Job", name, SPACE, metadata={"uid": name, "labels": {}}, spec=job["spec"])
        for name in jobs:
            self.wait_for(lambda name=name: self._status(name).get("conditions"), 300, f"{name}-pod")
            assert self._status(name).get("succeeded"), self.kubelet.log(f"{name}-pod")

    def _status(self, job: str) -> dict[str, Any]:
        return (self.server.find("Job", job, SPACE) or {}).get("status", {})

    def start_dagster(self) -> None:
        """The code server, then the daemon."""
        self.start("code-server", ('"4000"', f'"{self.code}"'))
        self.wait_for(lambda: not ports.is_free(self.code), 300, "code-server")
        self.start("daemon")

    def figures(self) -> str:
        """What Prometheus is told of the graph."""
        import requests

        port = ports.find_free()
        self.start("figures", ('"9730"', f'"{port}"'))
        self.wait_for(lambda: not ports.is_free(port), 300, "figures")
        return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text

    def dagster(self, *arguments: str) -> str:
        """A command of Dagster's in the daemon's pod, as by `kubectl exec`."""
        return self.kubelet.exec("daemon", "dagster", *arguments, "-w", f"{HERE}/srv/dagster/workspace.yaml")

    def wait_for(self, condition: Callable[[], Any], seconds: float, pod: str = "") -> Any:
        """What a condition comes to once it holds. AssertionError with a pod's log when it does not."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert not self.kubelet.faults, self.kubelet.faults
            late = time.monotonic() > deadline
            assert not late, self.kubelet.log(pod)[-6000:] if pod else f"not within {seconds} s"
            running = self.kubelet.pods.get(pod)
            if running is not None and not running.job:
                assert running.process.poll() is None, self.kubelet.log(pod)[-6000:]
            time.sleep(0.2)
        return found

    def operator(self, folder: Path) -> Path:
        """A kubeconfig with what runs may do."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": self.server.address}}],
            "users": [{"name": "runs", "user": {"token": "token-of-runs"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "runs"}}],
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return file

    def stop(self) -> None:
        """Everything ends."""
        self.kubelet.stop()
        self.gateways.stop()
        self.server.stop()
        self.lakefs.close()


def _moved(text: str) -> str:
    """Mounted paths where a pod of this machine has them."""
    for path in MOUNTED:
        text = text.replace(path, f"{HERE}{path}")
    return text


def _image(root: Path) -> dict[str, str]:
    """What the images bring along: this environment, the package, and quiet libraries."""
    found = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONPATH": str(root),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return found
