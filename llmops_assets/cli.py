"""The `llmops` command: demonstration, gateway and web pages of an installation."""

import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

SAMPLE_CONVERSATIONS = 1500
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


def _quiet() -> None:
    """Only what the command itself prints: everything else is in the runs' logs."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    for name in ("mlflow", "alembic", "great_expectations", "presidio-analyzer", "evidently"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _fail(error: Exception) -> typer.Exit:
    typer.secho(str(error), fg="red", err=True)
    return typer.Exit(1)


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
    import dagster as dg

    from llmops_assets.definitions import defs
    from llmops_assets.demo import Demo, DemoError
    from llmops_assets.lib.sources import SourceError
    from resources import home_folder
    from resources.lake.base import LakeError
    from resources.workspace import SettingsError

    _quiet()
    mapping = {}
    for entry in column or []:
        ours, separator, theirs = entry.partition("=")
        if not separator:
            raise typer.BadParameter(f"{entry!r}: write our=theirs, for example question=ticket_text")
        mapping[ours] = theirs
    try:
        with dg.DagsterInstance.get() as instance:
            Demo(home_folder(), instance, defs(), data=data, mapping=mapping, form=form).run()
    except (DemoError, LakeError, SettingsError, SourceError) as error:
        raise _fail(error) from None


@app.command()
def build(
    day: Annotated[
        str, typer.Option(help="the day to build as of, YYYY-MM-DD; none: the last day of the sources")
    ] = "",
) -> None:
    """Run the job build_release once, after the days before it that were not ingested yet."""
    _set_up()
    from datetime import date

    import dagster as dg
    from rich.console import Console

    from llmops_assets.definitions import defs
    from llmops_assets.lib.records import Deployment
    from llmops_assets.lib.sources import SourceError
    from llmops_assets.provenance import find_record
    from llmops_assets.runs import RunError, Runner
    from llmops_assets.samples import generator
    from resources import home_folder
    from resources.lake.base import LakeError
    from resources.workspace import SettingsError, Workspace

    _quiet()
    workspace, console = Workspace(home_folder()), Console()
    try:
        wanted = date.fromisoformat(day) if day else None
    except ValueError:
        raise typer.BadParameter(f"{day!r}: write a day as 2026-03-08") from None
    try:
        found = workspace.source_days()
        if not found:
            if workspace.settings.source is not None or workspace.settings.sources:
                raise SettingsError("the sources that settings.yaml names hold no conversations")
            files = generator.write_archive(workspace.home / "inbox", SAMPLE_CONVERSATIONS)
            console.print(f"no conversations yet: the sample's two weeks are written to {files[0].parent}")
            found = workspace.source_days()
        days = [day for day in found if wanted is None or day <= wanted]
        if not days:
            raise SettingsError(f"no conversations on or before {wanted}: give a later --day")
        with dg.DagsterInstance.get() as instance:
            runner = Runner(defs(), instance, console)
            runner.release_leftovers()
            known = instance.get_materialized_partitions(dg.AssetKey("labelled_conversations"))
            for missing in days[:-1]:
                if str(missing) not in known:
                    runner.must_run("ingest_day", missing, brief=True)
            runner.must_run("build_release", wanted or days[-1])
            with dg.build_sensor_context(instance=instance) as context:
                deployed = find_record(context, "deployment", Deployment)
    except (LakeError, RunError, SettingsError, SourceError) as error:
        raise _fail(error) from None
    assert deployed is not None
    console.print(f"{deployed.release_id} answers at {deployed.address}/v1")


@app.command()
def dev() -> None:
    """Start the Dagster UI with its daemon, the MLflow UI, the lake's page and the gateway, until Ctrl-C."""
    _set_up()
    from llmops_assets.processes import run_together
    from resources import home_folder
    from resources.workspace import Workspace

    settings = Workspace(home_folder()).settings
    dagster_ui = [str(Path(sys.executable).with_name("dg")), "dev", "--host", "127.0.0.1"]
    own = [sys.executable, "-m", "llmops_assets.cli"]
    host = "http://127.0.0.1"
    raise typer.Exit(
        run_together(
            {
                f"Dagster  {host}:{settings.dagster_port}": [*dagster_ui, "--port", str(settings.dagster_port)],
                f"MLflow   {host}:{settings.mlflow_port}": [*own, "mlflow"],
                f"Lake     {host}:{settings.lake_port}": [*own, "lake"],
                f"Gateway  {host}:{settings.gateway_port}/v1": [*own, "serve"],
            }
        )
    )


@app.command()
def lineage(
    name: Annotated[
        str,
        typer.Argument(
            help="answer, release, adapter, dataset tag, lake commit or path, run, asset, subject; or: verify"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
    draw: Annotated[Path | None, typer.Option(help="also write a drawing: a .html or .dot file")] = None,
) -> None:
    """Print what something came from and what came of it; `verify` checks every link between the systems."""
    _set_up()
    import json

    import dagster as dg

    from llmops_assets import lineage as lineages
    from llmops_assets.gateway.interaction_log import InteractionLog
    from llmops_assets.lib import lineage as graphs
    from resources import home_folder, open_lake, open_registry
    from resources.lake.base import LakeError
    from resources.workspace import SettingsError, Workspace

    _quiet()
    workspace = Workspace(home_folder())
    try:
        with dg.DagsterInstance.get() as instance:
            lake = open_lake(workspace)
            if name == "verify":
                problems = lineages.verify(instance, lake, open_registry(workspace))
                typer.echo(json.dumps(problems) if as_json else "\n".join([*problems, f"{len(problems)} broken links"]))
                raise typer.Exit(1 if problems else 0)
            log = InteractionLog(workspace.log_url)
            ui = f"http://127.0.0.1:{workspace.settings.dagster_port}"
            graph = lineages.collect(instance, lake, log, dagster_ui=ui)
            if not graph.knows(name):
                lineages.add_named(graph, name, instance, lake, log)
            start = graph.find(name)
    except (graphs.NoSuchNameError, LakeError, SettingsError) as error:
        raise _fail(error) from None
    if draw is not None:
        drawing = graphs.to_dot(graph, start) if draw.suffix == ".dot" else graphs.to_html(graph, start)
        draw.write_text(drawing)
    typer.echo(json.dumps(graphs.to_json(graph, start), indent=1) if as_json else graphs.to_text(graph, start))


@app.command()
def rollback() -> None:
    """Serve the previous release again; the one that served becomes the previous one."""
    _set_up()
    from resources import home_folder, open_target
    from resources.deployment_target import DeploymentError
    from resources.workspace import Workspace

    try:
        status = open_target(Workspace(home_folder())).rollback()
    except DeploymentError as error:
        raise _fail(error) from None
    typer.echo(f"{status.live} serves, {status.previous} is the previous one")


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


class LakeAction(StrEnum):
    """What is done with the lake."""

    page = "page"
    check = "check"
    collect = "collect"


@app.command()
def lake(
    action: Annotated[LakeAction, typer.Argument(help="start its page, check it, or collect what is not used")] = (
        LakeAction.page
    ),
    days: Annotated[int, typer.Option(min=0, help="collect: what was not used for so many days")] = 7,
) -> None:
    """The lake of this installation: its web page, a check of every object, or garbage collection."""
    _set_up()
    from datetime import timedelta

    from resources import home_folder, open_lake
    from resources.lake.embedded import EmbeddedLake
    from resources.workspace import Workspace

    workspace = Workspace(home_folder())
    settings, opened = workspace.settings, open_lake(workspace)
    if action is LakeAction.collect:
        if isinstance(opened, EmbeddedLake):
            typer.echo(f"removed: {opened.gc(timedelta(days=days))}")
        else:
            typer.echo(f"dropped branches: {', '.join(opened.drop_abandoned(timedelta(days=days))) or 'none'}")
        return
    if action is LakeAction.check:
        if not isinstance(opened, EmbeddedLake):
            raise _fail(ValueError("a lakeFS server checks its own store: see `llmops lineage verify` for the links"))
        problems = opened.fsck()
        typer.echo("\n".join([*problems, f"{len(problems)} problems"]))
        raise typer.Exit(1 if problems else 0)
    import uvicorn

    from resources.lake.browser import create_app

    page = create_app(opened, dagster=f"http://127.0.0.1:{settings.dagster_port}")
    uvicorn.run(page, host="127.0.0.1", port=settings.lake_port, log_level="warning")


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
