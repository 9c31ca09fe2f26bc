"""`llmops init` and `check`: files of conversations, before anything is taken in."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import Agent, Column, DateOrder, Encoding, Form, TimeZone, quiet, reading


def init(
    data: Annotated[Path, typer.Argument(help="file or folder of conversations")],
    company: Annotated[str, typer.Option(help="the company's name")] = "",
    contact: Annotated[str, typer.Option(help="where customers reach a person: an address or a page")] = "",
    language: Annotated[str, typer.Option(help="the customers' language, two letters; none: that of most")] = "",
    column: Column = None,
    form: Form = "",
    encoding: Encoding = "",
    time_zone: TimeZone = "",
    date_order: DateOrder = "",
    agent: Agent = None,
    no_input: Annotated[bool, typer.Option("--no-input", help="ask nothing; what is missing is an error")] = False,
    force: Annotated[bool, typer.Option("--force", help="replace settings.yaml and use_case.yaml")] = False,
) -> None:
    """Write settings.yaml and use_case.yaml for a file or folder of conversations; asks what it cannot know."""
    quiet()
    given = reading(column, form, encoding, time_zone, date_order, agent)
    from llmops_assets.commands import beginnings
    from llmops_assets.lib.sources.survey import lines
    from resources import home_folder

    home = home_folder()
    beginnings.refuse_to_replace(home, force)
    ask = None if no_input else lambda question, default: typer.prompt(question, default=default)
    known = beginnings.Company(company, contact, language)
    begun = beginnings.begin(data, given, known, ask, home)
    typer.echo("\n".join(lines(begun.files)))
    typer.echo("\nas it will be stored and learnt:")
    typer.echo("\n".join(beginnings.preview(begun)))
    if not no_input:
        typer.confirm("Write the settings?", default=True, abort=True)
    settings, case = beginnings.write(home, begun, force=force)
    typer.echo(f"\nwritten: {settings} and {case}")
    typer.echo("\n".join(beginnings.next_steps(begun)))


def check_archive(
    data: Annotated[Path | None, typer.Argument(help="file or folder; none: what the settings name")] = None,
    column: Column = None,
    form: Form = "",
    encoding: Encoding = "",
    time_zone: TimeZone = "",
    date_order: DateOrder = "",
    agent: Agent = None,
) -> None:
    """Say what files of conversations hold, and what would be left out and why; nothing is written."""
    quiet()
    given = reading(column, form, encoding, time_zone, date_order, agent)
    from llmops_assets.commands import archives

    told, good = archives.check(data, given)
    typer.echo("\n".join(told))
    raise typer.Exit(0 if good else 1)
