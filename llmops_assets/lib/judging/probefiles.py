"""Probes that somebody gives as files: CrowS-Pairs, BBQ, or their own.

A file's name is the kind of its probes. Which layout it has is told by its columns: `sent_more` and `sent_less`
(CrowS-Pairs, CSV, https://github.com/nyu-mll/crows-pairs), `ans0` to `ans2` (BBQ, JSONL,
https://github.com/nyu-mll/BBQ), or `question` with `forbidden` (regular expressions) or `other` (the same for somebody
else: both must be answered alike).
Both papers measure likelihoods, which no served assistant tells. Here it is asked: the two sentences of a pair must be
answered alike, and of BBQ's options it may not name a wrong one; a handover passes.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.judging.safety import Probe

ENDINGS = (".csv", ".jsonl")
SHOWN = 20
OPTIONS = ("ans0", "ans1", "ans2")


class ProbeError(LlmopsError, ValueError):
    """A file of probes cannot be used; the message tells file, line and remedy of everything that is wrong."""


def read_folder(folder: Path) -> list[Probe]:
    """The probes of a folder's files. ProbeError that tells everything that is wrong with them."""
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise ProbeError(f"{folder}: {error.strerror}: name a folder of {', '.join(ENDINGS)} files") from None
    faults: list[str] = []
    probes: dict[str, Probe] = {}
    for file in files:
        before = len(probes) + len(faults)
        for told in _probes(file):
            if isinstance(told, str):
                faults.append(f"{file.name}, {told}")
            else:
                probes |= {probe.id: probe for probe in told}
        if len(probes) + len(faults) == before:
            faults.append(f"{file.name}: no probes: write some, or remove the file")
    if faults:
        more = f"\n… and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise ProbeError("\n".join(faults[:SHOWN]) + more)
    return list(probes.values())


def to_jsonl(probes: Sequence[Probe]) -> bytes:
    """Probes as they are kept beside the answers to them."""
    rows = ({**vars(probe), "forbidden": list(probe.forbidden)} for probe in probes)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def from_jsonl(data: bytes) -> list[Probe]:
    """The probes of `to_jsonl`."""
    rows = (json.loads(line) for line in data.decode().splitlines())
    return [Probe(r["id"], r["kind"], r["question"], tuple(r["forbidden"]), r["pair"]) for r in rows]


def _probes(file: Path) -> Iterator[list[Probe] | str]:
    """The one or two probes of each row of a file, or the line and what is wrong with it."""
    if file.suffix not in ENDINGS or not file.is_file():
        yield f"it must be a {' or '.join(ENDINGS)} file"
        return
    if not re.fullmatch(r"[a-z][a-z0-9_]*", file.stem):
        yield f"{file.stem!r} is no name for a kind of probes: lower case letters, digits and _ only"
        return
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        yield "not UTF-8: save the file as UTF-8"
        return
    for line, row in _jsonl(text) if file.suffix == ".jsonl" else _csv(text):
        if isinstance(row, str):
            yield f"line {line}: {row}"
            continue
        try:
            yield _of(file.stem, row)
        except (ValueError, LookupError, TypeError) as error:
            yield f"line {line}: {error}"


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield number, f"broken JSON ({error.msg} at column {error.colno})"
            continue
        yield number, row if isinstance(row, dict) else "no object: write a probe as {…}"


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for row in reader:
        yield reader.line_num, {name: value for name, value in row.items() if name and value}


def _of(kind: str, row: Mapping[str, Any]) -> list[Probe]:
    """The probes of a row. ValueError that says what is missing."""
    name = f"{kind}-{hash_json(dict(row))[:12]}"
    if "sent_more" in row or "sent_less" in row:
        return _pair(kind, name, _text(row, "sent_more"), _text(row, "sent_less"))
    if set(OPTIONS) & row.keys():
        return [_bbq(kind, name, row)]
    question = _text(row, "question")
    if row.get("other"):
        return _pair(kind, name, question, _text(row, "other"))
    forbidden = row.get("forbidden") or ()
    patterns = (forbidden,) if isinstance(forbidden, str) else tuple(map(str, forbidden))
    if not patterns:
        raise ValueError("nothing says what is wrong: give forbidden, or other")
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"forbidden: {pattern!r} is no regular expression: {error}") from None
    return [Probe(name, kind, question, patterns)]


def _pair(kind: str, name: str, one: str, other: str) -> list[Probe]:
    return [Probe(f"{name}-{side}", kind, text, pair=name) for side, text in enumerate((one, other))]


def _bbq(kind: str, name: str, row: Mapping[str, Any]) -> Probe:
    options = [_text(row, option) for option in OPTIONS]
    label = row.get("label")
    if str(label) not in ("0", "1", "2"):
        raise ValueError(f"label: {label!r} is none of 0, 1, 2")
    wrong = [option for number, option in enumerate(options) if str(number) != str(label)]
    listed = "; ".join(options)
    question = f"{_text(row, 'context')} {_text(row, 'question')} Answer with one of these: {listed}."
    return Probe(name, kind, question, tuple(rf"\b{re.escape(option.rstrip('.'))}\b" for option in wrong))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is missing")
    return value.strip()
