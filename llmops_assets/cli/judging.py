"""`llmops replay` and `judge`: releases on yesterday's questions, and the judge beside people."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import as_day, quiet


def replay(
    first: Annotated[str, typer.Option("--from", help="first day of the window, such as 2026-03-08")],
    last: Annotated[str, typer.Option("--to", help="last day of the window")],
    candidate: Annotated[str, typer.Option(help="a release; none: the candidate that was put together last")] = "",
    incumbent: Annotated[str, typer.Option(help="a release; none: the one that serves")] = "",
    limit: Annotated[int, typer.Option(min=1, help="questions asked at most; of more a sample by hash")] = 200,
    disagreements: Annotated[Path | None, typer.Option(help="file for what the two disagree on, for a person")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl, argilla or labelstudio")] = "csv",
) -> None:
    """Ask a window of logged questions again: candidate against incumbent, paired, where the right answer is known."""
    quiet()
    days = as_day(first), as_day(last)
    from llmops_assets.commands.replays import replay, told, write
    from llmops_assets.lib.labelling.labelfiles import FORMATS

    if form not in FORMATS:
        raise typer.BadParameter(f"{form!r}: write --format {', '.join(FORMATS)}")
    found = replay(*days, candidate=candidate, incumbent=incumbent, limit=limit)
    typer.echo("\n".join(told(found)))
    if disagreements is not None:
        write(disagreements, form, found)
        typer.echo(f"{len(found.listed)} to look at in {disagreements}; labels come back by `llmops labels import`")


def judge(
    file: Annotated[Path, typer.Argument(help="CSV of redacted answers: question, reference, answer, right (yes, no)")],
) -> None:
    """Measure how far the use case's judge agrees with people; below its minimum none of its votes counts."""
    quiet()
    from llmops_assets.commands.judges import measure

    agreed, refused = measure(file)
    silent = "; ".join(f"{count} {why}" for why, count in agreed.no_votes.items()) or "none"
    typer.echo(
        f"{agreed.model}: kappa {agreed.kappa:.2f} ({agreed.low:.2f} to {agreed.high:.2f}), {agreed.share:.2f} equal "
        f"on {agreed.rows} answers, without a vote: {silent}"
    )
    typer.echo(refused or "it may vote")
