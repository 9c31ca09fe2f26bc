"""`llmops observability`: dashboards, alerts and figures for Prometheus and Grafana."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import quiet

app = typer.Typer(no_args_is_help=True, help="For Prometheus and Grafana: dashboards, alerts, the graph's figures.")


@app.command("export")
def export_dashboards(folder: Annotated[Path, typer.Argument(help="folder for dashboards/ and alerts/")]) -> None:
    """Write the Grafana dashboard and Prometheus's alert rules into a folder."""
    from llmops_assets.commands.observability import export

    for file in export(folder):
        typer.echo(str(file))


@app.command("figures")
def print_figures() -> None:
    """Print the deployed release and the state of drift in Prometheus's text format, for a textfile collector."""
    quiet()
    from llmops_assets.commands.observability import figures

    typer.echo(figures(), nl=False)


@app.command("serve")
def serve_figures(
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen at")] = 9730,
    host: Annotated[str, typer.Option(help="address to listen at; 0.0.0.0: from everywhere")] = "127.0.0.1",
) -> None:
    """Serve what `figures` prints to Prometheus, until Ctrl-C."""
    quiet()
    from llmops_assets.commands.observability import serve

    serve(host, port, typer.echo)
