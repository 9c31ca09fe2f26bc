"""Articles that findings need, as a file between the lake and editors: out with examples, in with answers.

What editors write is kept as it came in, a file of JSON lines under its content's hash, and stands among the trusted
articles from the day on that its finding was first seen.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from llmops_assets.lib import forms
from llmops_assets.lib.auditing.placeholders import unservable
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Article, Finding
from llmops_assets.lib.watching.findings.members import Member
from llmops_assets.lib.watching.findings.pages import examples, missing_knowledge

COLUMNS = ("finding", "first_seen", "questions", "people", "examples", "said", "title", "answer")
"""Editors fill in the last two; `said` is what people wrote as the right answer."""
NEEDED = ("finding", "examples", "title", "answer")
QUESTIONS = 24
"""Example questions of a finding that become the article's."""
HELD_OUT = 4
"""Of so many questions one is kept for evaluation."""
INTENT = "finding"


class ArticleFileError(LlmopsError, ValueError):
    """A file of articles cannot be taken in; the message says which row, and what to do."""


def to_write(findings: Sequence[tuple[Finding, Sequence[Member]]]) -> list[dict[str, str]]:
    """A row for each finding, the most badly answered questions first."""
    ranked = sorted(findings, key=lambda pair: (-pair[0].total("badly"), pair[0].id))
    return [
        {
            "finding": finding.id,
            "first_seen": str(finding.first_seen),
            "questions": str(finding.total("questions")),
            "people": str(finding.senders),
            "examples": "\n".join(one.question for one in examples(members, QUESTIONS)),
            "said": "\n".join(missing_knowledge(members)),
            "title": "",
            "answer": "",
        }
        for finding, members in ranked
    ]


def written(rows: Sequence[Mapping[str, str]]) -> str:
    """The rows as CSV, which a spreadsheet opens."""
    return forms.to_csv(COLUMNS, rows)


def read(file: Path) -> list[tuple[str, dict[str, str]]]:
    """(place, row) of a file that came back. ArticleFileError where it is none."""
    rows = list(forms.records(file, ArticleFileError))
    for place, row in rows:
        if missing := [name for name in NEEDED if not isinstance(row.get(name), str)]:
            raise ArticleFileError(f"{file}, {place}: no column {missing[0]!r}; export the list again and fill it in")
    return [(place, {name: (row.get(name) or "").strip() for name in COLUMNS}) for place, row in rows]


def articles(
    file: Path,
    rows: Sequence[tuple[str, Mapping[str, str]]],
    findings: Mapping[str, Finding],
    leaks: Callable[[str], Any],
) -> list[Article]:
    """The articles that were filled in; rows without an answer are passed over.

    ArticleFileError where a row names no finding, has no title, holds a placeholder, markup or personal data, or where
    a finding comes twice: the file is taken in whole or not at all.
    """
    found: dict[str, Article] = {}
    for place, row in rows:
        if not row["answer"]:
            continue
        name, where = row["finding"], f"{file}, {place}"
        if name not in findings:
            raise ArticleFileError(f"{where}: there is no finding {name[:40]!r}: `llmops findings list` shows them")
        if name in found:
            raise ArticleFileError(f"{where}: {name} has an answer already; one article answers a finding")
        if not row["title"]:
            raise ArticleFileError(f"{where}: {name} has an answer and no title")
        questions = list(dict.fromkeys(line.strip() for line in row["examples"].splitlines() if line.strip()))
        if not questions:
            raise ArticleFileError(f"{where}: {name} has no example question left: an article needs at least one")
        if unservable(row["answer"]):
            raise ArticleFileError(f"{where}: the answer of {name} holds a placeholder or markup: write it out")
        if any(map(leaks, (row["answer"], row["title"], *questions))):
            raise ArticleFileError(f"{where}: a text of {name} shows personal data: take it out")
        found[name] = article(findings[name], row["title"], row["answer"], questions)
    if not found:
        raise ArticleFileError(f"{file}: no row has an answer: fill in title and answer")
    return list(found.values())


def article(finding: Finding, title: str, answer: str, questions: Sequence[str]) -> Article:
    """The article for a finding. Some of its questions, by hash, are kept for evaluation, where there are enough."""
    held_out = [question for question in questions if int(hash_json(question)[:8], 16) % HELD_OUT == 0]
    known = [question for question in questions if question not in held_out]
    if not known:
        known, held_out = list(questions), []
    return Article(
        id=finding.id,
        intent=finding.topic or f"{INTENT}_{finding.id[2:]}",
        title=title,
        answer=answer,
        questions=tuple(known),
        held_out=tuple(held_out),
        available_from=finding.first_seen,
    )


def keep(folder: Path, made: Sequence[Article], time: str) -> tuple[Path, bool]:
    """(file, whether it is new): the articles in a file of the folder, whole or not at all; `time` says when (ISO)."""
    ordered = sorted((one.model_dump(mode="json") for one in made), key=lambda one: one["id"])
    lines = (json.dumps({"time": time, "article": one}, ensure_ascii=False) for one in ordered)
    return forms.keep(folder, ordered, lines)


def kept(folder: Path, day: date | None = None) -> tuple[Article, ...]:
    """The kept articles that are there on a day (None: all), the one of each finding that was written last, by id."""
    found: dict[str, tuple[str, Article]] = {}
    for row in map(json.loads, forms.kept(folder)):
        one = Article.model_validate(row["article"])
        if one.id not in found or found[one.id][0] <= row["time"]:
            found[one.id] = row["time"], one
    every = (found[name][1] for name in sorted(found))
    return tuple(a for a in every if day is None or a.available_from is None or a.available_from <= day)
