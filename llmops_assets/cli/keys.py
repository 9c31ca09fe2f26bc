"""`llmops keys`: who may ask the gateway."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="API keys of the gateway: who may ask it, as what, until when.")


@app.command("create")
def create_key(
    owner: Annotated[str, typer.Argument(help="the application or team that uses it")],
    role: Annotated[
        str, typer.Option(help="caller, operator (also releases that are not live), auditor, privacy_officer or admin")
    ] = "caller",
    days: Annotated[int | None, typer.Option(min=1, help="it ends after so many days; none: never")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="none: as many as it wants")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(min=1, help="tokens of the engine; none: any")] = None,
    tokens_per_day: Annotated[int | None, typer.Option(min=1, help="tokens of the engine a UTC day; none: any")] = None,
) -> None:
    """Make a key; from the first one on nobody is let in without. Its token is shown this once."""
    from rich.console import Console

    from llmops_assets.commands.keys import create
    from llmops_assets.gateway.identity.quotas import Allowance

    create(owner, role, days, Allowance(requests_per_minute, tokens_per_minute, tokens_per_day), Console())


@app.command("list")
def list_keys() -> None:
    """Show all keys, revoked and expired ones too, without their secrets."""
    from rich.console import Console

    from llmops_assets.commands.keys import show

    show(Console())


@app.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="id of the key")]) -> None:
    """End a key, within seconds."""
    from rich.console import Console

    from llmops_assets.commands.keys import revoke

    revoke(key, Console())


@app.command("rotate")
def rotate_key(
    key: Annotated[str, typer.Argument(help="id of the key")],
    hours: Annotated[float, typer.Option(min=0, help="how long the old one is still let in")] = 24.0,
) -> None:
    """Make a key's successor, for the same owner and role."""
    from rich.console import Console

    from llmops_assets.commands.keys import rotate

    rotate(key, hours, Console())
