"""The lines that the guards' classifiers are fitted on, and the weights that came of them.

Lines are of our own, in many voices, with harmless ones that hold the same words (`lines/*.tsv`: kind, voice, text).
`benchmarks/guards.py --write` fits and stores; a test holds that what is stored belongs to the lines.
"""

import json
from importlib.resources import files
from typing import NamedTuple

from llmops_assets.lib.guarding.linear import Cues, Linear
from llmops_assets.lib.hashing import hash_json

FOLDER = files("llmops_assets.lib.guarding")
NAMES = ("injection", "topics", "toxicity")
HARMLESS = frozenset({"benign", "none", "fine"})
ANSWERING = ("assorted", "clinic", "continental", "corporate", "everyday", "letter", "nonnative")
"""Voices of the answers that are harmless to every guard."""


class Line(NamedTuple):
    """A text, what it is, and whose voice it is in."""

    kind: str
    voice: str
    text: str


def lines(name: str) -> list[Line]:
    """The lines of a classifier, with the harmless ones of all; what customers say in their turns (acts.yaml) and how
    companies answer (lib/teaching/voices) is harmless to each."""
    from llmops_assets.lib.answering.acts import lines as turns

    told = [(of, line) for of in NAMES for line in _shipped(of)]
    known = [line for of, line in told if of == name or line.kind in HARMLESS]
    # What is not for support may well be a topic that a company forbids.
    harmless = [Line("none", "turns", text) for text, act in turns() if act != "elsewhere"]
    return [*known, *harmless, *_answers()]


def _shipped(name: str) -> list[Line]:
    rows = (FOLDER / "lines" / f"{name}.tsv").read_text("utf-8").splitlines()
    told = [row.split("\t", 2) for row in rows]
    return [Line(kind, voice, text.replace("\\n", "\n")) for kind, voice, text in told]


def _answers() -> list[Line]:
    folder = files("llmops_assets.lib.teaching") / "voices"
    rows = [
        json.loads(row) for voice in ANSWERING for row in (folder / f"{voice}.jsonl").read_text("utf-8").splitlines()
    ]
    return [Line("none", f"answers of {row['voice']}", row["answer"]) for row in rows]


def digest(given: list[Line]) -> str:
    """What tells one set of lines from another."""
    return hash_json([list(line) for line in given])


def fit(name: str, given: list[Line], cues: Cues) -> Linear:
    """A classifier of lines: each kind against all others, or, of `injection` and `toxicity`, all against harmless."""
    kinds = sorted({line.kind for line in given} - HARMLESS) if name == "topics" else [name]
    told = [line.kind if name == "topics" or line.kind in HARMLESS else name for line in given]
    return Linear.fit([line.text for line in given], told, cues, kinds, digest(given))


def fitted(name: str, cues: Cues) -> Linear:
    """The classifier as it ships."""
    return Linear.read((FOLDER / f"{name}.json").read_text("utf-8"), cues)
