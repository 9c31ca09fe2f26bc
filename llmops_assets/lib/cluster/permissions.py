"""What accounts may do through the API server: what was proved to be needed, and nothing else.

The list is what Dagster's launcher and the deployment target were seen to call (docs/decisions/kubernetes.md), not
what a chart grants. Concept: https://kubernetes.io/docs/reference/access-authn-authz/rbac/.
"""

from collections.abc import Iterator, Mapping, Sequence

from llmops_assets.lib.cluster.objects import Object, of_kind

ALLOWED: Mapping[tuple[str, str], frozenset[str]] = {
    ("batch", "jobs"): frozenset({"create", "delete", "list"}),
    ("batch", "jobs/status"): frozenset({"get"}),
    ("", "pods"): frozenset({"get", "list", "delete"}),
    ("", "pods/log"): frozenset({"get"}),
    ("", "events"): frozenset({"list"}),
    # Where a training takes several nodes; applying needs both to create and to patch.
    ("trainer.kubeflow.org", "trainjobs"): frozenset({"get", "create", "patch"}),
}
"""(API group, resource) to the verbs that a role may grant on all of a namespace."""
ALLOWED_BY_NAME: Mapping[tuple[str, str], frozenset[str]] = {
    ("", "configmaps"): frozenset({"get", "update"}),
    ("apps", "deployments/scale"): frozenset({"get", "update"}),
}
"""The same for roles that name their objects (`resourceNames`)."""


def excessive(objects: Sequence[Object]) -> Iterator[str]:
    """Every permission beyond the list."""
    for granted in of_kind(objects, "ClusterRole", "ClusterRoleBinding"):
        yield f"{granted.place}: it reaches every namespace; a Role is enough"
    for role in of_kind(objects, "Role"):
        for rule in role.data.get("rules") or ():
            allowed = ALLOWED_BY_NAME if rule.get("resourceNames") else ALLOWED
            for group in rule.get("apiGroups") or ():
                for resource in rule.get("resources") or ():
                    more = set(rule.get("verbs") or ()) - allowed.get((group, resource), frozenset())
                    if more:
                        yield f"{role.place}: {', '.join(sorted(more))} on {resource} of group {group!r} is not needed"
    tokens = {
        (subject.get("namespace", binding.namespace), subject["name"])
        for binding in of_kind(objects, "RoleBinding")
        for subject in binding.data.get("subjects") or ()
    }
    for workload in [o for o in objects if o.template is not None]:
        account = (workload.namespace, workload.pod.get("serviceAccountName", "default"))
        if workload.pod.get("automountServiceAccountToken") is not False and account not in tokens:
            yield f"{workload.place}: it carries a token that opens nothing; set automountServiceAccountToken: false"
