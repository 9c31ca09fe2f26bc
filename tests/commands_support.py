"""What the tests of commands share: the command itself, an empty installation's files, and a company's own file."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import typer
from click.testing import Result
from typer.testing import CliRunner

from llmops_assets.cli import app

# Dagster's default one starts `tail` for every run; the instance says nothing about a file that is missing.
DAGSTER = """
telemetry: {enabled: false}
nux: {enabled: false}
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


def llmops(*arguments: object) -> Result:
    """A command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def commands_of(group: typer.Typer = app, before: str = "") -> Iterator[str]:
    """Every command there is, with the groups before it: `lake check`."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield before + (command.name or command.callback.__name__.replace("_", "-"))
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands_of(inner.typer_instance, f"{before}{inner.name} ")


OPENINGS = (
    "",
    "Hello, ",
    "Hi there, ",
    "Quick one: ",
    "Good evening, ",
    "Sorry to bother you, ",
    "Hey, ",
    "One thing: ",
)
ENDINGS = ("", " please", " thanks a lot", " I could not find it", " asking for my sister", " as soon as you can")
TOPICS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "opening_hours": (
        (
            "when does the climbing hall open on Sunday?",
            "until what time can we boulder on weekdays?",
            "are you open on public holidays?",
            "what are the opening hours of the hall?",
            "how late may I come on Friday night?",
        ),
        ("The hall is open from nine in the morning until eleven at night, on Sundays until eight.",),
    ),
    "shoe_rental": (
        (
            "can I borrow climbing shoes at the desk?",
            "what does it cost to rent shoes and a harness?",
            "do you have rental shoes in size 46?",
            "must I bring my own harness?",
            "is chalk part of the rental set?",
        ),
        (
            "Shoes cost four euros a visit, a harness three; both are handed out at the desk in every size.",
            "Dear {{customer_name}}, your rental {{rental_number}} waits at the desk. Best, [Your Name]",
        ),
    ),
    "membership_pause": (
        (
            "can my membership rest while I travel?",
            "I broke my wrist, how do I pause my contract?",
            "how long may a membership be paused?",
            "do I pay during the pause of my membership?",
            "please freeze my subscription for two months",
        ),
        ("A membership rests for up to six months a year; send the form two weeks before, nothing is charged.",),
    ),
    "beginner_course": (
        (
            "is there a course for complete beginners?",
            "how many evenings is the introduction to belaying?",
            "where do I sign up for the beginners' class?",
            "my son is ten, may he join the starter course?",
            "does the beginner lesson include equipment?",
        ),
        (
            "The beginners' course is two evenings with all equipment for forty-nine euros; sign up at the desk.",
            "Thank you, <PERSON_1>! Course %{course_id} is booked for ${date}.",
        ),
    ),
    "lost_items": (
        (
            "I left my jacket in the changing room",
            "has somebody handed in a blue water bottle?",
            "my locker key is gone, what now?",
            "where is your lost and found box?",
            "I forgot my glasses in the bouldering area",
        ),
        ("Lost things are kept for thirty days in the box behind the desk; for a lost key we open the locker.",),
    ),
}
"""Intent to (questions, answers of agents); the second answers are templates that nobody filled in."""


def own_conversations(file: Path, rows_of: Mapping[str, int] | None = None) -> list[dict[str, str]]:
    """Write a JSONL file of a climbing hall's customers, intents in turn; rows by intent (none: 40 of each).

    All questions differ; one answer in five is the intent's template, where it has one, and one row in ten says no
    intent: what is to be labelled.
    """
    left = dict(rows_of or dict.fromkeys(TOPICS, 40))
    rows: list[dict[str, str]] = []
    for turn in range(max(left.values())):
        for intent in [name for name, count in left.items() if count > turn]:
            questions, answers = TOPICS[intent]
            wordings = [f"{o}{q}{e}" for o, e, q in product(OPENINGS, ENDINGS, questions)]
            # A step that shares no factor with their number goes through all wordings.
            question, answer = wordings[turn * 37 % len(wordings)], answers[-1 if turn % 5 == 4 else 0]
            number = str(len(rows))
            subject = f"climber-{len(rows) % 90}"
            said = "" if turn % 10 == 8 else intent
            rows.append({"id": number, "question": question, "answer": answer, "intent": said, "subject": subject})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows
