"""`llmops shadow`: a release that is asked too, and seen by no customer."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import quiet

app = typer.Typer(no_args_is_help=True, help="A release that live questions are put to too, seen by no customer.")


@app.command("start")
def start_shadow(
    release: Annotated[str, typer.Argument(help="a release, or the candidate that was judged last")],
    share: Annotated[
        float, typer.Option(min=0, max=1, help="share of conversations whose questions it is asked")
    ] = 0.1,
) -> None:
    """Put a release into the shadow of the live one, in place of the one there."""
    quiet()
    from llmops_assets.commands.shadows import start

    typer.echo(f"{release} is asked {share:.0%} of conversations too, at {start(release, share)}")


@app.command("stop")
def stop_shadow() -> None:
    """End the shadow; what it answered stays to be compared."""
    quiet()
    from llmops_assets.commands.shadows import stop

    typer.echo(f"{stop()} is asked no more")


@app.command("report")
def report_shadow(
    release: Annotated[str, typer.Option(help="none: the one in the shadow")] = "",
    days: Annotated[int, typer.Option(min=1, help="how far back")] = 7,
    differing: Annotated[
        Path | None, typer.Option(help="CSV for the answers that differ, redacted as they are")
    ] = None,
) -> None:
    """Compare what it would have answered with what customers were answered, question by question."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.shadows import report

    report(release, days, differing, Console())
