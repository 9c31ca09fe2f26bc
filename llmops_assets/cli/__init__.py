"""The `llmops` command: its words, options and exits. What its commands do is in llmops_assets/commands.

Nothing heavy is imported before a command is known: `llmops --help` answers at once.
"""

import gc
import os
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from llmops_assets.cli import (
    archives,
    audit,
    cluster,
    demos,
    feedback,
    findings,
    judging,
    keys,
    labels,
    lake,
    observability,
    origins,
    releases,
    rollout,
    services,
    shadow,
    signing,
)
from llmops_assets.lib.errors import LlmopsError


class Told(TyperGroup):
    """The one place where errors end: what a person can mend is told in its own words, everything else is a fault."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an LlmopsError is its message and status 1."""
        try:
            return super().invoke(ctx)
        except LlmopsError as error:
            typer.secho(str(error), fg="red", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(cls=Told, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
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


@app.callback()
def _set_up() -> None:
    """The whole life of a production LLM: build and serve releases, look after the lake, ask where things come from.

    A new installation: `init`, `build`, `dev`. It lives in .llmops of the current folder, or where LLMOPS_HOME says.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))


app.command()(archives.init)
app.command("check")(archives.check_archive)
app.command()(demos.demo)
app.command()(releases.build)
app.command()(releases.rollback)
app.command()(judging.replay)
app.command()(judging.judge)
app.command()(releases.approve)
app.command()(releases.override)
app.command()(releases.reject)
app.add_typer(rollout.app, name="rollout")
app.add_typer(shadow.app, name="shadow")
app.command()(services.dev)
app.command()(services.serve)
app.command()(services.mlflow)
app.command()(services.evidently)
app.command()(origins.lineage)
app.command()(origins.reproduce)
app.command()(origins.bisect)
app.command()(origins.explain)
app.add_typer(lake.app, name="lake")
app.add_typer(cluster.app, name="cluster")
app.add_typer(keys.app, name="keys")
app.add_typer(releases.app, name="releases")
app.add_typer(signing.app, name="signing")
app.add_typer(audit.app, name="audit")
app.command()(audit.erase)
app.add_typer(observability.app, name="observability")
app.add_typer(findings.app, name="findings")
app.add_typer(labels.app, name="labels")
app.add_typer(feedback.app, name="feedback")


def main() -> None:
    """Entry point."""
    try:
        app()
    finally:
        # The process ends: looking once more for what could be collected would take half a second.
        gc.freeze()
