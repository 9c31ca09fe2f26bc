"""Releases: built, let pass or stopped at the gate, rolled back, listed."""

from typing import Annotated, Any

import typer

from llmops_assets.cli.options import Person, Reason, as_day, quiet

app = typer.Typer(no_args_is_help=True, help="What was released: signatures, and bills of materials.")


def build(
    day: Annotated[
        str, typer.Option(help="the day to build as of, YYYY-MM-DD; none: the last day of the sources")
    ] = "",
) -> None:
    """Run the job build_release once, after the days before it that were not ingested yet."""
    quiet()
    wanted = as_day(day) if day else None
    from rich.console import Console

    from llmops_assets.commands.releases import build

    _told(build(wanted, Console()))


def _told(deployed: Any) -> None:
    """What serves after a deployment, and what is on its way beside it."""
    typer.echo(f"{deployed.release_id} answers at {deployed.address}/v1")
    way = deployed.rollout
    if way is not None and way.state == "running":
        typer.echo(f"{way.release_id} answers {way.share:.0%} of conversations: `llmops rollout status`")


def rollback(
    to: Annotated[str, typer.Option(help="a release that was deployed before; none: the one before the live one")] = "",
) -> None:
    """Serve an earlier release again: a run of the job roll_back, which drift, KPIs and retraining follow."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.releases import roll_back

    deployed = roll_back(to, Console())
    typer.echo(f"{deployed.release_id} serves, {deployed.previous} is the previous one")


Token = Annotated[str, typer.Option(envvar="LLMOPS_KEY", help="token of a key that proves who it is")]
Good = Annotated[int | None, typer.Option(min=1, help="days it is good for; none: the use case's approval_days")]
AtTheGate = Annotated[str, typer.Argument(help="the candidate that the gate judged last")]


def approve(release: AtTheGate, reason: Reason, name: Person = "", key: Token = "", days: Good = None) -> None:
    """Let the candidate pass that waits at the gate for a person, and roll it out."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.approvals import approve

    _told(approve(release, reason, name, key, days, Console()))


def override(release: AtTheGate, reason: Reason, key: Token = "", days: Good = None) -> None:
    """Let a candidate pass that the gate stopped, by the key of a role that the use case names, and roll it out."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.approvals import override

    _told(override(release, reason, key, days, Console()))


def reject(release: AtTheGate, reason: Reason, name: Person = "", key: Token = "") -> None:
    """Reject the candidate at the gate; the incumbent serves on."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.approvals import reject

    word = reject(release, reason, name, key, Console())
    typer.echo(f"{word.release} is rejected by {word.name}; the incumbent serves on")


@app.command("list")
def list_releases() -> None:
    """Show every release: since when, whether it serves, who signed it."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.releases import listing

    listing(Console())


@app.command("bom")
def print_bill(release: Annotated[str, typer.Argument(help="id of the release")]) -> None:
    """Print the bill of materials of a release: models, data and packages with licences, as CycloneDX 1.6."""
    quiet()
    from llmops_assets.commands.releases import bill_of_materials

    typer.echo(bill_of_materials(release))
