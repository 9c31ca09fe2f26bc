"""`llmops findings`: what changed, and what is to be done."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import Person, Reason, quiet

app = typer.Typer(no_args_is_help=True, help="What changed: causes, their questions, articles to write.")
AFinding = Annotated[str, typer.Argument(help="id of the finding: f-…")]


@app.command("list")
def list_findings() -> None:
    """Print the findings of the newest day, and what follows from each."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.findings import show_all

    show_all(Console())


@app.command("show")
def show_finding(finding: AFinding) -> None:
    """Print a finding with its days and redacted examples."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.findings import show

    show(finding, Console())


@app.command("export")
def export_findings(file: Annotated[Path, typer.Argument(help="where the list is written, as CSV")]) -> None:
    """Write the articles that are missing, with examples, for editors to fill in `title` and `answer`."""
    quiet()
    from llmops_assets.commands.findings import export

    typer.echo(f"{export(file)} articles to write in {file}")


@app.command("import")
def import_findings(
    file: Annotated[Path, typer.Argument(help="the list that editors filled in, CSV or JSONL")],
) -> None:
    """Take in what editors wrote, as trusted articles; a file with one thing wrong is refused whole."""
    quiet()
    from llmops_assets.commands.findings import take_in

    count, kept, new = take_in(file)
    typer.echo(f"{count} articles {'kept as' if new else 'were taken in before:'} {kept}")
    typer.echo("materialize findings again, and retrain_on_drift decides on it; or run the job retrain")


@app.command("close")
def close_finding(finding: AFinding, reason: Reason, name: Person = "") -> None:
    """Say that a finding is closed; it comes back by itself where its questions are answered badly again."""
    quiet()
    from llmops_assets.commands.findings import close

    typer.echo(f"{finding} is closed with the next report: audit entry {close(finding, reason, name)}")
