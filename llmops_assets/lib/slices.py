"""Slices of the eval suite that a company wrote down: a folder with a file per slice, YAML or JSON lines, and scorers.

A slice is named as its file. Everything wrong is told with file, line and what to do, before anything is asked.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from llmops_assets.lib.errors import LlmopsError, in_a_sentence
from llmops_assets.lib.evalsuite import SLICES
from llmops_assets.lib.judging.scorers import ScorerError, scorer
from llmops_assets.lib.records import FAILURE, KNOWN_FAILURES, OVERALL, RECENT

TAKEN = (*SLICES, RECENT, KNOWN_FAILURES, OVERALL)
"""Names that a file may not have: the suite makes them itself."""
ENDINGS = (".yaml", ".yml", ".jsonl")
SHOWN = 5


class SliceError(LlmopsError, ValueError):
    """The files of slices cannot be used; the message has a line for everything that is wrong."""


class Question(BaseModel):
    """A question of a slice and what a right answer to it is; at least one thing must say so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field("", max_length=64, description="name of yours, no two alike")
    question: str = Field(min_length=1)
    history: tuple[tuple[str, str], ...] = Field((), description="(customer, assistant) before it")
    expect: tuple[str, ...] = Field((), description="ids of articles that answer it, or handover, small_talk, sorry")
    require: tuple[tuple[str, ...], ...] = Field((), description="statements it must hold, each in any of its wordings")
    forbid: tuple[str, ...] = Field((), description="wordings it must not hold")
    reference: str = Field("", description="a right answer, to compare with")
    form: str = Field("", description="regular expression that all of it matches")
    language: str = Field("", description="two letters: an answer in another language is wrong")

    @field_validator("expect", "forbid", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("require", mode="before")
    @classmethod
    def _wordings(cls, value: Any) -> Any:
        told = [value] if isinstance(value, str) else value
        return [[one] if isinstance(one, str) else one for one in told] if isinstance(told, list) else told

    @field_validator("form")
    @classmethod
    def _a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _something_is_right(self) -> "Question":
        if not (self.expect or self.require or self.forbid or self.reference or self.form):
            raise ValueError("nothing says what a right answer is: give expect, require, forbid, reference or form")
        if any(not wording.strip() for wordings in (*self.require, self.forbid) for wording in wordings):
            raise ValueError("an empty wording in require or forbid: take it out")
        return self


@dataclass(frozen=True)
class Slice:
    """A file's questions, and the name of their scorer ("": the default one)."""

    name: str
    scorer: str
    questions: tuple[Question, ...]


def read_folder(folder: Path, scorers: Mapping[str, str]) -> tuple[Slice, ...]:
    """The slices of a folder; `scorers` maps a slice to its scorer. SliceError that tells everything that is wrong."""
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise SliceError(f"{folder}: {error.strerror}: name a folder of {', '.join(ENDINGS)} files") from None
    faults: list[str] = []
    found: dict[str, Slice] = {}
    seen: dict[str, str] = {}
    for file in files:
        if fault := _misnamed(file, found):
            faults.append(fault)
            continue
        read = list(_questions(file))
        faults += [told for told in read if isinstance(told, str)]
        questions = [one for one in read if not isinstance(one, str)]
        if not read:
            faults.append(f"{file}: no questions: write some, or remove the file")
        for line, question in questions:
            for key in (question.id, json.dumps([file.stem, question.question, question.history])):
                if key and key in seen:
                    faults.append(f"{file}, line {line}: the same as {seen[key]}: change its id, or remove one")
                elif key:
                    seen[key] = f"{file.name}, line {line}"
        name = scorers.get(file.stem, "")
        try:
            scorer(name)
        except ScorerError as error:
            faults.append(f"scorers: {file.stem}: {error}")
        found[file.stem] = Slice(file.stem, name, tuple(question for _, question in questions))
    faults += [
        f"scorers: {name}: {folder} has no such slice: take it out, or add {name}.yaml"
        for name in scorers
        if name not in found
    ]
    if faults:
        more = f"\n… and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise SliceError("\n".join(faults[:SHOWN]) + more)
    return tuple(found.values())


def _misnamed(file: Path, found: Mapping[str, Slice]) -> str:
    if file.suffix not in ENDINGS or not file.is_file():
        return f"{file}: no slice: it must be a {', '.join(ENDINGS)} file"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", file.stem):
        return f"{file}: {file.stem!r} is no name for a slice: lower case letters, digits and _ only"
    if file.stem in TAKEN or file.stem.startswith(FAILURE):
        return f"{file}: the suite has a slice {file.stem} of its own: rename the file"
    return f"{file}: a second file of the slice {file.stem}: rename or remove one" if file.stem in found else ""


def _questions(file: Path) -> Iterator[tuple[int, Question] | str]:
    """(line, question) of a file, or what is wrong with it."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        yield f"{file}: {error.strerror}"
        return
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        yield f"{file}, line {line}: not UTF-8: save the file as UTF-8"
        return
    for line, row in _json_lines(text) if file.suffix == ".jsonl" else _yaml_rows(text):
        if isinstance(row, str):
            yield f"{file}, line {line}: {row}"
            continue
        try:
            yield line, Question.model_validate(row)
        except ValidationError as error:
            yield f"{file}, line {line}: {in_a_sentence(error)}"


def _json_lines(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                yield number, f"broken JSON ({error.msg} at column {error.colno})"
                continue
            yield number, row if isinstance(row, dict) else "no object: write a question as {…}"


def _yaml_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Every entry of a YAML list with its line."""
    try:
        root, rows = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield (mark.line + 1 if mark else 1), f"no YAML: {getattr(error, 'problem', None) or error}"
        return
    if root is None:
        return
    if not isinstance(root, yaml.SequenceNode):
        yield root.start_mark.line + 1, "no list: begin every question with '- question: …'"
        return
    for node, row in zip(root.value, rows, strict=True):
        yield node.start_mark.line + 1, row if isinstance(row, dict) else "no question: write '- question: …'"
