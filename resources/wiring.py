"""Which external system an installation has: `build_resources` binds those of a home folder for Dagster.

Concept: https://docs.dagster.io/guides/build/external-resources. Nothing connects or loads at import; every resource
is made when a run first needs it, out of the others it depends on.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from llmops_assets.gateway.identity.providers import IdentityProviders
from llmops_assets.lib import hosting
from llmops_assets.lib.records import HostingOption, UseCase
from resources.conversations import Conversations
from resources.embedder import InstalledEmbedder
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake
from resources.models import Models
from resources.notifier import Notifier
from resources.redactor import Redactors
from resources.registry import Registry
from resources.signer import Signer
from resources.use_case import UseCaseFiles
from resources.workspace import Settings, SettingsError, Workspace

if TYPE_CHECKING:
    from resources.deployment_target import DeploymentTarget

HOME_VARIABLE = "LLMOPS_HOME"
LAKE_VARIABLE = "LAKE"
"""`embedded` (default) or `lakefs`."""
TARGET_VARIABLE = "LLMOPS_TARGET"
"""`local` (default) or `kubernetes`, with LLMOPS_TARGET_NAMESPACE and LLMOPS_TARGET_ADDRESS."""
SIGNING_VARIABLE, TRUSTED_VARIABLE = "LLMOPS_SIGNING_KEY", "LLMOPS_TRUSTED_KEYS"
"""Files with the key that signs releases, and with the keys that are trusted; none: keys/ in the home."""
LAKEFS_VARIABLES = ("LAKEFS_ENDPOINT", "LAKEFS_ACCESS_KEY_ID", "LAKEFS_SECRET_ACCESS_KEY")


def home_folder() -> Path:
    """The installation's folder: $LLMOPS_HOME, or .llmops in the working folder."""
    return Path(os.environ.get(HOME_VARIABLE, ".llmops")).resolve()


def open_lake(workspace: Workspace) -> Lake:
    """The lake of an installation: in its home, or with LAKE=lakefs the repository $LAKEFS_REPOSITORY of a server."""
    kind = dg.EnvVar(LAKE_VARIABLE).get_value("embedded")
    if kind == "lakefs":
        from resources.lake.lakefs import LakeFSLake

        values = {name: dg.EnvVar(name).get_value() for name in LAKEFS_VARIABLES}
        missing = [name for name, value in values.items() if not value]
        if missing:
            raise SettingsError(f"{LAKE_VARIABLE}=lakefs needs {', '.join(missing)} in the environment")
        repository = dg.EnvVar("LAKEFS_REPOSITORY").get_value("llmops")
        return LakeFSLake(*map(str, values.values()), repository=str(repository))
    if kind != "embedded":
        raise SettingsError(f"{LAKE_VARIABLE}={kind}: there is no such lake, only embedded and lakefs")
    from resources.lake.embedded import EmbeddedLake

    # Settings that cannot be read leave no folder behind.
    browser = f"http://127.0.0.1:{workspace.settings.lake_port}"
    lake = EmbeddedLake(workspace.home / "lake")
    lake.browser = browser
    return lake


def open_registry(workspace: Workspace) -> Registry:
    """The registry of an installation: its MLflow server, or a SQLite file."""
    settings = workspace.settings
    if settings.mlflow_uri:
        return Registry(settings.mlflow_uri, ui=settings.mlflow_uri)
    folder = workspace.home / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return Registry(
        f"sqlite:///{folder / 'mlflow.db'}",
        ui=f"http://127.0.0.1:{settings.mlflow_port}",
        artifacts=folder / "artifacts",
    )


def open_models(workspace: Workspace) -> Models:
    """The base models of an installation, with its cache of converted weights."""
    return Models(workspace.home / "models")


def open_signer(workspace: Workspace) -> Signer:
    """The keys of an installation: those of the environment, or of its home, where they are made on first use."""

    def place(variable: str, name: str) -> Path:
        return Path(str(dg.EnvVar(variable).get_value("") or workspace.home / "keys" / name))

    return Signer(place(SIGNING_VARIABLE, "signing.key"), place(TRUSTED_VARIABLE, "trusted.pem"))


def open_target(
    workspace: Workspace, *, lake: Lake | None = None, models: Models | None = None, replay: bool = False
) -> "DeploymentTarget":
    """The deployment target of an installation: a gateway on this machine, or with LLMOPS_TARGET=kubernetes gateways
    on a cluster.

    `replay` lets the gateway take the time of a request from a header, which the demonstration's past days need; a
    gateway that serves customers must not.
    """
    from resources.deployment_target import LocalTarget

    kind = dg.EnvVar(TARGET_VARIABLE).get_value("local")
    if kind not in ("local", "kubernetes"):
        raise SettingsError(f"{TARGET_VARIABLE}={kind}: there is no such target, only local and kubernetes")
    files = UseCaseFiles(workspace.settings)
    case = files.read()
    allow = Redactors(workspace.subject_key, files).public_words(case)
    trusted = open_signer(workspace).trusted
    if kind == "kubernetes":
        from resources.cluster import Cluster
        from resources.deployment_target.kubernetes import KubernetesTarget

        namespace = dg.EnvVar("LLMOPS_TARGET_NAMESPACE").get_value("llmops-serving")
        return KubernetesTarget(
            Cluster(),
            str(namespace),
            str(dg.EnvVar("LLMOPS_TARGET_ADDRESS").get_value(f"http://gateway.{namespace}:8730")),
            lake=lake or open_lake(workspace),
            models=models or open_models(workspace),
            trusted=trusted,
            identifiers=case.identifiers,
            allow=allow,
            key=workspace.gateway_key,
        )
    return LocalTarget(
        workspace.home / "gateway",
        lake=lake or open_lake(workspace),
        models=models or open_models(workspace),
        trusted=trusted,
        base_model=workspace.settings.base_model,
        log_url=workspace.log_url,
        subject_key=workspace.subject_key,
        port=workspace.settings.gateway_port,
        identifiers=case.identifiers,
        allow=allow,
        cache=workspace.embeddings,
        replay=replay,
        key=workspace.gateway_key,
        upstreams=workspace.settings.upstreams_for(on_premises=case.data_must_stay_on_premises),
        vllm=workspace.settings.vllm,
        identity=IdentityProviders(providers=workspace.settings.identity_providers),
        options=gateway_options(workspace.settings),
        hosting=hosting_option(case),
    )


def hosting_option(case: UseCase) -> HostingOption | None:
    """At whose prices answers are counted: the option that the hosting plan chooses, None where it finds none."""
    try:
        return hosting.chosen_option(case, hosting.plan(case))
    except ValueError:
        return None


def gateway_options(settings: Settings) -> list[str]:
    """What settings.yaml says of the gateway, as options of its command line."""
    named = {
        "--log-format": settings.log_format,
        "--traces": settings.otlp_endpoint,
        "--budget-per-day": settings.budget_per_day,
        "--cache-answers": settings.cache_answers,
        "--cache-seconds": settings.cache_seconds,
    }
    return [part for name, value in named.items() if value for part in (name, str(value))]


def build_resources(home: Path | None = None) -> dict[str, dg.ResourceDefinition]:
    """Resource key to definition, for the installation in `home` (default: `home_folder()` when a run starts)."""

    def workspace(_: dg.InitResourceContext) -> Workspace:
        return Workspace(home or home_folder())

    def of_workspace(make, description: str, *more: str) -> dg.ResourceDefinition:
        def made(context: dg.InitResourceContext):
            found = context.resources
            return make(found.workspace, **{key: getattr(found, key) for key in more})

        return dg.ResourceDefinition(made, description=description, required_resource_keys={"workspace", *more})

    return {
        "workspace": dg.ResourceDefinition(workspace, description="Settings and local folders"),
        "use_case": of_workspace(lambda w: UseCaseFiles(w.settings), "What the company wrote: use case and articles"),
        "conversations": of_workspace(Conversations, "Conversations of every source, by day"),
        "embedder": of_workspace(lambda w: InstalledEmbedder(w.embeddings), "Texts to vectors"),
        "redactor": of_workspace(
            lambda w, use_case: Redactors(
                w.subject_key, use_case, w.settings.redaction_model, w.settings.redaction_endpoint
            ),
            "Texts without personal data",
            "use_case",
        ),
        "lake": of_workspace(open_lake, "Versioned data store"),
        "registry": of_workspace(open_registry, "MLflow"),
        "models": of_workspace(open_models, "Base models"),
        "signer": of_workspace(open_signer, "The key that signs releases"),
        "interaction_log": of_workspace(lambda w: InstalledLog(w.log_url), "Redacted requests, answers and feedback"),
        "notifier": of_workspace(lambda w: Notifier(w.settings.alerts), "Webhook, Slack and mail for alerts"),
        "target": of_workspace(open_target, "Where releases are served", "lake", "models"),
    }
