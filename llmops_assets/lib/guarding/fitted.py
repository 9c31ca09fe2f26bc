"""The lines that the guards' classifiers are fitted on, and the weights that came of them.

Lines are of our own, in many voices, with harmless ones that hold the same words (`lines/*.tsv`: kind, voice, text).
`benchmarks/guards.py --write` fits and stores; a test holds that what is stored belongs to the lines.
"""

from importlib.resources import files
from typing import NamedTuple

from llmops_assets.lib.guarding.linear import Cues, Linear
from llmops_assets.lib.hashing import hash_json

FOLDER = files("llmops_assets.lib.guarding")
HARMLESS = frozenset({"benign", "none", "fine"})


class Line(NamedTuple):
    """A text, what it is, and whose voice it is in."""

    kind: str
    voice: str
    text: str


def lines(name: str) -> list[Line]:
    """The lines of a classifier; those of customers' turns that teach the acts (acts.yaml) are harmless in all."""
    from llmops_assets.lib.answering.acts import lines as turns

    told = [Line(*row.split("\t", 2)) for row in (FOLDER / "lines" / f"{name}.tsv").read_text("utf-8").splitlines()]
    shipped = [Line(kind, voice, text.replace("\\n", "\n")) for kind, voice, text in told]
    return shipped + [Line("benign", "turns", text) for text, _ in turns()]


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
