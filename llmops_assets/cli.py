"""The `llmops` command: demonstration, gateway and web pages of an installation."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "ITERATIVE_DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


def _set_up() -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option(help="JSONL, CSV or Parquet file of conversations; none: the sample")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or parquet; none: by the file's ending")] = "",
    column: Annotated[list[str] | None, typer.Option(help="our=theirs, where column names are not recognised")] = None,
) -> None:
    """Play the main job: release, normal days, a new topic, a poisoned candidate."""
    _set_up()
    import logging
    import warnings

    import dagster as dg

    from llmops_assets.definitions import defs
    from llmops_assets.demo import Demo, DemoError
    from llmops_assets.lib.sources import SourceError
    from resources import home_folder

    # The demonstration's own lines are the output; everything is in the runs' logs as well.
    warnings.simplefilter("ignore")
    for name in ("mlflow", "alembic", "great_expectations", "presidio-analyzer", "evidently"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mapping = {}
    for entry in column or []:
        ours, separator, theirs = entry.partition("=")
        if not separator:
            raise typer.BadParameter(f"{entry!r}: write our=theirs, for example question=ticket_text")
        mapping[ours] = theirs
    definitions = defs() if callable(defs) else defs
    try:
        with dg.DagsterInstance.get() as instance:
            Demo(home_folder(), instance, definitions, data=data, mapping=mapping, form=form).run()
    except (DemoError, SourceError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None


@app.command()
def serve() -> None:
    """Start the gateway of this installation and keep it running until interrupted."""
    _set_up()
    import signal

    from resources import home_folder, open_target
    from resources.workspace import Workspace

    target = open_target(Workspace(home_folder()), replay=False)
    status = target.start()
    typer.echo(f"gateway {status.address}, release {status.live or 'none yet'}")
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        target.stop()


@app.command()
def mlflow() -> None:
    """Start the MLflow UI of this installation."""
    _set_up()
    from resources import home_folder, open_registry
    from resources.workspace import Workspace

    workspace = Workspace(home_folder())
    registry = open_registry(workspace)
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", registry.uri, "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(workspace.settings.mlflow_port)]
    raise typer.Exit(subprocess.call(command, env=environment))


@app.command()
def lake() -> None:
    """Start the lake's web page of this installation."""
    _set_up()
    import uvicorn

    from resources import home_folder, open_lake
    from resources.lake.browser import create_app
    from resources.workspace import Workspace

    workspace = Workspace(home_folder())
    settings = workspace.settings
    page = create_app(open_lake(workspace), dagster=f"http://127.0.0.1:{settings.dagster_port}")
    uvicorn.run(page, host="127.0.0.1", port=settings.lake_port, log_level="warning")


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
