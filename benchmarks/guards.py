"""How often the guards find what they are for, and how often they raise a false alarm.

Usage: python benchmarks/guards.py [FOLDER] [--write] [--cost] [--first] [--missed]

Without FOLDER: on our own lines, each voice (of topics each fifth) judged by what was learned from the others. With
FOLDER, which holds
`injection.jsonl` (text, label, family) and `hatecheck.jsonl` (text, label, functionality): its texts are halved by
their hash; thresholds are chosen on the first half and judged on the second, beside those that ship. `--first` leaves
the second half unread and `--missed` lists what of the first was wrong. `--write` fits the classifiers and stores them.
`--cost` is the CPU time of a message with the guards and without. Intervals are Wilson's, 95 %.
"""

import argparse
import hashlib
import json
import random
import string
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from llmops_assets.lib.guarding import injection, secrets, topics, toxicity
from llmops_assets.lib.guarding.fitted import FOLDER, HARMLESS, Line, fit, lines
from llmops_assets.lib.guarding.linear import Cues
from llmops_assets.lib.guarding.table import THRESHOLDS
from llmops_assets.lib.statistics import wilson

CLASSIFIERS: dict[str, Cues] = {"injection": injection.CUES, "topics": topics.CUES, "toxicity": toxicity.CUES}
ALLOWED = {"injection": 0.005, "toxicity": 0.01, "topics": 0.01}
"""Share of false alarms that a threshold chosen on the first half may have there."""
DRAWN = 200


class Scored(NamedTuple):
    """A text with its group, whether it is what the guard is for, and its score."""

    group: str
    wrong: bool
    score: float
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--missed", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        for name, cues in CLASSIFIERS.items():
            stored = fit(name, lines(name), cues).stored()
            Path(str(FOLDER / f"{name}.json")).write_text(stored)
            print(f"{name}: {stored.count(chr(10)) - 2} features written")
    elif arguments.cost:
        from guard_costs import costs

        print(costs())
    elif arguments.folder is None:
        own()
    else:
        theirs(arguments.folder, first=arguments.first, missed=arguments.missed)


def own() -> None:
    """Every voice of our own lines by what was learned from the others."""
    for name, cues in CLASSIFIERS.items():
        told, scored = lines(name), []
        for part in sorted({part_of(name, line) for line in told}):
            model = fit(name, [line for line in told if part_of(name, line) != part], cues)
            for line in told:
                if part_of(name, line) == part:
                    shares = model.likely(line.text)
                    kind = line.kind if line.kind in shares else max(shares, key=lambda key: shares[key])
                    scored.append(Scored(line.kind, line.kind not in HARMLESS, shares[kind], line.text))
        how = "fifths" if name == "topics" else "voices"
        print(f"\n{name}: {len(told)} own lines, {how} not learned from, threshold {THRESHOLDS[name]}")
        print(table(scored, THRESHOLDS[name]))
    keys = drawn_keys(DRAWN)
    found = sum(bool(secrets.found(key)) for key in keys)
    print(f"\nsecrets: {share(found, len(keys))} of sentences with a key or password drawn by shape")


def part_of(name: str, line: Line) -> str:
    """What is judged together: a voice; of topics, each of which has one voice, a fifth by hash."""
    if name != "topics" and not line.voice.startswith(("answers", "turns")):
        return line.voice
    return str(hashlib.sha256(line.text.encode()).digest()[0] % 5)


def theirs(folder: Path, *, first: bool, missed: bool) -> None:
    """The two halves of a folder's texts."""
    rows = [json.loads(line) for line in (folder / "injection.jsonl").read_text("utf-8").split("\n") if line]
    hate = [json.loads(line) for line in (folder / "hatecheck.jsonl").read_text("utf-8").split("\n") if line]
    questions = [(row["family"], bool(row["label"]), row["text"]) for row in rows]
    spoken = [(row["functionality"], bool(row["label"]), row["text"]) for row in hate]
    harmless = [(group, False, text) for group, wrong, text in questions if not wrong]
    judged: dict[str, tuple[Callable[[str], float], Sequence[tuple[str, bool, str]]]] = {
        "injection": (injection.likely, questions),
        "injection or harm": (lambda text: max(injection.likely(text), topics.likely(text, ("harm",))[1]), questions),
        "topics": (lambda text: topics.likely(text)[1], harmless),
        "toxicity": (toxicity.likely, [*spoken, *harmless]),
        "secrets": (lambda text: float(bool(secrets.found(text))), harmless),
    }
    for name, (score, texts) in judged.items():
        halves = [
            [Scored(group, wrong, score(text), text) for group, wrong, text in texts if half_of(text) == half]
            for half in ((0,) if first else (0, 1))
        ]
        base = name.split()[0]
        shipped = THRESHOLDS.get(base, 0.5)
        if base in ALLOWED and any(one.wrong for one in halves[0]):
            chosen = threshold_of(halves[0], ALLOWED[base])
            print(f"\n{name}: threshold chosen on the first half {chosen:.2f}, shipped {shipped}")
            if not first:
                print(f"second half at {chosen:.2f}\n{table(halves[1], chosen)}")
        else:
            print(f"\n{name}: shipped threshold {shipped}")
        print(f"{'first' if first else 'second'} half at {shipped}\n{table(halves[-1], shipped)}")
        if missed:
            for one in sorted(halves[0], key=lambda one: one.score):
                if one.wrong != (one.score >= shipped):
                    print(f"  {one.score:.2f} {one.group}: {one.text[:140]!r}")


def half_of(text: str) -> int:
    """0 for the half that thresholds are chosen on, 1 for the one that they are judged on."""
    return hashlib.sha256(text.encode()).digest()[0] % 2


def threshold_of(scored: Iterable[Scored], allowed: float) -> float:
    """The lowest threshold, in steps of 0.01, with no more false alarms than allowed."""
    harmless = [one.score for one in scored if not one.wrong]
    steps = [step / 100 for step in range(30, 100)]
    return next((t for t in steps if sum(s >= t for s in harmless) <= allowed * len(harmless)), 0.99)


def table(scored: Sequence[Scored], threshold: float) -> str:
    """Alarms by group, what should alarm last, and both together."""
    groups: dict[tuple[bool, str], list[bool]] = defaultdict(list)
    for one in scored:
        groups[one.wrong, one.group].append(one.score >= threshold)
        groups[one.wrong, "all that should alarm" if one.wrong else "all that should not"].append(
            one.score >= threshold
        )
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1].startswith("all that"), item[0][1]))
    return "\n".join(
        f"  {'alarm' if wrong else 'quiet'}  {group:26}{share(sum(hits), len(hits))}"
        for (wrong, group), hits in ordered
    )


def share(hits: int, total: int) -> str:
    """A share with its interval."""
    low, high = wilson(hits, total)
    return f"{hits / max(1, total):6.3f} [{low:.3f}, {high:.3f}]  {hits}/{total}"


def drawn_keys(count: int) -> list[str]:
    """Sentences with made-up keys and passwords, the same ones every time."""
    draw = random.Random(16)

    def some(letters: str, length: int) -> str:
        return "".join(draw.choice(letters) for _ in range(length))

    mixed, hexed = string.ascii_letters + string.digits, "0123456789abcdef"
    shapes: tuple[Callable[[], str], ...] = (
        lambda: f"Use the key sk-proj-{some(mixed, 32)} for it.",
        lambda: f"The token is ghp_{some(mixed, 36)}.",
        lambda: f"AKIA{some(string.ascii_uppercase + string.digits, 16)} is the access key.",
        lambda: f"Send Authorization: Bearer {some(mixed, 40)}",
        lambda: f"Your password is {some(string.ascii_letters, 6)}{some(string.digits, 3)}!",
        lambda: f"The administrator's password: {some(mixed, 10)}7",
        lambda: f"api_key = {some(hexed, 31)}a",
        lambda: f"Enter the verification code {some(string.digits, 6)}.",
        lambda: f"The secret of the service is sk_live_{some(mixed, 24)}",
        lambda: f"eyJ{some(mixed, 20)}.eyJ{some(mixed, 30)}.{some(mixed, 40)}",
    )
    return [draw.choice(shapes)() for _ in range(count)]


if __name__ == "__main__":
    main()
