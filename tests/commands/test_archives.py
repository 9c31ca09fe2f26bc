"""From files of conversations to an installation: what they hold, and the settings that read them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands_support import llmops
from rich.console import Console
from typer.testing import CliRunner

from llmops_assets.cli import app
from llmops_assets.commands.releases import days_to_build
from llmops_assets.lib.records import UseCase
from resources.conversations import Conversations
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace

HOUSES = ("Igloo", "Tent", "Hut", "Boat", "Loft")


def table(file: Path, dates: tuple[str, ...] = ("14.03.2026 08:05", "03.03.2026 19:40")) -> Path:
    """A holiday agency's spreadsheet: other names of columns, dates of a locale, a row without an answer."""
    rows = [
        f"Darf ein Hund mit in das Haus {house}?;Ja, ein Hund darf mit.;{dates[n % len(dates)]};haustiere;G{n}"
        for n, house in enumerate(HOUSES)
    ]
    rows += ["Hier ist Jana Wolf, jana.wolf@mail.example;Danke!;14.03.2026;;G9", "Und?;NULL;14.03.2026;;G9"]
    file.write_bytes("\ufeffFrage;Antwort;Datum;Thema;Gast\r\n".encode() + "\r\n".join(rows).encode() + b"\r\n")
    return file


def tickets(file: Path) -> Path:
    """Tickets with comments, each with a note that nobody may read."""

    def ticket(number: int) -> dict[str, Any]:
        at = f"2026-03-0{number}T10:00:00Z"
        said = [
            (7, True, f"Can we arrive late at house {number}?"),
            (1, False, "grumpy"),
            (1, True, "Until midnight."),
        ]
        comments = [
            {"author_id": who, "public": seen, "plain_body": text, "created_at": at} for who, seen, text in said
        ]
        return {"id": number, "requester_id": 7, "subject": "title", "created_at": at, "comments": comments}

    file.write_text(json.dumps({"tickets": [ticket(number) for number in range(2, 8)], "count": 6}))
    return file


def asked(*arguments: object, answers: str = "") -> Any:
    """The command at a terminal, with what a person types."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=answers)


def settings_of(home: Path) -> dict[str, Any]:
    return yaml.safe_load((home / "settings.yaml").read_text())


def test_check_says_what_is_there_and_what_is_left_out_and_writes_nothing(home, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    rows = [
        {"id": n, "question": f"Is house {n} warm?", "answer": "It has a stove.", "time": "2026-03-02"}
        for n in range(3)
    ]
    (folder / "a.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, {"question": "Why?", "answer": ""}])
    )
    (folder / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[1:]))
    tickets(folder / "tickets.json")
    good = llmops("check", folder)
    assert good.exit_code == 0, good.output
    told = good.stdout.splitlines()
    assert told[0] == "a.jsonl: rows; columns question=question, answer=answer, time=time, id=id"
    assert told[1] == "  3 rows on 1 day, 2026-03-02"
    assert "    1 row: is empty; fill it or remove the row (first: a.jsonl, line 4, column answer)" in told
    assert "tickets.json: conversations (zendesk); columns" in good.stdout
    assert "  left out of conversations: private 6" in told
    assert told[-1] == "in all: 3 of 3 files can be used, 11 rows on 6 days, 1 left out, 2 there twice"
    (folder / "guests.csv").write_text("guest,phone\nx,y\n")
    (folder / "plan.pdf").write_bytes(b"%PDF-1.7")
    bad = llmops("check", folder)
    assert bad.exit_code == 1
    assert "plan.pdf: format .pdf is not read" in bad.stdout
    assert "guests.csv, row 1 (line 2): no column for the question" in bad.stdout
    assert bad.stdout.splitlines()[-1].startswith("in all: 3 of 5 files can be used, 11 rows")
    assert list(home.iterdir()) == []


def test_check_shows_no_customers_words(home, tmp_path):
    (tmp_path / "a.csv").write_text(
        "Where is Rosa Lind's key?,rosa@mail.example\nWho knows Rosa Lind?,rosa@mail.example\n"
    )
    (tmp_path / "b.jsonl").write_text('{"question": "I am Rosa", "answer": "Hi Rosa", "time": "rosa@mail.example"}\n')
    for name in ("a.csv", "b.jsonl"):
        told = llmops("check", tmp_path / name)
        assert told.exit_code == 1, told.output
        assert not [word for word in ("Lind", "osa@mail.", "I am Rosa", "Hi Rosa") if word in told.output]


@pytest.mark.slow
def test_init_asks_what_it_cannot_know_and_check_takes_what_it_writes(home, tmp_path):
    file = table(tmp_path / "gaeste.csv")
    answers = ["", "", "Datum", "Thema", "Gast", "Europe/Vienna", "Huettenzauber", "hilfe@huetten.example", "", "y"]
    done = asked("init", file, answers="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "which holds what the customer wrote? [Frage]" in done.output
    assert "<PERSON_1>, <EMAIL_1>" in done.output
    assert "jana" not in done.output.lower()
    written = settings_of(home)
    assert written["mapping"] == {
        "question": "Frage", "answer": "Antwort", "time": "Datum", "intent": "Thema", "subject": "Gast"
    }  # fmt: skip
    assert (written["time_zone"], written["source"]) == ("Europe/Vienna", str(file))
    case = UseCase.model_validate(yaml.safe_load((home / "use_case.yaml").read_text()))
    assert (case.company, case.language) == ("Huettenzauber", "de")
    assert "hilfe@huetten.example" in case.handover
    checked = llmops("check")
    assert checked.exit_code == 0, checked.output
    assert "6 rows on 2 days, 2026-03-03 to 2026-03-14" in checked.output
    rows = [row for day in Conversations(Workspace(home)).days() for row in Conversations(Workspace(home)).rows(day)]
    assert sorted(str(row.time) for row in rows)[0] == "2026-03-03 18:40:00+00:00"


def test_check_names_the_columns_that_nothing_is_taken_from(home, tmp_path):
    file = tmp_path / "chats.csv"
    file.write_text("question,answer,Received,Internal note\nIs it warm?,It has a stove.,02.03.2026,called back\n")
    assert llmops("check", file).stdout.splitlines()[1] == "  not read: Received"
    given = llmops("check", file, "--column", "time=Received", "--date-order", "DMY")
    assert given.exit_code == 0, given.output
    assert "not read" not in given.stdout


@pytest.mark.parametrize("name", ["tickets.json", "plain.csv", "undated.csv"])
def test_init_by_options_alone_lets_a_release_be_built(home, tmp_path, name):
    file = tmp_path / name
    if name == "tickets.json":
        tickets(file)
    else:
        dates = ",2026-03-0{}" if name == "plain.csv" else ""
        rows = [f"Is there a sauna in house {n}?,No{dates.format(n)}\n" for n in range(2, 9)]
        file.write_text(f"question,answer{',time' if dates else ''}\n{''.join(rows)}")
    done = llmops("init", file, "--no-input", "--company", "Huts & Co.", "--time-zone", "UTC")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("  > ") in (6, 7)
    assert "next: make build" in done.stdout
    workspace = Workspace(home)
    assert UseCaseFiles(workspace.settings).read().name == "huts-co-support"
    assert len(days_to_build(workspace, None, Console(quiet=True))) >= 6
    assert llmops("check").exit_code == 0


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (
            "Frage;Antwort\nWann?;Jetzt\n",
            (),
            '`mapping: {question: "Frage", answer: "Antwort"}`, or give the command --column',
        ),
        ("Frage;Antwort\nWann?;Jetzt\n", ("--column", "question=Fraeg"), "no column 'Fraeg'; there are Frage, Antwort"),
        ("question;answer;time\nq;a;03/04/2026\n", (), "`date_order: DMY`"),
        ("question;answer\nq;a\n", ("--time-zone", "Vienna"), "'Vienna' is no time zone"),
        ("question;answer\n", (), "holds no rows"),
        ("question;answer\nq;a\n", (), "give --company"),
    ],
)
def test_init_without_somebody_to_ask_says_what_to_give(home, tmp_path, content, options, told):
    (tmp_path / "a.csv").write_text(content)
    company = () if "--company" in told else ("--company", "Huts")
    failed = llmops("init", tmp_path / "a.csv", "--no-input", *company, *options)
    assert failed.exit_code == 1, failed.output
    assert told in failed.stderr
    assert "Traceback" not in failed.output + failed.stderr
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_init_asks_for_the_order_of_dates_and_takes_a_column_only_if_it_is_there(home, tmp_path):
    file = table(tmp_path / "gaeste.csv", dates=("04.03.2026 08:05",))
    file.write_text(file.read_text().replace("14.03.2026", "05.03.2026"))
    columns = [word for pair in ("question=Frage", "answer=Antwort", "time=Datum") for word in ("--column", pair)]
    options = ("--company", "Huts", "--contact", "-", "--language", "de", "--time-zone", "UTC")
    done = asked("init", file, *columns, *options, answers="dmy\ny\n")
    assert done.exit_code == 0, done.output
    assert settings_of(home)["date_order"] == "DMY"
    wrong = asked("init", file, *options, "--force", answers="Kunde\n")
    assert wrong.exit_code == 1
    assert "there is no column 'Kunde'" in wrong.output


@pytest.mark.slow
def test_init_replaces_nothing_without_force_and_writes_nothing_when_told_not_to(home, tmp_path):
    file = tickets(tmp_path / "t.json")
    options = ("init", file, "--company", "Huts", "--contact", "-", "--language", "en")
    refused = asked(*options, answers="n\n")
    assert refused.exit_code == 1
    assert list(home.iterdir()) == []
    (home / "use_case.yaml").write_text("name: mine")
    failed = llmops(*options, "--no-input")
    assert failed.exit_code == 1
    assert "use_case.yaml is there already; give --force" in failed.stderr
    assert (home / "use_case.yaml").read_text() == "name: mine"
    assert llmops(*options, "--no-input", "--force").exit_code == 0
    assert settings_of(home)["source"] == str(file)


@pytest.mark.slow
def test_who_answers_is_asked_where_a_file_does_not_say_it(home, tmp_path):
    def said(who: str, text: str, second: int) -> str:
        at = f"17724456{second:02d}.000100"
        return json.dumps({"type": "message", "user": who, "text": text, "ts": at, "thread_ts": "1772445600.000100"})

    file = tmp_path / "help.jsonl"
    file.write_text(said("U7", "Is the pool heated?", 0) + "\n" + said("U1", "From May on.", 9) + "\n")
    options = ("init", file, "--company", "Huts", "--contact", "-", "--language", "en")
    failed = llmops(*options, "--no-input")
    assert failed.exit_code == 1
    assert "nothing can be used" in failed.stderr
    done = asked(*options, answers="U1\ny\n")
    assert done.exit_code == 0, done.output
    assert settings_of(home)["agents"] == ["U1"]
    assert "From May on." in done.output
    assert llmops("check", file, "--agent", "U1").exit_code == 0


def test_a_note_is_never_shown(home, tmp_path):
    done = llmops("init", tickets(tmp_path / "t.json"), "--no-input", "--company", "Huts")
    assert "midnight" in done.output
    assert "grumpy" not in done.output


@pytest.mark.slow
def test_init_shows_what_of_every_answer_would_be_taught(home, tmp_path):
    answers = {
        "Can I bring my dog?": "Dogs sleep in the winter room, for 12 euros a night. Kind regards, Marta",
        "Has my booking arrived?": "Hi Jana, your booking HB-88213 is confirmed for the 14th of May.",
        "Are you there?": "One moment please, I am having a look.",
    }
    file = tmp_path / "talks.jsonl"
    file.write_text(
        "".join(
            json.dumps({"question": asked, "answer": said, "time": "2026-03-03T08:00:00Z"}) + "\n"
            for asked, said in answers.items()
        )
    )
    done = llmops("init", file, "--no-input", "--company", "Huts")
    assert done.exit_code == 0, done.output
    shown = done.stdout.partition("as it will be stored and learnt:\n")[2].splitlines()
    places = [place for place, line in enumerate(shown) if line.startswith("  > ")]
    by_question = {shown[place][4:]: shown[place + 1 : place + 3] for place in places}
    assert list(by_question) == list(answers)
    dogs, booking, there = by_question.values()
    assert dogs[1].strip() == "taught: Dogs sleep in the winter room, for 12 euros a night."
    assert booking[0].startswith("    answer: Hi <PERSON_1>, your booking <")
    assert booking[1].startswith("    not taught: personal, ")
    assert there[1].startswith("    not taught: empty, ")
    assert "Jana" not in done.output
    assert "88213" not in done.output


def test_check_counts_conversations_over_files_once(home, tmp_path):
    def said(talk: str, who: str, text: str, day: int) -> str:
        return json.dumps(
            {"conversation_id": talk, "role": who, "text": text, "created_at": f"2026-03-{day:02}T09:00:00Z"}
        )

    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "a.jsonl").write_text(said("1", "customer", "Is there wood?", 3) + "\n")
    (folder / "b.jsonl").write_text(said("1", "agent", "In the shed.", 4) + "\n")
    (folder / "c.jsonl").write_text(said("1", "customer", "Is it dry?", 5) + "\n" + '{"conversation_id": "1", "te')
    done = llmops("check", folder)
    assert done.exit_code == 1
    assert "a.jsonl: conversations (table)" in done.stdout
    assert "1 row on 1 day, 2026-03-03" in done.stdout
    assert "b.jsonl: conversations (table); columns" in done.stdout
    assert "its messages are counted with a.jsonl" in done.stdout
    assert "c.jsonl, line 2: is cut off" in done.stdout
    assert "only the agent wrote" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("in all: 2 of 3 files can be used, 1 row on 1 day, 0 left out")
