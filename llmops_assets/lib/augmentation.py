"""More ways to ask the same: slang, typos, casing and fillers, on the training side only.

Every variant is drawn from the hash of its row, so that the result does not depend on the order of the rows.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llmops_assets.lib.hashing import hash_json

SLANG = {
    "you": "u", "your": "ur", "are": "r", "please": "plz", "because": "cos", "what": "wut", "thanks": "ty",
    "want to": "wanna", "going to": "gonna", "do not": "dont", "cannot": "cant", "money": "dough", "before": "b4",
    "tomorrow": "tmr", "message": "msg", "package": "pkg", "with": "w", "without": "w/o", "people": "ppl",
}  # fmt: skip
NEIGHBOURS = {
    "a": "qs", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
PLACEHOLDER = re.compile(r"<[A-Z_]+_\d+>")
OPENINGS = ("ok so ", "hey quick one, ", "not sure if this is right but ", "sorry to bother, ", "erm, ")
ENDINGS = (" asap", " any idea?", " been trying for ages", " pls respond", " thx a lot")


def with_slang(text: str, rng: random.Random) -> str:
    """Common words in their chat spelling, lower case, without the final mark."""
    del rng
    text = text.lower().rstrip(".?! ")
    for plain, short in SLANG.items():
        text = re.sub(rf"\b{re.escape(plain)}\b", short, text)
    return text


def with_typos(text: str, rng: random.Random) -> str:
    """About one slip per 18 letters: a neighbouring key, a dropped, doubled or swapped letter."""
    letters = list(text)
    for _ in range(max(1, len(text) // 18)):
        places = [i for i, c in enumerate(letters) if c.lower() in NEIGHBOURS]
        if not places:
            break
        place = rng.choice(places)
        slip = rng.randrange(4)
        if slip == 0:
            letters[place] = rng.choice(NEIGHBOURS[letters[place].lower()])
        elif slip == 1 and len(letters) > 3:
            letters.pop(place)
        elif slip == 2:
            letters.insert(place, letters[place])
        elif place + 1 < len(letters):
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


def with_fillers(text: str, rng: random.Random) -> str:
    """Words around the question that say nothing."""
    return rng.choice(OPENINGS) + text[:1].lower() + text[1:].rstrip(".") + rng.choice(ENDINGS)


METHODS: dict[str, Callable[[str, random.Random], str]] = {
    "slang": with_slang,
    "typos": with_typos,
    "fillers": with_fillers,
}


def vary(text: str, method: str, seed: str) -> str:
    """A text by one method; placeholders of redacted data are kept whole."""
    rng = random.Random(f"{method} {seed}")
    parts, last = [], 0
    for match in PLACEHOLDER.finditer(text):
        parts += [text[last : match.start()], match.group()]
        last = match.end()
    parts.append(text[last:])
    if len(parts) == 1:
        return METHODS[method](text, rng)
    return "".join(part if PLACEHOLDER.fullmatch(part) else METHODS[method](part, rng) for part in parts)


def augment(rows: Iterable[Mapping[str, Any]], *, share: float, seed: int) -> list[dict[str, Any]]:
    """A variant of about `share` of the rows (question varied, everything else kept), each by one method.

    A variant carries its origin in `parent` and its `method`. Rows are chosen by the hash of their id.
    """
    result = []
    for row in rows:
        rng = random.Random(f"{seed} {row['row_id']}")
        if rng.random() >= share:
            continue
        method = rng.choice(sorted(METHODS))
        question = vary(row["question"], method, f"{seed} {row['row_id']}")
        if question == row["question"]:
            continue
        row_id = hash_json([row["row_id"], method, seed])[:20]
        result.append({**row, "row_id": row_id, "question": question, "parent": row["row_id"], "method": method})
    return result
