"""`llmops audit` and `erase`: the audit log, and what a person's erasure leaves of it."""

from typing import Annotated

import typer

from llmops_assets.cli.options import quiet

app = typer.Typer(no_args_is_help=True, help="The audit log: whether it is whole, and its entries.")


@app.command("verify")
def verify_audit(
    head: Annotated[str, typer.Option(help="hash of an entry that was noted elsewhere: it must still be there")] = "",
) -> None:
    """Read the whole chain; status 1 where an entry was changed, one before another was removed, or the end was cut off
    that the lake knows.

    The report of findings publishes the chain's end in the lake. What was cut off since then shows only against a hash
    that was noted elsewhere.
    """
    from llmops_assets.commands.audits import verify

    entries, last, vouched = verify(head)
    known = f"the lake knows it up to entry {vouched}" if vouched else "the lake knows no end of it yet"
    typer.echo(f"{entries} entries, each follows from the one before it; the last is {last}; {known}")


@app.command("export")
def export_audit(
    readable: Annotated[
        bool, typer.Option(help="open what is about persons: such a copy is not erased with them")
    ] = False,
) -> None:
    """Print every entry as a JSON object a line; what is about a person stays under that person's key."""
    from llmops_assets.commands.audits import export

    export(readable=readable)


def erase(
    person: Annotated[str, typer.Argument(help="as requests name it in `user`, or a pseudonym of the log")],
    name: Annotated[str, typer.Option(help="who does it, for the audit log; none: the user of this machine")] = "",
) -> None:
    """Delete a person's rows in the gateway's database: interactions, feedback, files and batches, and the key of what
    the audit log says of it, whose chain still holds. The lake keeps what was taken in before."""
    quiet()
    import getpass

    from llmops_assets.commands.audits import erase as erased

    counts = erased(person, name or getpass.getuser())
    typer.echo("; ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in counts.items()) + " deleted")
