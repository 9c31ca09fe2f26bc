"""The `llmops` command. What each of its commands does is in llmops_assets/commands; here are words, options and exits.

Nothing heavy is imported before a command is known: `llmops --help` answers at once.
"""

import gc
import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.wording import many


class Told(TyperGroup):
    """The one place where errors end: what a person can mend is told in its own words, everything else is a fault."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an LlmopsError is its message and status 1."""
        try:
            return super().invoke(ctx)
        except LlmopsError as error:
            typer.secho(str(error), fg="red", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(cls=Told, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "ITERATIVE_DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


@app.callback()
def _set_up() -> None:
    """The whole life of a production LLM: build and serve releases, look after the lake, ask where things come from.

    A new installation: `init`, `build`, `dev`. It lives in .llmops of the current folder, or where LLMOPS_HOME says.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))


def _quiet() -> None:
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


def _day(text: str) -> date:
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


def _reading(
    column: list[str] | None, form: str, encoding: str, time_zone: str, date_order: str, agent: list[str] | None
) -> dict[str, Any]:
    """Settings of reading that were given as options; those that were not are not in it."""
    if date_order and date_order not in ("DMY", "MDY", "YMD"):
        raise typer.BadParameter(f"{date_order!r}: write --date-order DMY, MDY or YMD")
    given: dict[str, Any] = {"mapping": _mapping(column), "source_format": form, "source_encoding": encoding}
    given |= {"time_zone": time_zone, "date_order": date_order, "agents": tuple(agent or ())}
    return {name: value for name, value in given.items() if value}


@app.command()
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
    _quiet()
    given = _reading(column, form, encoding, time_zone, date_order, agent)
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


@app.command("check")
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
    _quiet()
    given = _reading(column, form, encoding, time_zone, date_order, agent)
    from llmops_assets.commands import archives

    told, good = archives.check(data, given)
    typer.echo("\n".join(told))
    raise typer.Exit(0 if good else 1)


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option(help="JSONL, CSV or Parquet file of conversations; none: the sample")
    ] = None,
    form: Form = "",
    column: Column = None,
    encoding: Encoding = "",
    time_zone: TimeZone = "",
    date_order: DateOrder = "",
    agent: Agent = None,
    vllm: Annotated[
        Path | None,
        typer.Option(help="the program vllm of a build for CPUs (`make vllm`): it answers in place of llama.cpp"),
    ] = None,
    act: Annotated[
        str, typer.Option(help="month: a month of the sample without anybody at the wheel; none: all four")
    ] = "",
    days: Annotated[int, typer.Option(min=3, help="length of that month, its events in proportion")] = 30,
    questions: Annotated[int, typer.Option(min=60, help="that customers ask on each day of it")] = 120,
    base_model: Annotated[str, typer.Option(help="of that month: name, folder or hub id; none: the sample's")] = "",
) -> None:
    """Play the main job: release, normal days, a new topic, a poisoned candidate."""
    _quiet()
    given = _reading(column, form, encoding, time_zone, date_order, agent)
    if vllm is not None and not os.access(vllm, os.X_OK):
        raise typer.BadParameter(f"{vllm} is no program: `make vllm` installs one")
    if act not in ("", "month"):
        raise typer.BadParameter(f"{act!r}: write --act month, or leave it out for all four acts")
    if act and data is not None:
        raise typer.BadParameter("the month is the sample's: leave --data out")
    import dagster as dg

    from llmops_assets.commands.demo import Demo, on_cpu
    from resources import home_folder

    if vllm is not None:
        given["vllm"] = on_cpu(vllm)

    if act:
        from llmops_assets.commands import month

        if base_model:
            given["base_model"] = base_model
        month.play(home_folder(), days, questions, given)
        return
    with dg.DagsterInstance.get() as instance:
        Demo(home_folder(), instance, data=data, settings=given).run()


@app.command()
def build(
    day: Annotated[
        str, typer.Option(help="the day to build as of, YYYY-MM-DD; none: the last day of the sources")
    ] = "",
) -> None:
    """Run the job build_release once, after the days before it that were not ingested yet."""
    _quiet()
    wanted = _day(day) if day else None
    from rich.console import Console

    from llmops_assets.commands.releases import build

    _told(build(wanted, Console()))


def _told(deployed: Any) -> None:
    """What serves after a deployment, and what is on its way beside it."""
    typer.echo(f"{deployed.release_id} answers at {deployed.address}/v1")
    way = deployed.rollout
    if way is not None and way.state == "running":
        typer.echo(f"{way.release_id} answers {way.share:.0%} of conversations: `llmops rollout status`")


@app.command()
def rollback(
    to: Annotated[str, typer.Option(help="a release that was deployed before; none: the one before the live one")] = "",
) -> None:
    """Serve an earlier release again: a run of the job roll_back, which drift, KPIs and retraining follow."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.releases import roll_back

    deployed = roll_back(to, Console())
    typer.echo(f"{deployed.release_id} serves, {deployed.previous} is the previous one")


@app.command()
def replay(
    first: Annotated[str, typer.Option("--from", help="first day of the window, such as 2026-03-08")],
    last: Annotated[str, typer.Option("--to", help="last day of the window")],
    candidate: Annotated[str, typer.Option(help="a release; none: the candidate that was put together last")] = "",
    incumbent: Annotated[str, typer.Option(help="a release; none: the one that serves")] = "",
    limit: Annotated[int, typer.Option(min=1, help="questions asked at most; of more a sample by hash")] = 200,
    disagreements: Annotated[Path | None, typer.Option(help="file for what the two disagree on, for a person")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl, argilla or labelstudio")] = "csv",
) -> None:
    """Ask a window of logged questions again: candidate against incumbent, paired, where the right answer is known."""
    _quiet()
    days = _day(first), _day(last)
    from llmops_assets.commands.replays import replay, told, write
    from llmops_assets.lib.labelling.labelfiles import FORMATS

    if form not in FORMATS:
        raise typer.BadParameter(f"{form!r}: write --format {', '.join(FORMATS)}")
    found = replay(*days, candidate=candidate, incumbent=incumbent, limit=limit)
    typer.echo("\n".join(told(found)))
    if disagreements is not None:
        write(disagreements, form, found)
        typer.echo(f"{len(found.listed)} to look at in {disagreements}; labels come back by `llmops labels import`")


@app.command()
def judge(
    file: Annotated[Path, typer.Argument(help="CSV of redacted answers: question, reference, answer, right (yes, no)")],
) -> None:
    """Measure how far the use case's judge agrees with people; below its minimum none of its votes counts."""
    _quiet()
    from llmops_assets.commands.judges import measure

    agreed, refused = measure(file)
    silent = "; ".join(f"{count} {why}" for why, count in agreed.no_votes.items()) or "none"
    typer.echo(
        f"{agreed.model}: kappa {agreed.kappa:.2f} ({agreed.low:.2f} to {agreed.high:.2f}), {agreed.share:.2f} equal "
        f"on {agreed.rows} answers, without a vote: {silent}"
    )
    typer.echo(refused or "it may vote")


Reason = Annotated[str, typer.Option(help="why; it stands in the audit log and with the release for ever")]
Person = Annotated[str, typer.Option(help="who says so; none: the user of this machine, or the key's owner")]
Token = Annotated[str, typer.Option(envvar="LLMOPS_KEY", help="token of a key that proves who it is")]
Good = Annotated[int | None, typer.Option(min=1, help="days it is good for; none: the use case's approval_days")]
AtTheGate = Annotated[str, typer.Argument(help="the candidate that the gate judged last")]


@app.command()
def approve(release: AtTheGate, reason: Reason, name: Person = "", key: Token = "", days: Good = None) -> None:
    """Let the candidate pass that waits at the gate for a person, and roll it out."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.approvals import approve

    _told(approve(release, reason, name, key, days, Console()))


@app.command()
def override(release: AtTheGate, reason: Reason, key: Token = "", days: Good = None) -> None:
    """Let a candidate pass that the gate stopped, by the key of a role that the use case names, and roll it out."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.approvals import override

    _told(override(release, reason, key, days, Console()))


@app.command()
def reject(release: AtTheGate, reason: Reason, name: Person = "", key: Token = "") -> None:
    """Reject the candidate at the gate; the incumbent serves on."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.approvals import reject

    word = reject(release, reason, name, key, Console())
    typer.echo(f"{word.release} is rejected by {word.name}; the incumbent serves on")


rollout = typer.Typer(no_args_is_help=True, help="The candidate that is on its way to all customers, step by step.")
app.add_typer(rollout, name="rollout")


@rollout.command("status")
def show_rollout() -> None:
    """Show the step, what was measured of candidate and incumbent, and what follows from it."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.rollouts import status

    status(Console())


def _say(action: str, reason: str, name: str) -> None:
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.rollouts import say

    way = say(action, reason, name, Console())
    stands = "is held" if way.held else {"live": "serves all", "withdrawn": "is withdrawn"}.get(way.state, "goes on")
    typer.echo(f"{way.release_id} {stands}: {way.share:.0%} of conversations")


@rollout.command("advance")
def advance_rollout(reason: Reason, name: Person = "") -> None:
    """Let the candidate go on to the next step now, whatever is shown; after the last one it serves all."""
    _say("advance", reason, name)


@rollout.command("hold")
def hold_rollout(reason: Reason, name: Person = "") -> None:
    """Keep the candidate at its step; it is still withdrawn where it is shown to be worse."""
    _say("hold", reason, name)


@rollout.command("resume")
def resume_rollout(reason: Reason, name: Person = "") -> None:
    """Let a rollout that is held be decided by its figures again."""
    _say("resume", reason, name)


@rollout.command("abort")
def abort_rollout(reason: Reason, name: Person = "") -> None:
    """Withdraw the candidate; the incumbent answers everything again."""
    _say("withdraw", reason, name)


shadow = typer.Typer(no_args_is_help=True, help="A release that live questions are put to too, seen by no customer.")
app.add_typer(shadow, name="shadow")


@shadow.command("start")
def start_shadow(
    release: Annotated[str, typer.Argument(help="a release, or the candidate that was judged last")],
    share: Annotated[
        float, typer.Option(min=0, max=1, help="share of conversations whose questions it is asked")
    ] = 0.1,
) -> None:
    """Put a release into the shadow of the live one, in place of the one there."""
    _quiet()
    from llmops_assets.commands.shadows import start

    typer.echo(f"{release} is asked {share:.0%} of conversations too, at {start(release, share)}")


@shadow.command("stop")
def stop_shadow() -> None:
    """End the shadow; what it answered stays to be compared."""
    _quiet()
    from llmops_assets.commands.shadows import stop

    typer.echo(f"{stop()} is asked no more")


@shadow.command("report")
def report_shadow(
    release: Annotated[str, typer.Option(help="none: the one in the shadow")] = "",
    days: Annotated[int, typer.Option(min=1, help="how far back")] = 7,
    differing: Annotated[
        Path | None, typer.Option(help="CSV for the answers that differ, redacted as they are")
    ] = None,
) -> None:
    """Compare what it would have answered with what customers were answered, question by question."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.shadows import report

    report(release, days, differing, Console())


@app.command()
def dev() -> None:
    """Keep Dagster's UI with its daemon, MLflow's and Evidently's, the lake's page and the gateway until Ctrl-C."""
    from llmops_assets.commands.processes import insist_free, run_together
    from resources import home_folder
    from resources.workspace import Workspace

    settings = Workspace(home_folder()).settings
    # Where the gateway's port is taken, by an earlier gateway of ours for example, `llmops serve` says so itself.
    insist_free(
        {name: getattr(settings, name) for name in ("dagster_port", "mlflow_port", "lake_port", "evidently_port")}
    )
    # `dg` warns twice where nobody activated the environment that it stands in.
    os.environ.setdefault("VIRTUAL_ENV", sys.prefix)
    dagster_ui = [str(Path(sys.executable).with_name("dg")), "dev", "--host", "127.0.0.1"]
    own = [sys.executable, "-m", "llmops_assets.cli"]
    host = "http://127.0.0.1"
    raise typer.Exit(
        run_together(
            {
                f"Dagster  {host}:{settings.dagster_port}": [*dagster_ui, "--port", str(settings.dagster_port)],
                f"MLflow   {host}:{settings.mlflow_port}": [*own, "mlflow"],
                f"Lake     {host}:{settings.lake_port}": [*own, "lake", "page"],
                f"Drift    {host}:{settings.evidently_port}": [*own, "evidently"],
                f"Gateway  {host}:{settings.gateway_port}/v1": [*own, "serve"],
            },
            tell=typer.echo,
        )
    )


@app.command()
def serve() -> None:
    """Start the gateway of this installation and keep it running until interrupted."""
    from llmops_assets.commands import processes
    from resources import home_folder, open_target
    from resources.workspace import Workspace

    workspace = Workspace(home_folder())
    processes.serve(open_target(workspace, replay=False), workspace.settings.gateway_port, typer.echo)


@app.command()
def mlflow() -> None:
    """Start the MLflow UI of this installation."""
    from llmops_assets.commands.processes import run_together
    from resources import home_folder, open_registry
    from resources.workspace import Workspace

    workspace = Workspace(home_folder())
    registry, port = open_registry(workspace), str(workspace.settings.mlflow_port)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", registry.uri, "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", port]
    # It starts workers, which must end with it.
    raise typer.Exit(run_together({f"MLflow  http://127.0.0.1:{port}": command}))


@app.command()
def evidently() -> None:
    """Start Evidently's UI with the drift of all judged days."""
    from llmops_assets.commands.drift_history import serve

    raise typer.Exit(serve())


@app.command()
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
    _quiet()
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


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="a release, an adapter's hash (8 digits at least), or its lake ref")],
    last_only: Annotated[
        bool, typer.Option("--last-only", help="take the adapter that it started from as the lake has it")
    ] = False,
) -> None:
    """Make a release or an adapter again from its manifest alone and compare every byte; status 1 where one differs."""
    _quiet()
    from llmops_assets.commands import reproductions

    raise typer.Exit(0 if reproductions.reproduce(name, whole=not last_only, tell=typer.echo) else 1)


@app.command()
def bisect(
    slice_: Annotated[str, typer.Argument(metavar="SLICE", help="a slice of the eval suite, or: overall")],
    good: Annotated[str, typer.Argument(help="a release that answered it")],
    bad: Annotated[str, typer.Argument(help="a later release that does not")],
    rows: Annotated[int, typer.Option(min=0, help="rows to show")] = 20,
) -> None:
    """Find the dataset commit, prompt or recipe that hurt a slice, by retraining between two releases."""
    _quiet()
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


@app.command()
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
    _quiet()
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


lake_app = typer.Typer(
    no_args_is_help=True, help="The lake of this installation: page, check, garbage collection, differences."
)
app.add_typer(lake_app, name="lake")


@lake_app.command()
def page() -> None:
    """Start the lake's web page."""
    from llmops_assets.commands.lakes import serve_page

    serve_page()


@lake_app.command()
def check() -> None:
    """Read every object of the embedded lake and compare it with its hash."""
    from llmops_assets.commands import lakes

    problems = lakes.check()
    typer.echo("\n".join([*problems, f"{len(problems)} problems"]))
    raise typer.Exit(1 if problems else 0)


@lake_app.command()
def collect(
    days: Annotated[int, typer.Option(min=0, help="what was not used for so many days")] = 7,
) -> None:
    """Remove objects that no commit names, and branches that were left behind."""
    from llmops_assets.commands import lakes

    typer.echo(lakes.collect(days))


@lake_app.command()
def diff(
    before: Annotated[str, typer.Argument(help="lake ref of a training dataset, or its tag")],
    after: Annotated[str, typer.Argument(help="lake ref of a training dataset, or its tag")],
    limit: Annotated[int, typer.Option(min=1, help="rows to show")] = 100,
) -> None:
    """Which conversations came into a training dataset, went from it or changed, between two of its commits."""
    from rich.console import Console
    from rich.table import Table

    from llmops_assets.commands import lakes

    found = lakes.diff(before, after, limit)
    shown = Table(*("change", "provenance", "columns", "before", "after"))
    for row in found.rows:
        shown.add_row(row.change, row.provenance, ", ".join(row.columns), row.before, row.after)
    console = Console()
    console.print(shown)
    console.print(", ".join(f"{count} {change}" for change, count in found.counts.items()))


cluster_app = typer.Typer(
    no_args_is_help=True, help="The installation on Kubernetes: what would change, apply it, what runs, what is wrong."
)
app.add_typer(cluster_app, name="cluster")

Overlay = Annotated[str, typer.Argument(help="one of k8s/overlays (local, gpu, production), or a folder of your own")]
Server = Annotated[str, typer.Option(help="address of the API server, such as a `kubectl proxy`; none: the kubeconfig")]
Context = Annotated[str, typer.Option(help="context of the kubeconfig; none: the current one")]


def _cluster(server: str, context: str) -> Any:
    from resources.cluster import Cluster

    return Cluster(server, context=context)


def _obstacles(told: list[str], without: str) -> None:
    """Sentences on lines, and status 1 where there is one."""
    typer.echo("\n".join([*told, f"{len(told)} problems"]) if told else without)
    raise typer.Exit(1 if told else 0)


@cluster_app.command("render")
def render_cluster(overlay: Overlay) -> None:
    """Print the manifests that `apply` would apply."""
    from llmops_assets.commands import manifests

    typer.echo(manifests.render(manifests.overlay(overlay)), nl=False)


@cluster_app.command("diff")
def diff_cluster(overlay: Overlay, server: Server = "", context: Context = "") -> None:
    """Say what `apply` would change on the cluster; nothing is changed."""
    from llmops_assets.commands import clusters

    for line in clusters.diff(overlay, _cluster(server, context)):
        typer.echo(line)


@cluster_app.command("apply")
def apply_cluster(
    overlay: Overlay,
    server: Server = "",
    context: Context = "",
    force: Annotated[bool, typer.Option("--force", help="take over fields that another manager owns")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="how long a migration may take")] = 900.0,
) -> None:
    """Install or upgrade: migrations first, then the pods; nothing is applied when something stands against it."""
    _quiet()
    from llmops_assets.commands import clusters

    told = clusters.apply(overlay, _cluster(server, context), typer.echo, force=force, seconds=seconds)
    if told:
        typer.echo("nothing was applied:")
        _obstacles(told, "")


@cluster_app.command("status")
def status_cluster(overlay: Overlay, server: Server = "", context: Context = "") -> None:
    """Show which pods run; status 1 when fewer than wanted."""
    from rich.console import Console
    from rich.table import Table

    from llmops_assets.commands import clusters

    rows = clusters.status(overlay, _cluster(server, context))
    shown = Table("workload", "ready", "image", "")
    for row in rows:
        shown.add_row(row.place, f"{row.ready}/{row.wanted}", row.image, row.note)
    Console().print(shown)
    raise typer.Exit(1 if any(row.ready < row.wanted or row.note for row in rows) else 0)


@cluster_app.command("doctor")
def diagnose_cluster(overlay: Overlay, server: Server = "", context: Context = "") -> None:
    """Say what is missing or does not run, and why, a sentence each; status 1 when there is something."""
    _quiet()
    from llmops_assets.commands import clusters

    _obstacles(clusters.doctor(overlay, _cluster(server, context)), "nothing is wrong")


keys = typer.Typer(no_args_is_help=True, help="API keys of the gateway: who may ask it, as what, until when.")
app.add_typer(keys, name="keys")


@keys.command("create")
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


@keys.command("list")
def list_keys() -> None:
    """Show all keys, revoked and expired ones too, without their secrets."""
    from rich.console import Console

    from llmops_assets.commands.keys import show

    show(Console())


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="id of the key")]) -> None:
    """End a key, within seconds."""
    from rich.console import Console

    from llmops_assets.commands.keys import revoke

    revoke(key, Console())


@keys.command("rotate")
def rotate_key(
    key: Annotated[str, typer.Argument(help="id of the key")],
    hours: Annotated[float, typer.Option(min=0, help="how long the old one is still let in")] = 24.0,
) -> None:
    """Make a key's successor, for the same owner and role."""
    from rich.console import Console

    from llmops_assets.commands.keys import rotate

    rotate(key, hours, Console())


released = typer.Typer(no_args_is_help=True, help="What was released: signatures, and bills of materials.")
app.add_typer(released, name="releases")


@released.command("list")
def list_releases() -> None:
    """Show every release: since when, whether it serves, who signed it."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.releases import listing

    listing(Console())


@released.command("bom")
def print_bill(release: Annotated[str, typer.Argument(help="id of the release")]) -> None:
    """Print the bill of materials of a release: models, data and packages with licences, as CycloneDX 1.6."""
    _quiet()
    from llmops_assets.commands.releases import bill_of_materials

    typer.echo(bill_of_materials(release))


signing = typer.Typer(no_args_is_help=True, help="The keys that sign releases: shown, followed, revoked.")
app.add_typer(signing, name="signing")


@signing.command("show")
def show_signing() -> None:
    """Show which key signs and which are trusted; the first one is made where there is none."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import show

    show(Console())


@signing.command("rotate")
def rotate_signing() -> None:
    """Make the next key; releases of the keys before stay good."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import rotate

    rotate(Console())


@signing.command("revoke")
def revoke_signing(key: Annotated[str, typer.Argument(help="id of the key, or its beginning")]) -> None:
    """End a key: what it signed is refused from now on; what serves already serves on."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import revoke

    revoke(key, Console())


@signing.command("sign")
def sign_releases(
    releases: Annotated[
        list[str] | None, typer.Argument(help="ids of releases; none: the one that serves and the one before")
    ] = None,
    reason: Annotated[str, typer.Option(help="why to sign what earlier rules judged, on your word")] = "",
) -> None:
    """Verify releases again, from their files and the gate's stored answers, and sign them with the key of today."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.signings import sign

    sign(releases or [], reason, Console())


audit = typer.Typer(no_args_is_help=True, help="The audit log: whether it is whole, and its entries.")
app.add_typer(audit, name="audit")


@audit.command("verify")
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


@audit.command("export")
def export_audit(
    readable: Annotated[
        bool, typer.Option(help="open what is about persons: such a copy is not erased with them")
    ] = False,
) -> None:
    """Print every entry as a JSON object a line; what is about a person stays under that person's key."""
    from llmops_assets.commands.audits import export

    export(readable=readable)


@app.command()
def erase(
    person: Annotated[str, typer.Argument(help="as requests name it in `user`, or a pseudonym of the log")],
    name: Annotated[str, typer.Option(help="who does it, for the audit log; none: the user of this machine")] = "",
) -> None:
    """Delete a person's rows in the gateway's database: interactions, feedback, files and batches, and the key of what
    the audit log says of it, whose chain still holds. The lake keeps what was taken in before."""
    _quiet()
    import getpass

    from llmops_assets.commands.audits import erase as erased

    counts = erased(person, name or getpass.getuser())
    typer.echo("; ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in counts.items()) + " deleted")


watching = typer.Typer(
    no_args_is_help=True, help="For Prometheus and Grafana: dashboards, alerts, the graph's figures."
)
app.add_typer(watching, name="observability")


@watching.command("export")
def export_dashboards(folder: Annotated[Path, typer.Argument(help="folder for dashboards/ and alerts/")]) -> None:
    """Write the Grafana dashboard and Prometheus's alert rules into a folder."""
    from llmops_assets.commands.observability import export

    for file in export(folder):
        typer.echo(str(file))


@watching.command("figures")
def print_figures() -> None:
    """Print the deployed release and the state of drift in Prometheus's text format, for a textfile collector."""
    _quiet()
    from llmops_assets.commands.observability import figures

    typer.echo(figures(), nl=False)


@watching.command("serve")
def serve_figures(
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen at")] = 9730,
    host: Annotated[str, typer.Option(help="address to listen at; 0.0.0.0: from everywhere")] = "127.0.0.1",
) -> None:
    """Serve what `figures` prints to Prometheus, until Ctrl-C."""
    _quiet()
    from llmops_assets.commands.observability import serve

    serve(host, port, typer.echo)


findings = typer.Typer(no_args_is_help=True, help="What changed: causes, their questions, articles to write.")
app.add_typer(findings, name="findings")

AFinding = Annotated[str, typer.Argument(help="id of the finding: f-…")]


@findings.command("list")
def list_findings() -> None:
    """Print the findings of the newest day, and what follows from each."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.findings import show_all

    show_all(Console())


@findings.command("show")
def show_finding(finding: AFinding) -> None:
    """Print a finding with its days and redacted examples."""
    _quiet()
    from rich.console import Console

    from llmops_assets.commands.findings import show

    show(finding, Console())


@findings.command("export")
def export_findings(file: Annotated[Path, typer.Argument(help="where the list is written, as CSV")]) -> None:
    """Write the articles that are missing, with examples, for editors to fill in `title` and `answer`."""
    _quiet()
    from llmops_assets.commands.findings import export

    typer.echo(f"{export(file)} articles to write in {file}")


@findings.command("import")
def import_findings(
    file: Annotated[Path, typer.Argument(help="the list that editors filled in, CSV or JSONL")],
) -> None:
    """Take in what editors wrote, as trusted articles; a file with one thing wrong is refused whole."""
    _quiet()
    from llmops_assets.commands.findings import take_in

    count, kept, new = take_in(file)
    typer.echo(f"{count} articles {'kept as' if new else 'were taken in before:'} {kept}")
    typer.echo("materialize findings again, and retrain_on_drift decides on it; or run the job retrain")


@findings.command("close")
def close_finding(finding: AFinding, reason: Reason, name: Person = "") -> None:
    """Say that a finding is closed; it comes back by itself where its questions are answered badly again."""
    _quiet()
    from llmops_assets.commands.findings import close

    typer.echo(f"{finding} is closed with the next report: audit entry {close(finding, reason, name)}")


labels = typer.Typer(no_args_is_help=True, help="Intents that people give: the queue out, their labels in.")
app.add_typer(labels, name="labels")


@labels.command("export")
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


@labels.command("import")
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


@labels.command("check")
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


@labels.command("ask")
def ask_labels(
    url: Annotated[str, typer.Option(help="base address of an OpenAI-compatible API, for example http://host/v1")],
    model: Annotated[str, typer.Option(help="the model's name there")],
    key: Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="its key", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, help="at most so many rows of the queue")] = 200,
    rows: Annotated[int, typer.Option(min=2, help="rows labelled by people that it is measured on, at least")] = 50,
    floor: Annotated[float, typer.Option(min=0, max=1, help="where kappa's 95 % interval must start")] = 0.6,
) -> None:
    """Let a language model label the queue, if it agrees with people; only redacted questions are sent."""
    _quiet()
    from llmops_assets.commands.labels import ask, keep
    from resources.chat_endpoint import ChatEndpoint

    made, measured = ask(ChatEndpoint(url, model, key).ask, model=model, limit=limit, minimum_rows=rows, floor=floor)
    typer.echo(f"agreement with people: {measured}")
    if made:
        typer.echo(f"{len(made)} labels kept as {keep(made)[0]}")


feedback = typer.Typer(no_args_is_help=True, help="Feedback that was held back: out to a person, their decisions in.")
app.add_typer(feedback, name="feedback")


@feedback.command("export")
def export_feedback(
    file: Annotated[Path, typer.Argument(help="where the feedback to decide on is written")],
    form: Annotated[str, typer.Option("--format", help="csv or jsonl")] = "csv",
    limit: Annotated[int, typer.Option(min=1, help="at most so many rows, newest day first")] = 200,
) -> None:
    """Write the feedback that waits for a person, with the reasons; what is most worth deciding first."""
    from llmops_assets.commands.feedback import export

    told = many(export(file, form, limit), "row")
    typer.echo(f"{told} to decide in {file}: write release or reject into `decision`")


@feedback.command("check")
def check_feedback(file: Annotated[Path, typer.Argument(help="CSV or JSONL of `export` with decisions")]) -> None:
    """Read a file of decisions as `import` does, and keep nothing."""
    from llmops_assets.commands.feedback import checked, told

    typer.echo(told(checked(file)))


@feedback.command("import")
def import_feedback(file: Annotated[Path, typer.Argument(help="CSV or JSONL of `export` with decisions")]) -> None:
    """Take decisions in; a file with one thing wrong is refused whole, one taken in before changes nothing."""
    from llmops_assets.commands.feedback import checked, keep, told

    found = checked(file)
    kept, new = keep(found.decisions)
    typer.echo(f"{told(found)}: {'kept as' if new else 'were taken in before:'} {kept}")
    typer.echo(f"materialize feedback_examples again for {', '.join(found.days)}")


def main() -> None:
    """Entry point."""
    try:
        app()
    finally:
        # The process ends: looking once more for what could be collected would take half a second.
        gc.freeze()


if __name__ == "__main__":
    main()
