"""`llmops lineage`, `reproduce`, `bisect` and `explain`: what something came from, and why it is as it is."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import quiet
from llmops_assets.lib.errors import LlmopsError


def lineage(
    name: Annotated[
        str,
        typer.Argument(
            help="answer, release, adapter, dataset tag, lake commit or path, run, asset, subject; or: verify"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
    draw: Annotated[Path | None, typer.Option(help="also write a drawing: a .html or .dot file")] = None,
) -> None:
    """Print what something came from and what came of it; `verify` checks every link between the systems."""
    quiet()
    import json

    from llmops_assets.commands import lineages
    from llmops_assets.lib import lineage as graphs

    if name == "verify":
        problems = lineages.broken_links()
        typer.echo(json.dumps(problems) if as_json else "\n".join([*problems, f"{len(problems)} broken links"]))
        raise typer.Exit(1 if problems else 0)
    graph, start = lineages.find(name)
    if draw is not None:
        drawing = graphs.to_dot(graph, start) if draw.suffix == ".dot" else graphs.to_html(graph, start)
        try:
            draw.write_text(drawing)
        except OSError as error:
            raise LlmopsError(f"{draw} cannot be written: {error.strerror or error}") from None
    typer.echo(json.dumps(graphs.to_json(graph, start), indent=1) if as_json else graphs.to_text(graph, start))


def reproduce(
    name: Annotated[str, typer.Argument(help="a release, an adapter's hash (8 digits at least), or its lake ref")],
    last_only: Annotated[
        bool, typer.Option("--last-only", help="take the adapter that it started from as the lake has it")
    ] = False,
) -> None:
    """Make a release or an adapter again from its manifest alone and compare every byte; status 1 where one differs."""
    quiet()
    from llmops_assets.commands import reproductions

    raise typer.Exit(0 if reproductions.reproduce(name, whole=not last_only, tell=typer.echo) else 1)


def bisect(
    slice_: Annotated[str, typer.Argument(metavar="SLICE", help="a slice of the eval suite, or: overall")],
    good: Annotated[str, typer.Argument(help="a release that answered it")],
    bad: Annotated[str, typer.Argument(help="a later release that does not")],
    rows: Annotated[int, typer.Option(min=0, help="rows to show")] = 20,
) -> None:
    """Find the dataset commit, prompt or recipe that hurt a slice, by retraining between two releases."""
    quiet()
    from rich.console import Console
    from rich.table import Table

    from llmops_assets.commands import bisections

    found = bisections.bisect(slice_, good, bad, rows, typer.echo)
    typer.echo("\n".join(bisections.told(found)))
    if found.rows.rows:
        shown = Table("change", "source", "day", "row", "before", "after")
        for row in found.rows.rows:
            shown.add_row(row.change, *bisections.place(row.provenance), row.before, row.after)
        Console().print(shown)


def explain(
    interaction: Annotated[str, typer.Argument(help="id of an answer, as the gateway's response and the log have it")],
    rows: Annotated[int, typer.Option(min=1, help="nearest training rows to show")] = 5,
    without: Annotated[
        list[str] | None, typer.Option(help="training row (id or provenance): also retrain without it and ask both")
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="also leave out each word and sentence of the prompt: what does it rest on")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
    page: Annotated[Path | None, typer.Option("--html", help="also write a page: a .html file")] = None,
) -> None:
    """Say why an answer was given: release, articles, guards, decision, datasets, nearest training rows, cost."""
    quiet()
    import json

    from llmops_assets.commands import attributions, explanations
    from llmops_assets.lib import explaining

    title, sections = f"Answer {interaction}", explanations.explain(interaction, rows)
    if words:
        sections.append(attributions.measure_words(interaction))
    if without:
        sections.append(attributions.measure(interaction, without))
    if page is not None:
        try:
            page.write_text(explaining.to_html(title, sections))
        except OSError as error:
            raise LlmopsError(f"{page} cannot be written: {error.strerror or error}") from None
    told = explaining.to_json(title, sections) if as_json else None
    typer.echo(explaining.to_text(title, sections) if told is None else json.dumps(told, indent=1))
