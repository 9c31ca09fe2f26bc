"""What an installation of ours must hold beyond what Kubernetes asks: one daemon, closed networks, one version.

A rule is a function from all objects to sentences; `RULES` is the list.
"""

from collections.abc import Iterator, Sequence

from llmops_assets.lib.cluster.objects import Object, containers, of_kind, selects

OPEN_PATHS = {
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/feedback",
    "/v1/models",
}
"""What a customer's client needs, and all that may be reached from outside."""
RUN_IMAGE = "DAGSTER_CURRENT_IMAGE"
TRAINING_IMAGE = "LLMOPS_TRAINING_IMAGE"
ENVIRONMENT = "llmops-environment"
OWN_IMAGES = ("llmops-graph", "llmops-gateway", "llmops-training")


def one_daemon(objects: Sequence[Object]) -> Iterator[str]:
    """Two daemons take the same runs off the queue."""
    daemons = [o for o in objects if o.template and any("dagster-daemon" in str(c) for c in _commands(o))]
    if len(daemons) != 1:
        yield f"{len(daemons)} workloads run Dagster's daemon, not one"
    for daemon in daemons:
        if daemon.spec.get("replicas") != 1:
            yield f"{daemon.place}: {daemon.spec.get('replicas')} daemons would evaluate every sensor as often"
        if (daemon.spec.get("strategy") or {}).get("type") != "Recreate":
            yield f"{daemon.place}: without strategy Recreate two daemons run during an upgrade"


def _commands(workload: Object) -> list[list[str]]:
    return [container.get("command") or [] for container in containers(workload.pod) if "command" in container]


def restricted_namespaces(objects: Sequence[Object]) -> Iterator[str]:
    """Every namespace refuses pods that are not `restricted`."""
    made = {o.name: o for o in of_kind(objects, "Namespace")}
    for namespace in sorted({o.namespace for o in objects if o.template}):
        if namespace not in made:
            yield f"Namespace {namespace}: no manifest makes it"
    for namespace in made.values():
        enforced = (namespace.data["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
        if enforced != "restricted":
            yield f"{namespace.place}: pod-security.kubernetes.io/enforce is {enforced!r}, not 'restricted'"


def closed_networks(objects: Sequence[Object]) -> Iterator[str]:
    """Every namespace with pods denies what no policy names."""
    closed = {
        o.namespace
        for o in of_kind(objects, "NetworkPolicy")
        if not o.spec.get("podSelector")
        and {"Ingress", "Egress"} <= set(o.spec.get("policyTypes") or ())
        and not o.spec.get("ingress")
        and not o.spec.get("egress")
    }
    for namespace in sorted({o.namespace for o in objects if o.template} - closed):
        yield f"Namespace {namespace}: no NetworkPolicy denies what none names"


def guarded_model(objects: Sequence[Object]) -> Iterator[str]:
    """vLLM is reached by its own clients only, and takes adapters over HTTP, if at all, from those with its key."""
    for workload in [o for o in objects if o.template]:
        for container in containers(workload.pod):
            names = {variable["name"] for variable in container.get("env") or ()}
            if "VLLM_ALLOW_RUNTIME_LORA_UPDATING" in names and "VLLM_API_KEY" not in names:
                yield f"{workload.place}: VLLM_ALLOW_RUNTIME_LORA_UPDATING without a key lets everybody load adapters"
    for route in of_kind(objects, "HTTPRoute", "Ingress"):
        for rule in route.spec.get("rules") or ():
            paths = [(match.get("path") or {}).get("value", "/") for match in rule.get("matches") or ({},)]
            paths += [path.get("path", "/") for path in (rule.get("http") or {}).get("paths") or ()]
            if route.kind == "Ingress":
                paths = paths[1:]
            for path in paths:
                if path.rstrip("/") not in OPEN_PATHS:
                    yield f"{route.place}: {path} is not for customers; only {', '.join(sorted(OPEN_PATHS))} are"


def one_run_image(objects: Sequence[Object]) -> Iterator[str]:
    """Runs use the image that the code server says; it must be the code server's own."""
    for server in [o for o in objects if o.template]:
        for container in containers(server.pod):
            for variable in container.get("env") or ():
                if variable["name"] == RUN_IMAGE and variable.get("value") != container.get("image"):
                    yield (
                        f"{server.place}: runs would use {variable.get('value')}, "
                        f"but the code server is {container.get('image')}"
                    )


def one_version(objects: Sequence[Object], version: str) -> Iterator[str]:
    """The images of this package carry its version."""
    images = {(o.place, str(c.get("image"))) for o in objects if o.template for c in containers(o.pod)}
    for environment in of_kind(objects, "ConfigMap"):
        if image := (environment.data.get("data") or {}).get(TRAINING_IMAGE):
            images.add((environment.place, image))
    for place, image in sorted(images):
        repository, _, tag = image.rpartition("/")[2].partition(":")
        if repository in OWN_IMAGES and tag.partition("@")[0] != version:
            yield f"{place}: the image {image} is not of this package's version {version}"


def spread_budgets(objects: Sequence[Object]) -> Iterator[str]:
    """What runs more than once survives the drain of a node."""
    budgets = of_kind(objects, "PodDisruptionBudget")
    for workload in of_kind(objects, "Deployment"):
        several = workload.spec.get("replicas", 1) not in (0, 1)
        if several and not any(
            b.namespace == workload.namespace and selects(b.spec.get("selector"), workload.pod_labels) for b in budgets
        ):
            yield f"{workload.place}: no PodDisruptionBudget keeps one of its {workload.spec['replicas']} pods"


RULES = (
    one_daemon,
    restricted_namespaces,
    closed_networks,
    guarded_model,
    one_run_image,
    spread_budgets,
)
