"""Options that several commands have, and how they are read."""

from datetime import date
from typing import Annotated, Any

import typer


def quiet() -> None:
    """Only what the command itself prints: everything else is in the runs' logs."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    for name in ("mlflow", "alembic", "great_expectations", "presidio-analyzer", "evidently"):
        logging.getLogger(name).setLevel(logging.ERROR)


Column = Annotated[list[str] | None, typer.Option(help="our=theirs, where column names are not recognised")]
Form = Annotated[str, typer.Option("--format", help="jsonl, json, csv, parquet, md or html; none: by a file's ending")]
Encoding = Annotated[str, typer.Option(help="of text files that are neither UTF-8 nor marked UTF-16: cp1252")]
TimeZone = Annotated[str, typer.Option(help="of times without an offset, such as Europe/Berlin; none: UTC")]
DateOrder = Annotated[str, typer.Option(help="of dates like 03/02/2026: DMY or MDY; none: what other dates tell")]
Agent = Annotated[
    list[str] | None, typer.Option(help="id, address, domain (@shop.example) or role that answers, if files do not say")
]


def as_day(text: str) -> date:
    """A day as options give it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write a day as 2026-03-08") from None


def _mapping(column: list[str] | None) -> dict[str, str]:
    """Our column -> theirs, as the option --column gives it."""
    mapping = {}
    for entry in column or []:
        ours, separator, theirs = entry.partition("=")
        if not separator:
            raise typer.BadParameter(f"{entry!r}: write our=theirs, for example question=ticket_text")
        mapping[ours] = theirs
    return mapping


def reading(
    column: list[str] | None, form: str, encoding: str, time_zone: str, date_order: str, agent: list[str] | None
) -> dict[str, Any]:
    """Settings of reading that were given as options; those that were not are not in it."""
    if date_order and date_order not in ("DMY", "MDY", "YMD"):
        raise typer.BadParameter(f"{date_order!r}: write --date-order DMY, MDY or YMD")
    given: dict[str, Any] = {"mapping": _mapping(column), "source_format": form, "source_encoding": encoding}
    given |= {"time_zone": time_zone, "date_order": date_order, "agents": tuple(agent or ())}
    return {name: value for name, value in given.items() if value}


Reason = Annotated[str, typer.Option(help="why; it stands in the audit log and with the release for ever")]
Person = Annotated[str, typer.Option(help="who says so; none: the user of this machine, or the key's owner")]
