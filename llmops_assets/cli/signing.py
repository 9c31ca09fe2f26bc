"""`llmops signing`: the keys that sign releases."""

from typing import Annotated

import typer

from llmops_assets.cli.options import quiet

app = typer.Typer(no_args_is_help=True, help="The keys that sign releases: shown, followed, revoked.")


@app.command("show")
def show_signing() -> None:
    """Show which key signs and which are trusted; the first one is made where there is none."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import show

    show(Console())


@app.command("rotate")
def rotate_signing() -> None:
    """Make the next key; releases of the keys before stay good."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import rotate

    rotate(Console())


@app.command("revoke")
def revoke_signing(key: Annotated[str, typer.Argument(help="id of the key, or its beginning")]) -> None:
    """End a key: what it signed is refused from now on; what serves already serves on."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import revoke

    revoke(key, Console())


@app.command("sign")
def sign_releases(
    releases: Annotated[
        list[str] | None, typer.Argument(help="ids of releases; none: the one that serves and the one before")
    ] = None,
    reason: Annotated[str, typer.Option(help="why to sign what earlier rules judged, on your word")] = "",
) -> None:
    """Verify releases again, from their files and the gate's stored answers, and sign them with the key of today."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import sign

    sign(releases or [], reason, Console())
