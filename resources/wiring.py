"""Which external system an installation has: `build_resources` binds those of a home folder for Dagster.

Concept: https://docs.dagster.io/guides/build/external-resources. Nothing connects or loads at import; every resource
is made when a run first needs it.
"""

import os
from pathlib import Path

import dagster as dg

from llmops_assets.gateway.interaction_log import InteractionLog
from resources.deployment_target import DeploymentTarget, LocalTarget
from resources.lake.base import Lake
from resources.lake.embedded import EmbeddedLake
from resources.lake.lakefs import LakeFSLake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import SettingsError, Workspace

HOME_VARIABLE = "LLMOPS_HOME"
LAKE_VARIABLE = "LAKE"
"""`embedded` (default) or `lakefs`."""
LAKEFS_VARIABLES = ("LAKEFS_ENDPOINT", "LAKEFS_ACCESS_KEY_ID", "LAKEFS_SECRET_ACCESS_KEY")


def home_folder() -> Path:
    """The installation's folder: $LLMOPS_HOME, or .llmops in the working folder."""
    return Path(os.environ.get(HOME_VARIABLE, ".llmops")).resolve()


def open_lake(workspace: Workspace) -> Lake:
    """The lake of an installation: in its home, or with LAKE=lakefs the repository $LAKEFS_REPOSITORY of a server."""
    kind = dg.EnvVar(LAKE_VARIABLE).get_value("embedded")
    if kind == "lakefs":
        values = {name: dg.EnvVar(name).get_value() for name in LAKEFS_VARIABLES}
        missing = [name for name, value in values.items() if not value]
        if missing:
            raise SettingsError(f"{LAKE_VARIABLE}=lakefs needs {', '.join(missing)} in the environment")
        repository = dg.EnvVar("LAKEFS_REPOSITORY").get_value("llmops")
        return LakeFSLake(*map(str, values.values()), repository=str(repository))
    if kind != "embedded":
        raise SettingsError(f"{LAKE_VARIABLE}={kind}: there is no such lake, only embedded and lakefs")
    lake = EmbeddedLake(workspace.home / "lake")
    lake.browser = f"http://127.0.0.1:{workspace.settings.lake_port}"
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


def open_target(workspace: Workspace, *, replay: bool = True) -> DeploymentTarget:
    """The deployment target of an installation: a gateway on this machine.

    `replay` lets the gateway take the time of a request from a header, which traffic of past days needs.
    """
    return LocalTarget(
        workspace.home / "gateway",
        log_url=workspace.log_url,
        subject_key=workspace.subject_key,
        port=workspace.settings.gateway_port,
        identifiers=workspace.use_case().identifiers,
        allow=workspace.public_words(),
        cache=workspace.embeddings,
        replay=replay,
    )


def build_resources(home: Path | None = None) -> dict[str, dg.ResourceDefinition]:
    """Resource key to definition, for the installation in `home` (default: `home_folder()` when a run starts)."""

    def workspace() -> Workspace:
        return Workspace(home or home_folder())

    return {
        "workspace": dg.ResourceDefinition(lambda _: workspace(), description="Settings, sources and local folders"),
        "lake": dg.ResourceDefinition(lambda _: open_lake(workspace()), description="Versioned data store"),
        "registry": dg.ResourceDefinition(lambda _: open_registry(workspace()), description="MLflow"),
        "models": dg.ResourceDefinition(lambda _: Models(workspace().home / "models"), description="Base models"),
        "interaction_log": dg.ResourceDefinition(
            lambda _: InteractionLog(workspace().log_url), description="Redacted requests, answers and feedback"
        ),
        "target": dg.ResourceDefinition(lambda _: open_target(workspace()), description="Where releases are served"),
    }
