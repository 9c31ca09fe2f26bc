"""The `llmops` command: demonstration, gateway and web pages of an installation."""

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llmops_assets.labels import Checked
    from resources.lake.base import Lake
    from resources.workspace import Workspace

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
    from llmops_assets.partitions import DAILY, outside
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
        partitions = set(DAILY.get_partition_keys())
        if left_out := outside(found):
            console.print(left_out)
        days = [day for day in found if str(day) in partitions and (wanted is None or day <= wanted)]
        if not days:
            raise SettingsError(f"no conversations on or before {wanted or max(DAILY.get_partition_keys())}")
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
                f"Lake     {host}:{settings.lake_port}": [*own, "lake", "page"],
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


lake_app = typer.Typer(help="The lake of this installation: page, check, garbage collection, differences.")
app.add_typer(lake_app, name="lake")


@lake_app.command()
def page() -> None:
    """Start the lake's web page."""
    _set_up()
    import uvicorn

    from resources import home_folder
    from resources.lake.browser import create_app
    from resources.workspace import Workspace

    settings = Workspace(home_folder()).settings
    served = create_app(_open_lake(), dagster=f"http://127.0.0.1:{settings.dagster_port}")
    uvicorn.run(served, host="127.0.0.1", port=settings.lake_port, log_level="warning")


@lake_app.command()
def check() -> None:
    """Read every object of the embedded lake and compare it with its hash."""
    _set_up()
    from resources.lake.embedded import EmbeddedLake

    opened = _open_lake()
    if not isinstance(opened, EmbeddedLake):
        raise _fail(ValueError("a lakeFS server checks its own store: see `llmops lineage verify` for the links"))
    problems = opened.fsck()
    typer.echo("\n".join([*problems, f"{len(problems)} problems"]))
    raise typer.Exit(1 if problems else 0)


@lake_app.command()
def collect(
    days: Annotated[int, typer.Option(min=0, help="what was not used for so many days")] = 7,
) -> None:
    """Remove objects that no commit names, and branches that were left behind."""
    _set_up()
    from datetime import timedelta

    from resources.lake.embedded import EmbeddedLake

    opened = _open_lake()
    if isinstance(opened, EmbeddedLake):
        typer.echo(f"removed: {opened.gc(timedelta(days=days))}")
    else:
        typer.echo(f"dropped branches: {', '.join(opened.drop_abandoned(timedelta(days=days))) or 'none'}")


@lake_app.command()
def diff(
    before: Annotated[str, typer.Argument(help="lake ref of a training dataset, or its tag")],
    after: Annotated[str, typer.Argument(help="lake ref of a training dataset, or its tag")],
    limit: Annotated[int, typer.Option(min=1, help="rows to show")] = 100,
) -> None:
    """Which conversations came into a training dataset, went from it or changed, between two of its commits."""
    _set_up()
    from rich.console import Console
    from rich.table import Table

    from llmops_assets.data.training_dataset import PATHS
    from llmops_assets.lib import provenance_diff, tables
    from llmops_assets.lib.records import LakeRef
    from resources.lake.base import LakeError

    lake = _open_lake()
    try:
        data = [
            lake.read(LakeRef.model_validate(name)) if "://" in name else lake.get(name, PATHS["rows"])
            for name in (before, after)
        ]
        found = provenance_diff.compare(*(tables.from_parquet(part) for part in data), limit=limit)
    except (LakeError, ValueError) as error:
        raise _fail(error) from None
    shown = Table(*("change", "provenance", "columns", "before", "after"))
    for row in found.rows:
        shown.add_row(row.change, row.provenance, ", ".join(row.columns), row.before, row.after)
    console = Console()
    console.print(shown)
    console.print(", ".join(f"{count} {change}" for change, count in found.counts.items()))


def _open_lake() -> "Lake":
    """The lake of this installation; what keeps it from opening ends the command with its reason."""
    from resources import home_folder, open_lake
    from resources.lake.base import LakeError
    from resources.workspace import SettingsError, Workspace

    try:
        return open_lake(Workspace(home_folder()))
    except (LakeError, SettingsError) as error:
        raise _fail(error) from None


labels = typer.Typer(no_args_is_help=True, help="Intents that people give: the queue out, their labels in.")
app.add_typer(labels, name="labels")


@labels.command("export")
def export_labels(
    file: Annotated[Path, typer.Argument(help="where the rows to label are written")],
    form: Annotated[str, typer.Option("--format", help="csv, jsonl, argilla or labelstudio")] = "csv",
    limit: Annotated[int, typer.Option(min=1, help="at most so many rows, newest day first")] = 200,
) -> None:
    """Write the rows most worth labelling that no person has labelled yet."""
    _set_up()
    from llmops_assets.labels import labelled_days, open_queue
    from llmops_assets.lib.labelling.days import intents_of
    from llmops_assets.lib.labelling.labelfiles import LabelError, labelstudio_config, write_queue
    from resources import home_folder, open_lake
    from resources.lake.base import LakeError
    from resources.workspace import SettingsError, Workspace

    try:
        workspace = Workspace(home_folder())
        opened = open_lake(workspace)
        known = sorted(intents_of(labelled_days(opened)))
        items = open_queue(opened, workspace.labels(), limit)
        file.write_text(write_queue(items, form), encoding="utf-8")
    except (LabelError, LakeError, SettingsError, OSError) as error:
        raise _fail(error) from None
    typer.echo(f"{len(items)} rows to label in {file}")
    if form == "labelstudio":
        typer.echo(f"labelling interface of the project:\n{labelstudio_config(known)}")
    else:
        typer.echo(f"intents: {', '.join(known)}; unknown where none fits")


@labels.command("import")
def import_labels(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL, or an export of Argilla 2 or Label Studio")],
    new_intents: Annotated[bool, typer.Option("--new-intents", help="take in intents nobody used before")] = False,
) -> None:
    """Take labels in; a file with one thing wrong is refused whole, one taken in before changes nothing."""
    _set_up()
    from datetime import UTC, datetime

    from llmops_assets.lib.labelling.labelfiles import keep_labels

    checked, workspace = _checked(file, new_intents)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    kept, new = keep_labels(workspace.labels_folder, checked.labels, now)
    typer.echo(f"{len(checked.labels)} labels {'kept as' if new else 'were taken in before:'} {kept}")
    typer.echo(f"materialize labelled_conversations again for {', '.join(checked.days)}")


@labels.command("check")
def check_labels(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL, or an export of Argilla 2 or Label Studio")],
    new_intents: Annotated[bool, typer.Option("--new-intents", help="allow intents nobody used before")] = False,
) -> None:
    """Read a file of labels as `import` does, and keep nothing."""
    _set_up()
    checked, _ = _checked(file, new_intents)
    fresh = f", new intents: {', '.join(checked.new_intents)}" if checked.new_intents else ""
    typer.echo(f"{len(checked.labels)} labels for rows of {', '.join(checked.days)}{fresh}")


@labels.command("ask")
def ask_labels(
    url: Annotated[str, typer.Option(help="base address of an OpenAI-compatible API, for example http://host/v1")],
    model: Annotated[str, typer.Option(help="the model's name there")],
    key: Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="its key", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, help="at most so many rows of the queue")] = 200,
    rows: Annotated[int, typer.Option(min=2, help="rows labelled by people that it is measured on, at least")] = 50,
    floor: Annotated[float, typer.Option(min=0, max=1, help="where kappa's 95 % interval must start")] = 0.6,
) -> None:
    """Let a language model label the queue, if it agrees with people; only redacted questions are sent."""
    _set_up()
    from datetime import UTC, datetime

    from llmops_assets.labels import ask_model
    from llmops_assets.lib.labelling.labelfiles import LabelError, keep_labels
    from llmops_assets.lib.labelling.llm import AgreementError
    from resources import home_folder, open_lake
    from resources.chat_endpoint import ChatEndpoint, ChatError
    from resources.lake.base import LakeError
    from resources.workspace import SettingsError, Workspace

    _quiet()
    try:
        workspace = Workspace(home_folder())
        redactor = workspace.redactor()
        made, measured = ask_model(
            open_lake(workspace),
            workspace.labels(),
            ChatEndpoint(url, model, key).ask,
            lambda text: not redactor.leaks(text),
            model=model,
            limit=limit,
            minimum_rows=rows,
            floor=floor,
        )
    except (AgreementError, ChatError, LabelError, LakeError, SettingsError) as error:
        raise _fail(error) from None
    typer.echo(f"agreement with people: {measured}")
    if made:
        kept, _ = keep_labels(workspace.labels_folder, made, datetime.now(UTC).isoformat(timespec="seconds"))
        typer.echo(f"{len(made)} labels kept as {kept}")


def _checked(file: Path, new_intents: bool) -> tuple["Checked", "Workspace"]:
    from llmops_assets.labels import check
    from llmops_assets.lib.labelling.labelfiles import LabelError
    from resources import home_folder, open_lake
    from resources.lake.base import LakeError
    from resources.workspace import SettingsError, Workspace

    workspace = Workspace(home_folder())
    try:
        return check(open_lake(workspace), file, new_intents=new_intents), workspace
    except (LabelError, LakeError, SettingsError) as error:
        raise _fail(error) from None


def main() -> None:
    """Entry point."""
    try:
        app()
    finally:
        # The process ends: looking once more for what could be collected would take half a second.
        gc.freeze()


if __name__ == "__main__":
    main()
