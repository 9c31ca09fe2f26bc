"""`llmops feedback`: feedback that was held back, decided by people."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.lib.wording import many

app = typer.Typer(no_args_is_help=True, help="Feedback that was held back: out to a person, their decisions in.")


@app.command("export")
def export_feedback(
    file: Annotated[Path, typer.Argument(help="where the feedback to decide on is written")],
    form: Annotated[str, typer.Option("--format", help="csv or jsonl")] = "csv",
    limit: Annotated[int, typer.Option(min=1, help="at most so many rows, newest day first")] = 200,
) -> None:
    """Write the feedback that waits for a person, with the reasons; what is most worth deciding first."""
    from llmops_assets.commands.feedback import export

    told = many(export(file, form, limit), "row")
    typer.echo(f"{told} to decide in {file}: write release or reject into `decision`")


@app.command("check")
def check_feedback(file: Annotated[Path, typer.Argument(help="CSV or JSONL of `export` with decisions")]) -> None:
    """Read a file of decisions as `import` does, and keep nothing."""
    from llmops_assets.commands.feedback import checked, told

    typer.echo(told(checked(file)))


@app.command("import")
def import_feedback(file: Annotated[Path, typer.Argument(help="CSV or JSONL of `export` with decisions")]) -> None:
    """Take decisions in; a file with one thing wrong is refused whole, one taken in before changes nothing."""
    from llmops_assets.commands.feedback import checked, keep, told

    found = checked(file)
    kept, new = keep(found.decisions)
    typer.echo(f"{told(found)}: {'kept as' if new else 'were taken in before:'} {kept}")
    typer.echo(f"materialize feedback_examples again for {', '.join(found.days)}")
