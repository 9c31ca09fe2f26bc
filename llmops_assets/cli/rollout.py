"""`llmops rollout`: the candidate that is on its way to all customers."""

import typer

from llmops_assets.cli.options import Person, Reason, quiet

app = typer.Typer(no_args_is_help=True, help="The candidate that is on its way to all customers, step by step.")


@app.command("status")
def show_rollout() -> None:
    """Show the step, what was measured of candidate and incumbent, and what follows from it."""
    quiet()
    from rich.console import Console

    from llmops_assets.commands.rollouts import status

    status(Console())


def _say(action: str, reason: str, name: str) -> None:
    quiet()
    from rich.console import Console

    from llmops_assets.commands.rollouts import say

    way = say(action, reason, name, Console())
    stands = "is held" if way.held else {"live": "serves all", "withdrawn": "is withdrawn"}.get(way.state, "goes on")
    typer.echo(f"{way.release_id} {stands}: {way.share:.0%} of conversations")


@app.command("advance")
def advance_rollout(reason: Reason, name: Person = "") -> None:
    """Let the candidate go on to the next step now, whatever is shown; after the last one it serves all."""
    _say("advance", reason, name)


@app.command("hold")
def hold_rollout(reason: Reason, name: Person = "") -> None:
    """Keep the candidate at its step; it is still withdrawn where it is shown to be worse."""
    _say("hold", reason, name)


@app.command("resume")
def resume_rollout(reason: Reason, name: Person = "") -> None:
    """Let a rollout that is held be decided by its figures again."""
    _say("resume", reason, name)


@app.command("abort")
def abort_rollout(reason: Reason, name: Person = "") -> None:
    """Withdraw the candidate; the incumbent answers everything again."""
    _say("withdraw", reason, name)
