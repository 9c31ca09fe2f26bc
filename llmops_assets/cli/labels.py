"""`llmops labels`: intents that people give."""

from pathlib import Path
from typing import Annotated

import typer

from llmops_assets.cli.options import quiet
from llmops_assets.lib.wording import many

app = typer.Typer(no_args_is_help=True, help="Intents that people give: the queue out, their labels in.")


@app.command("export")
def export_labels(
    file: Annotated[Path, typer.Argument(help="where the rows to label are written")],
    form: Annotated[str, typer.Option("--format", help="csv, jsonl, argilla or labelstudio")] = "csv",
    limit: Annotated[int, typer.Option(min=1, help="at most so many rows, newest day first")] = 200,
) -> None:
    """Write the rows most worth labelling that no person has labelled yet."""
    from llmops_assets.commands.labels import export
    from llmops_assets.lib.labelling.labelfiles import labelstudio_config

    count, known = export(file, form, limit)
    typer.echo(f"{many(count, 'row')} to label in {file}")
    if form == "labelstudio":
        typer.echo(f"labelling interface of the project:\n{labelstudio_config(known)}")
    else:
        typer.echo(f"intents: {', '.join(known)}; unknown where none fits")


@app.command("import")
def import_labels(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL, or an export of Argilla 2 or Label Studio")],
    new_intents: Annotated[bool, typer.Option("--new-intents", help="take in intents nobody used before")] = False,
) -> None:
    """Take labels in; a file with one thing wrong is refused whole, one taken in before changes nothing."""
    from llmops_assets.commands.labels import checked, keep

    found = checked(file, new_intents=new_intents)
    kept, new = keep(found.labels)
    typer.echo(f"{len(found.labels)} labels {'kept as' if new else 'were taken in before:'} {kept}")
    if found.days:
        typer.echo(f"materialize labelled_conversations again for {', '.join(found.days)}")
    if found.interactions:
        typer.echo(f"{found.interactions} of customers' questions: the next eval_suite judges by them")


@app.command("check")
def check_labels(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL, or an export of Argilla 2 or Label Studio")],
    new_intents: Annotated[bool, typer.Option("--new-intents", help="allow intents nobody used before")] = False,
) -> None:
    """Read a file of labels as `import` does, and keep nothing."""
    from llmops_assets.commands.labels import checked

    found = checked(file, new_intents=new_intents)
    fresh = f", new intents: {', '.join(found.new_intents)}" if found.new_intents else ""
    places = [*found.days, *([f"{found.interactions} interactions"] if found.interactions else [])]
    typer.echo(f"{len(found.labels)} labels for rows of {', '.join(places)}{fresh}")


@app.command("ask")
def ask_labels(
    url: Annotated[str, typer.Option(help="base address of an OpenAI-compatible API, for example http://host/v1")],
    model: Annotated[str, typer.Option(help="the model's name there")],
    key: Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="its key", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, help="at most so many rows of the queue")] = 200,
    rows: Annotated[int, typer.Option(min=2, help="rows labelled by people that it is measured on, at least")] = 50,
    floor: Annotated[float, typer.Option(min=0, max=1, help="where kappa's 95 % interval must start")] = 0.6,
) -> None:
    """Let a language model label the queue, if it agrees with people; only redacted questions are sent."""
    quiet()
    from llmops_assets.commands.labels import ask, keep
    from resources.chat_endpoint import ChatEndpoint

    made, measured = ask(ChatEndpoint(url, model, key).ask, model=model, limit=limit, minimum_rows=rows, floor=floor)
    typer.echo(f"agreement with people: {measured}")
    if made:
        typer.echo(f"{len(made)} labels kept as {keep(made)[0]}")
