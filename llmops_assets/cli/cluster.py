"""`llmops cluster`: the installation on Kubernetes."""

from typing import Annotated, Any

import typer

from llmops_assets.cli.options import quiet

app = typer.Typer(
    no_args_is_help=True, help="The installation on Kubernetes: what would change, apply it, what runs, what is wrong."
)
Overlay = Annotated[str, typer.Argument(help="one of k8s/overlays (local, gpu, production), or a folder of your own")]
Server = Annotated[str, typer.Option(help="address of the API server, such as a `kubectl proxy`; none: the kubeconfig")]
Context = Annotated[str, typer.Option(help="context of the kubeconfig; none: the current one")]


def _cluster(server: str, context: str) -> Any:
    from resources.cluster import Cluster

    return Cluster(server, context=context)


def _obstacles(told: list[str], without: str) -> None:
    """Sentences on lines, and status 1 where there is one."""
    typer.echo("\n".join([*told, f"{len(told)} problems"]) if told else without)
    raise typer.Exit(1 if told else 0)


@app.command("render")
def render_cluster(overlay: Overlay) -> None:
    """Print the manifests that `apply` would apply."""
    from llmops_assets.commands import manifests

    typer.echo(manifests.render(manifests.overlay(overlay)), nl=False)


@app.command("diff")
def diff_cluster(overlay: Overlay, server: Server = "", context: Context = "") -> None:
    """Say what `apply` would change on the cluster; nothing is changed."""
    from llmops_assets.commands import clusters

    for line in clusters.diff(overlay, _cluster(server, context)):
        typer.echo(line)


@app.command("apply")
def apply_cluster(
    overlay: Overlay,
    server: Server = "",
    context: Context = "",
    force: Annotated[bool, typer.Option("--force", help="take over fields that another manager owns")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="how long a migration may take")] = 900.0,
) -> None:
    """Install or upgrade: migrations first, then the pods; nothing is applied when something stands against it."""
    quiet()
    from llmops_assets.commands import clusters

    told = clusters.apply(overlay, _cluster(server, context), typer.echo, force=force, seconds=seconds)
    if told:
        typer.echo("nothing was applied:")
        _obstacles(told, "")


@app.command("status")
def status_cluster(overlay: Overlay, server: Server = "", context: Context = "") -> None:
    """Show which pods run; status 1 when fewer than wanted."""
    from rich.console import Console
    from rich.table import Table

    from llmops_assets.commands import clusters

    rows = clusters.status(overlay, _cluster(server, context))
    shown = Table("workload", "ready", "image", "")
    for row in rows:
        shown.add_row(row.place, f"{row.ready}/{row.wanted}", row.image, row.note)
    Console().print(shown)
    raise typer.Exit(1 if any(row.ready < row.wanted or row.note for row in rows) else 0)


@app.command("doctor")
def diagnose_cluster(overlay: Overlay, server: Server = "", context: Context = "") -> None:
    """Say what is missing or does not run, and why, a sentence each; status 1 when there is something."""
    quiet()
    from llmops_assets.commands import clusters

    _obstacles(clusters.doctor(overlay, _cluster(server, context)), "nothing is wrong")
