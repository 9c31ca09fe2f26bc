"""`llmops dev`, `serve`, `mlflow` and `evidently`: what runs until Ctrl-C."""

import os
import sys
from pathlib import Path

import typer


def dev() -> None:
    """Keep Dagster's UI with its daemon, MLflow's and Evidently's, the lake's page and the gateway until Ctrl-C."""
    from llmops_assets.commands.processes import insist_free, run_together
    from resources import home_folder
    from resources.workspace import Workspace

    settings = Workspace(home_folder()).settings
    # Where the gateway's port is taken, by an earlier gateway of ours for example, `llmops serve` says so itself.
    insist_free(
        {name: getattr(settings, name) for name in ("dagster_port", "mlflow_port", "lake_port", "evidently_port")}
    )
    # `dg` warns twice where nobody activated the environment that it stands in.
    os.environ.setdefault("VIRTUAL_ENV", sys.prefix)
    dagster_ui = [str(Path(sys.executable).with_name("dg")), "dev", "--host", "127.0.0.1"]
    own = [sys.executable, "-m", "llmops_assets.cli"]
    host = "http://127.0.0.1"
    raise typer.Exit(
        run_together(
            {
                f"Dagster  {host}:{settings.dagster_port}": [*dagster_ui, "--port", str(settings.dagster_port)],
                f"MLflow   {host}:{settings.mlflow_port}": [*own, "mlflow"],
                f"Lake     {host}:{settings.lake_port}": [*own, "lake", "page"],
                f"Drift    {host}:{settings.evidently_port}": [*own, "evidently"],
                f"Gateway  {host}:{settings.gateway_port}/v1": [*own, "serve"],
            },
            tell=typer.echo,
        )
    )


def serve() -> None:
    """Start the gateway of this installation and keep it running until interrupted."""
    from llmops_assets.commands import processes
    from resources import home_folder, open_target
    from resources.workspace import Workspace

    workspace = Workspace(home_folder())
    processes.serve(open_target(workspace, replay=False), workspace.settings.gateway_port, typer.echo)


def mlflow() -> None:
    """Start the MLflow UI of this installation."""
    from llmops_assets.commands.processes import run_together
    from resources import home_folder, open_registry
    from resources.workspace import Workspace

    workspace = Workspace(home_folder())
    registry, port = open_registry(workspace), str(workspace.settings.mlflow_port)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", registry.uri, "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", port]
    # It starts workers, which must end with it.
    raise typer.Exit(run_together({f"MLflow  http://127.0.0.1:{port}": command}))


def evidently() -> None:
    """Start Evidently's UI with the drift of all judged days."""
    from llmops_assets.commands.drift_history import serve

    raise typer.Exit(serve())
