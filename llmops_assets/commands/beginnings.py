"""The first settings of an installation, out of the conversations it is to learn from: settings.yaml and use_case.yaml.

What an archive does not say is asked, through a function that the caller gives: a person at a terminal answers it, or
the options of a command do.
"""

import secrets
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from llmops_assets.commands.archives import archive, surveyed
from llmops_assets.lib.errors import LlmopsError, in_a_sentence
from llmops_assets.lib.records import UseCase
from llmops_assets.lib.sources import (
    RawRow,
    Rejected,
    RowFault,
    SourceError,
    is_local,
    layout_of,
    proposal,
    remedy,
    time_names,
    told_names,
    written_dates,
)
from llmops_assets.lib.sources.rows import REQUIRED
from llmops_assets.lib.sources.survey import FileSurvey
from llmops_assets.partitions import FIRST_DAY, outside
from llmops_assets.samples import generator
from resources.sources import Files
from resources.workspace import Settings, Workspace

SHOWN = 10
"""Rows that are shown as they will be learnt."""
LONGEST_SHOWN = 200
"""Characters of a text that are shown."""
LOOKED_AT = 200
"""Records whose times are looked at for an offset."""
UNKNOWN_AUTHOR = "unknown author"
OPTIONAL = ("time", "intent", "subject")
Ask = Callable[[str, str | None], str]
"""Asks a question that has an answer if nothing is said (None: one must be said)."""


class BeginningError(LlmopsError):
    """No settings can be made; the message says why and what to do."""


@dataclass(frozen=True)
class Company:
    """What only a person knows; `contact` is an address for customers whom the assistant cannot help. "" is unknown."""

    name: str = ""
    contact: str = ""
    language: str = ""


@dataclass(frozen=True)
class Beginning:
    """Settings and use case for an archive, and what was found in it."""

    settings: Settings
    case: dict[str, Any]
    files: Sequence[FileSurvey]
    source: Files


def refuse_to_replace(home: Path, force: bool) -> None:
    """BeginningError when the installation has settings already."""
    there = [name for name in ("settings.yaml", "use_case.yaml") if (home / name).exists()]
    if there and not force:
        raise BeginningError(f"{home / there[0]} is there already; give --force to replace it, or set LLMOPS_HOME")


def begin(path: Path, given: dict[str, Any], company: Company, ask: Ask | None, home: Path) -> Beginning:
    """Settings that read an archive; `given` are those that a person gave, the rest is recognised or asked.

    Without `ask` nobody is there to answer: what can be assumed is. BeginningError or SourceError when something is
    missing, or nothing of the archive can be used.
    """
    own = {"source": path.resolve(), "knowledge_from_conversations": True, "first_day": FIRST_DAY}
    settings = settings_of({**own, **given})
    settings = with_columns(settings, path, ask)
    files = surveyed(archive(path, settings))
    if ask is not None and any(file.undecided for file in files):
        order = ask("Dates: does the day come first (DMY) or the month (MDY)?", None)
        settings = settings_of({**settings.model_dump(), "date_order": order.strip().upper()})
        files = surveyed(archive(path, settings))
    if ask is not None and not settings.agents and any(map(needs_agents, files)):
        who = ask("Who answers (ids, addresses, domains as @shop.example, roles; commas between; - for none)?", "-")
        agents = [part.strip() for part in who.split(",") if part.strip() not in ("", "-")]
        settings = settings_of({**settings.model_dump(), "agents": agents})
        files = surveyed(archive(path, settings))
    if not any(file.rows and not file.fault for file in files):
        reasons = [file.fault for file in files if file.fault]
        reasons += [f"{file.name}: {kind}" for file in files for kind, _ in file.left_out.most_common(1)]
        raise BeginningError(f"{path}: nothing can be used: {reasons[0] if reasons else 'it holds no files'}")
    if not settings.time_zone and any(map(is_local, times(archive(path, settings)))):
        zone = answered(ask, "Times without an offset: of which time zone are they?", "UTC", "--time-zone")
        settings = settings.model_copy(update={"time_zone": "" if zone == "UTC" else zone})
    source = archive(path, settings)
    files = surveyed(source)
    if not any(file.undated for file in files):
        settings = settings.model_copy(update={"first_day": None})
    name = company.name or answered(ask, "The name of the company?", None, "--company")
    where = "Where do customers reach a person (an address or a page; empty: nowhere else)?"
    contact = company.contact or answered(ask, where, "", "--contact")
    told = "The customers' language (two letters)?"
    spoken = company.language or answered(ask, told, most_spoken(files), "--language")
    case = use_case_of(Company(name, contact, spoken))
    settings = settings.model_copy(update={"use_case": (home / "use_case.yaml").resolve()})
    return Beginning(settings, case, files, source)


def needs_agents(file: FileSurvey) -> bool:
    """Whether a file leaves open who answers: layouts count unknown authors, or reject with the setting to write."""
    return file.cut[UNKNOWN_AUTHOR] > 0 or any("agents" in reason for reason in file.left_out)


def settings_of(values: dict[str, Any]) -> Settings:
    """Settings out of values. BeginningError that names the one that does not fit."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BeginningError(in_a_sentence(error)) from None


def answered(ask: Ask | None, question: str, default: str | None, option: str) -> str:
    """What somebody answers, or the default where nobody is asked. BeginningError when there is none."""
    if ask is not None:
        return ask(question, default)
    if default is None:
        raise BeginningError(f"give {option}: {question}")
    return default


def with_columns(settings: Settings, path: Path, ask: Ask | None) -> Settings:
    """The settings with a mapping, where the columns of no file are recognised."""
    source, unknown = archive(path, settings), None
    for file in source.files():
        try:
            record = next((found for _, found in source.records(file) if not isinstance(found, RowFault)), None)
            if record is not None:
                layout_of(record, source.shape)
                return settings
        except SourceError:
            continue  # The survey says why.
        except RowFault as fault:
            unknown = unknown or (source.label(file), list(record or ()), fault.reason)
    if unknown is None:
        return settings
    name, names, reason = unknown
    if ask is None or settings.mapping:
        raise BeginningError(f"{name}: {reason}")
    mapping = asked_columns(names, source.shape.columns(names, required=()), ask)
    return settings.model_copy(update={"mapping": mapping})


def asked_columns(names: list[Any], found: dict[str, str], ask: Ask) -> dict[str, str]:
    """Our column -> theirs for what was not recognised, as somebody said it."""
    proposed, mapping = proposal(names, found), {}
    what = {"question": "what the customer wrote", "answer": "what the agent answered", "time": "the time",
            "intent": "the topic", "subject": "who asked (a number or an address)"}  # fmt: skip
    for ours in (name for name in (*REQUIRED, *OPTIONAL) if name not in found):
        needed = ours in REQUIRED
        told = f"{told_names(names)}: which holds {what[ours]}?" + ("" if needed else " (- for none)")
        given = ask(told, proposed.get(ours, None if needed else "-"))
        if given == "-" and not needed:
            continue
        if given not in names:
            raise BeginningError(f"there is no column {given!r}, {told_names(names)}. {remedy(proposed, REQUIRED)}")
        mapping[ours] = given
    return mapping


def times(source: Files) -> Iterator[str]:
    """Some of the times that stand in an archive as text."""
    names = time_names(source.shape)
    for file in source.files():
        try:
            for _, record in islice(source.records(file), LOOKED_AT):
                if not isinstance(record, RowFault):
                    yield from written_dates(record, names)
        except SourceError:
            continue


def most_spoken(files: Sequence[FileSurvey]) -> str:
    """The language of most rows that were looked at."""
    counts: dict[str, int] = {}
    for file in files:
        for code, count in file.languages.items():
            counts[code] = counts.get(code, 0) + count * (code != "?")
    return max(counts, key=lambda code: counts[code], default="en") if any(counts.values()) else "en"


def use_case_of(company: Company) -> dict[str, Any]:
    """The use case of a company: the one for own data, with its name, language and hand-over. Figures are to be
    replaced by its own."""
    template = generator.load_use_case("own_data").model_dump(mode="json", exclude_defaults=True)
    slug = "-".join("".join(c if c.isalnum() else " " for c in company.name.lower()).split()) or "own"
    reach = f" You can also reach us here: {company.contact}." if company.contact else ""
    changed = {
        "name": f"{slug}-support",
        "company": company.name,
        "owner": company.contact or template["owner"],
        "language": company.language,
        "system_prompt": f"You are a customer support assistant of {company.name}. Answer with the known facts.",
        "handover": template["handover"] + reach,
    }
    case = {**template, **changed}
    UseCase.model_validate(case)
    return case


def preview(beginning: Beginning, count: int = SHOWN) -> list[str]:
    """Lines on some rows as they would be stored and learnt: redacted, with what of the answer would be taught or why
    nothing, or the reason why the row would not be stored."""
    from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
    from llmops_assets.lib.auditing.conversations import redacted
    from llmops_assets.lib.redaction import Redactor, public_words
    from llmops_assets.lib.teaching import Judge

    case = UseCase.model_validate(beginning.case)
    # Pseudonyms are not shown: a key of this moment will do.
    words = public_words([case.company.title(), case.handover])
    redactor = Redactor(case.identifiers, secrets.token_bytes(32), allow=words)
    rows = islice(_rows(beginning.source), count)
    cleared = [found for day, row in rows for found in redacted([row], day, redactor)]
    answers = [kept["answer"] for one in cleared for kept in one.kept]
    decisions = iter(Judge(Embedder(find_embedder_folder())).decide(answers))
    told: list[str] = []
    for one in cleared:
        for kept in one.kept:
            decision = next(decisions)
            taught = f"taught: {_in_short(decision.text)}"
            left = f"not taught: {decision.kind}, {decision.reason}"
            told += [f"  > {_in_short(kept['question'])}", f"    answer: {_in_short(kept['answer'])}"]
            told.append(f"    {taught if decision.kind == 'general' else left}")
        told += [f"  > not stored: {aside['reason']}" for aside in one.quarantined]
    return told


def _in_short(text: str) -> str:
    """The beginning of a text on one line."""
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]} …"


def _rows(source: Files) -> Iterator[tuple[Any, RawRow]]:
    for file in source.files():
        try:
            yield from ((day, item) for day, item in source.dated(file) if not isinstance(item, Rejected))
        except SourceError:
            continue  # The survey has said why.


def write(home: Path, beginning: Beginning, *, force: bool) -> tuple[Path, Path]:
    """Write both files; where they are."""
    refuse_to_replace(home, force)
    home.mkdir(parents=True, exist_ok=True)
    settings, case = home / "settings.yaml", home / "use_case.yaml"
    told = "# Made by `llmops init`. Targets, traffic and hosting are assumed: replace them by your own.\n"
    case.write_text(told + _dumped(beginning.case))
    Workspace(home).write_settings(beginning.settings)
    chosen = beginning.settings.model_dump(mode="json", exclude_defaults=True)
    settings.write_text(f"# Made by `llmops init`. All settings: resources/workspace.py.\n{_dumped(chosen)}")
    return settings, case


def next_steps(beginning: Beginning) -> list[str]:
    """What to do with the settings that were written."""
    days = {day for file in beginning.files if not file.fault for day in file.days}
    told = [left_out] if (left_out := outside(days)) else []
    settings = beginning.settings
    given = {"--format": settings.source_format, "--encoding": settings.source_encoding,
             "--time-zone": settings.time_zone, "--date-order": settings.date_order}  # fmt: skip
    words = [word for option, value in given.items() if value for word in (option, value)]
    words += [word for agent in settings.agents for word in ("--agent", agent)]
    words += [word for ours, theirs in settings.mapping.items() for word in ("--column", f"{ours}={theirs}")]
    played = shlex.join(["llmops", "demo", "--data", str(settings.source), *words])
    demo = f"or play the demonstration with it: LLMOPS_HOME=.llmops-demo {played}"
    return [*told, "next: make build, then make dev", demo]


def _dumped(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
