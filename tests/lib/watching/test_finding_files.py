"""Articles for findings go out to editors with examples and come back as trusted ones, whole or not at all."""

import csv
import json
from datetime import timedelta

import pytest
from findings_support import MONDAY, asked, finding

from llmops_assets.lib.watching.findings import closings, files
from llmops_assets.lib.watching.findings.files import ArticleFileError

NAME = "f-0000000001"
KNOWN = {NAME: finding(action="write_article")}


def exported(tmp_path, **filled):
    """A file as editors leave it."""
    members = asked("recall", 12, correction="=send it back")
    (row,) = files.to_write([(KNOWN[NAME], members)])
    file = tmp_path / "articles.csv"
    file.write_text(files.written([{**row, **filled}]), encoding="utf-8")
    return file


def take(file, leaks=lambda text: "@" in text):
    return files.articles(file, files.read(file), KNOWN, leaks)


def test_what_goes_out_says_what_was_asked_and_what_people_wrote_and_runs_in_no_spreadsheet(tmp_path):
    with exported(tmp_path).open() as opened:
        (row,) = csv.DictReader(opened)
    assert (row["finding"], row["questions"], row["people"]) == (NAME, "30", "30")
    assert len(row["examples"].splitlines()) == 12
    assert row["said"] == "'=send it back"
    assert row["title"] == row["answer"] == ""
    assert files.read(exported(tmp_path))[0][1]["said"] == "=send it back"


def test_what_comes_back_is_an_article_of_which_some_questions_are_kept_for_evaluation(tmp_path):
    (made,) = take(exported(tmp_path, title="Recall", answer="Send it back, free of charge."))
    assert (made.id, made.title, made.available_from) == (NAME, "Recall", MONDAY)
    assert made.questions
    assert made.held_out
    assert len({*made.questions, *made.held_out}) == 12
    assert take(exported(tmp_path, title="Recall", answer="Send it back, free of charge.")) == [made]


def test_of_a_single_question_nothing_is_held_out(tmp_path):
    for question in ("recall one", "recall two", "recall three", "recall four", "recall five"):
        made = files.article(KNOWN[NAME], "Recall", "Send it back.", [question])
        assert (made.questions, made.held_out) == ((question,), ())


@pytest.mark.parametrize(
    ("filled", "told"),
    [
        ({}, "no row has an answer"),
        ({"answer": "Send it back."}, "line 13: f-0000000001 has an answer and no title"),
        ({"title": "Recall", "answer": "Dear {{name}}, send it"}, "holds a placeholder or markup"),
        ({"title": "Recall", "answer": "Write to anna@mail.example"}, "shows personal data"),
        ({"title": "Recall", "answer": "Send it back.", "examples": "from anna@mail.example"}, "shows personal data"),
        ({"title": "Recall", "answer": "Send it back.", "examples": " "}, "has no example question left"),
        ({"title": "Recall", "answer": "Send it back.", "finding": "f-9"}, "there is no finding 'f-9'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path, filled, told):
    with pytest.raises(ArticleFileError, match=r"articles\.csv") as refused:
        take(exported(tmp_path, **filled))
    assert told in str(refused.value)


def test_two_answers_to_one_finding_and_files_of_another_kind_are_refused(tmp_path):
    row = {"finding": NAME, "examples": "recall?", "title": "Recall", "answer": "Send it back."}
    file = tmp_path / "articles.jsonl"
    file.write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    with pytest.raises(ArticleFileError, match="line 2: f-0000000001 has an answer already"):
        take(file)
    for text, told in (
        ("{", "line 1, column 2: broken JSON"),
        ("{}\n[]", "line 2: a list"),
        ("[7]", "record 1: a int"),
        ('{"finding": "f"}', "no column 'exam"),
    ):
        file.write_text(text)
        with pytest.raises(ArticleFileError, match=told):
            files.read(file)
    with pytest.raises(ArticleFileError, match="No such file"):
        files.read(tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes("finding,é".encode("cp1252"))
    with pytest.raises(ArticleFileError, match="not UTF-8"):
        files.read(tmp_path / "latin.csv")


def test_a_file_comes_back_as_spreadsheets_save_it(tmp_path):
    file = tmp_path / "articles.csv"
    file.write_bytes(
        f'finding;examples;title;answer\r\n{NAME};recall?;Recall;"It\'s free;\nsend it."\r\n'.encode("utf-8-sig")
    )
    [found] = take(file)
    assert (found.title, found.answer) == ("Recall", "It's free;\nsend it.")
    file.write_text(f"finding;examples;title;answer\n{NAME};recall?;Recall\n")
    with pytest.raises(ArticleFileError, match="line 2: another number of values than columns"):
        take(file)


def test_kept_articles_are_there_from_the_findings_first_day_and_the_last_word_counts(tmp_path):
    folder = tmp_path / "articles"
    first = files.article(KNOWN[NAME], "Recall", "Send it back.", ["recall?"])
    second = first.model_copy(update={"answer": "Bring it back."})
    path, new = files.keep(folder, [first], "2026-03-10T10:00:00+00:00")
    assert new
    assert files.keep(folder, [first], "2026-03-12T10:00:00+00:00") == (path, False)
    files.keep(folder, [second], "2026-03-11T10:00:00+00:00")
    assert files.kept(folder, MONDAY) == (second,)
    assert files.kept(folder, MONDAY - timedelta(days=1)) == ()
    assert files.kept(tmp_path / "none") == ()


def test_the_last_word_of_a_person_is_read_from_the_audit_log_without_its_reason():
    entries = [
        {"number": n, "detail": closings.detail(NAME, MONDAY + timedelta(days=n), "Ada", "it is over")} for n in (3, 7)
    ]
    assert closings.said(entries) == {NAME: (MONDAY + timedelta(days=7), "by a person: audit entry 7")}
