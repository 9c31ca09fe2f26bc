"""`llmops lake`: page, check, garbage collection, differences."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="The lake of this installation: page, check, garbage collection, differences."
)


@app.command()
def page() -> None:
    """Start the lake's web page."""
    from llmops_assets.commands.lakes import serve_page

    serve_page()


@app.command()
def check() -> None:
    """Read every object of the embedded lake and compare it with its hash."""
    from llmops_assets.commands import lakes

    problems = lakes.check()
    typer.echo("\n".join([*problems, f"{len(problems)} problems"]))
    raise typer.Exit(1 if problems else 0)


@app.command()
def collect(
    days: Annotated[int, typer.Option(min=0, help="what was not used for so many days")] = 7,
) -> None:
    """Remove objects that no commit names, and branches that were left behind."""
    from llmops_assets.commands import lakes

    typer.echo(lakes.collect(days))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="lake ref of a training dataset, or its tag")],
    after: Annotated[str, typer.Argument(help="lake ref of a training dataset, or its tag")],
    limit: Annotated[int, typer.Option(min=1, help="rows to show")] = 100,
) -> None:
    """Which conversations came into a training dataset, went from it or changed, between two of its commits."""
    from rich.console import Console
    from rich.table import Table

    from llmops_assets.commands import lakes

    found = lakes.diff(before, after, limit)
    shown = Table(*("change", "provenance", "columns", "before", "after"))
    for row in found.rows:
        shown.add_row(row.change, row.provenance, ", ".join(row.columns), row.before, row.after)
    console = Console()
    console.print(shown)
    console.print(", ".join(f"{count} {change}" for change, count in found.counts.items()))
