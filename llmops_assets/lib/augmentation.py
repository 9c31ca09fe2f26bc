"""More ways to ask the same, for the training side only: each method is a plain function of a text and a generator.

A variant is drawn from the hash of its row, so that no result depends on the order of the rows, and is dropped with
the reason when it changes a fact or, by embeddings, the meaning. Which methods help is measured by
benchmarks/augmentation.py.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmops_assets.lib.corpus.facts import PLACEHOLDER, changed_fact
from llmops_assets.lib.corpus.glossaries import GLOSSARIES, LANGUAGES
from llmops_assets.lib.hashing import hash_json

if TYPE_CHECKING:
    import numpy as np

Method = Callable[[str, random.Random], str]
Rewriter = Callable[[Sequence[str]], Sequence[str]]
"""A model that words texts anew or translates them, one result per text in order: local, or behind an endpoint."""
Embed = Callable[[Sequence[str]], "np.ndarray"]
Row = Mapping[str, Any]

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
OPENINGS = ("ok so ", "hey quick one, ", "i am guessing here but ", "sorry to bother, ", "erm, ")
ENDINGS = (" asap", " any idea?", " been trying for ages", " pls respond", " thx a lot")
CONTEXTS = (
    "Hi, I have a question.", "Hello, are you there?", "I looked on your page first.",
    "Thanks for the quick reply. One more thing.", "Okay, that is clear now.", "I am new here.",
)  # fmt: skip
_FRAMES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(rf"^{pattern}[.?!]*$", re.IGNORECASE), wordings)
    for pattern, wordings in (
        (r"how (?:do|can) i (.+?)", ("what do I need to do to {0}?", "I would like to know how to {0}",
                                     "could you explain how I {0}?", "what is the way to {0}?")),
        (r"how long does (.+?) take", ("what time does {0} need?", "how many days does {0} take?",
                                       "I would like to know how long {0} takes")),
        (r"how much (?:is|are) (.+?)", ("what do you charge for {0}?", "what is the price of {0}?")),
        (r"what does (.+?) cost", ("how much do I pay for {0}?", "what is the price of {0}?")),
        (r"(?:can|may) i (.+?)", ("is it possible for me to {0}?", "am I allowed to {0}?", "I would like to {0}")),
        (r"can you (.+?)", ("would you be able to {0}?", "I need you to {0}")),
        (r"do you (?:offer|have|sell) (.+?)", ("I am looking for {0}", "can I get {0} from you?")),
        (r"i (?:want|would like) to (.+?)", ("how can I {0}?", "please help me to {0}", "I am trying to {0}")),
        (r"where (?:do|can) i find (.+?)", ("I am looking for {0}", "in what place is {0}?")),
        (r"where (?:do|can) i (.+?)", ("in what place can I {0}?", "tell me where I can {0}")),
        (r"is there (.+?)", ("do you have {0}?", "I am looking for {0}")),
        (r"what (?:is|are) (.+?)", ("tell me about {0}", "I would like to know {0}")),
        (r"why (?:does|is) (.+?)", ("what is the reason for this: {0}?", "for what reason: {0}?")),
        (r"my (.+?)", ("there is a problem: my {0}", "what should I do, my {0}?")),
        (r"i (.+?)", ("it is like this: I {0}", "here is my case: I {0}")),
    )
)  # fmt: skip


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


def with_other_case(text: str, rng: random.Random) -> str:
    """All capitals, all small, or every word with a capital."""
    return rng.choice((str.upper, str.lower, str.title))(text)


def without_punctuation(text: str, rng: random.Random) -> str:
    """Marks left out, except inside numbers, hyphens and addresses."""
    del rng
    return " ".join(re.sub(r"[.,;:!?\"()…]+(?=\s|$)|(?<=\s)[\"(]|['’]", "", text).split())


def paraphrased(text: str, rng: random.Random) -> str:
    """Another frame around the same words; the text itself when no frame fits."""
    for pattern, wordings in _FRAMES:
        if (match := pattern.match(text)) is not None:
            worded = rng.choice(wordings).format(match[1])
            return worded[:1].upper() + worded[1:]
    return text


def code_switched(text: str, rng: random.Random) -> str:
    """About half of the words that a glossary knows in one other language."""
    return _glossed(text, rng.choice(LANGUAGES), 0.5, rng)


def in_german(text: str, rng: random.Random) -> str:
    """Word by word in German; the text itself when the glossary knows less than two thirds of its words."""
    return _translated(text, "de", rng)


def in_spanish(text: str, rng: random.Random) -> str:
    """Word by word in Spanish; the text itself when the glossary knows less than two thirds of its words."""
    return _translated(text, "es", rng)


def in_french(text: str, rng: random.Random) -> str:
    """Word by word in French; the text itself when the glossary knows less than two thirds of its words."""
    return _translated(text, "fr", rng)


def in_two_turns(text: str, rng: random.Random) -> str:
    """The question over two messages of the customer, one a line: cut at a mark, a conjunction or between words."""
    places = [m.end() for m in re.finditer(r"[.?!,;:]\s+|\s(?=and\b|but\b|because\b|when\b|if\b)", text)]
    if not places:
        places = [m.end() for m in re.finditer(r"\s", text)][1:-1]
    if not places:
        return text
    place = rng.choice(places)
    return f"{text[:place].rstrip(' ,;:')}\n{text[place:]}"


def after_context(text: str, rng: random.Random) -> str:
    """A message of the customer before the question, one a line."""
    return f"{rng.choice(CONTEXTS)}\n{text}"


METHODS: dict[str, Method] = {
    "slang": with_slang,
    "typos": with_typos,
    "fillers": with_fillers,
    "casing": with_other_case,
    "punctuation": without_punctuation,
    "paraphrase": paraphrased,
    "code_switching": code_switched,
    "german": in_german,
    "spanish": in_spanish,
    "french": in_french,
    "two_turns": in_two_turns,
    "context_turn": after_context,
}
"""Name to method. A method of your own is one function and one entry; its variants pass the same checks."""
DEFAULT_METHODS: tuple[str, ...] = ()
"""What is on unless asked otherwise: nothing has been measured to help. docs/decisions/augmentation.md."""
MEANING = {
    "slang": 0.6, "typos": 0.4, "fillers": 0.65, "casing": 0.95, "punctuation": 0.9, "paraphrase": 0.75,
    "code_switching": 0.4, "german": 0.55, "spanish": 0.65, "french": 0.4, "two_turns": 0.95, "context_turn": 0.7,
}  # fmt: skip
"""Cosine (MiniLM) of question and variant that a method's variants must reach, as benchmarks/augmentation.py measures
it. MiniLM knows English only: of the glossed languages it passes few, which is its limit and not theirs."""
MODELS_MEANING = 0.75
"""The same for models that rewrite, unless the caller says otherwise: what paraphrases by templates reach."""
_ATTEMPTS = 3


def _glossed(text: str, language: str, share: float, rng: random.Random) -> str:
    words = text.split()
    result, place = [], 0
    while place < len(words):
        for length in (4, 3, 2, 1):
            chunk = words[place : place + length]
            bare = " ".join(chunk).lower().rstrip(".,;:!?")
            other = GLOSSARIES[language].get(bare)
            if len(chunk) == length and other is not None:
                mark = chunk[-1][len(chunk[-1].rstrip(".,;:!?")) :]
                result.append(other + mark if rng.random() < share else " ".join(chunk))
                place += length
                break
        else:
            result.append(words[place])
            place += 1
    return " ".join(result)


def _translated(text: str, language: str, rng: random.Random) -> str:
    marked = _glossed(text, language, 1.0, rng)
    left = Counter(text.lower().split()) & Counter(marked.lower().split())
    return marked if left.total() * 3 <= len(text.split()) else text


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


@dataclass(frozen=True)
class Augmented:
    """Variants that passed, those that did not with the reason, and the cosine of each kept one to its question."""

    rows: list[dict[str, Any]]
    dropped: list[dict[str, str]]
    similarities: dict[str, float]


def augment(
    rows: Iterable[Row],
    *,
    share: float,
    seed: int,
    methods: Sequence[str] = DEFAULT_METHODS,
    rewriters: Mapping[str, Rewriter] | None = None,
    target: int = 0,
    balance: str = "article",
    embed: Embed | None = None,
    meaning: Mapping[str, float] = MEANING,
) -> Augmented:
    """Variants of rows (question varied, everything else kept), each with its origin in `parent` and its `method`.

    About `share` of the rows, by the hash of their id, get one; groups of equal `balance` column with fewer than
    `target` rows get more, by several methods, until they have that many or no new one passes. `rewriters` adds
    methods that are models. A variant is dropped when it changes a fact, says nothing new, or, with `embed`, falls
    below its method's cosine. Variants are no parents, and held-out rows must be none: give the training side only.
    """
    rewriters = rewriters or {}
    unknown = sorted(set(methods) - set(METHODS) - set(rewriters))
    if unknown:
        raise ValueError(f"no augmentation called {', '.join(unknown)}; there are {', '.join((*METHODS, *rewriters))}")
    names = sorted({*methods, *rewriters})
    drawing = _Drawing(seed, rewriters, embed, meaning)
    rows = list(rows)
    parents = [row for row in rows if not row.get("parent")]
    if not names:
        return drawing.result
    drawing.draw([(row, rng.choice(names)) for row in parents if (rng := _rng(seed, row)).random() < share], 0)
    if not target:
        return drawing.result
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(parents, key=lambda row: hash_json([seed, row["row_id"]])):
        groups[row[balance]].append(row)
    for round_ in range(1, _ATTEMPTS * len(names) + 1):
        there = Counter(row[balance] for row in (*rows, *drawing.result.rows))
        wanted = [
            (row, names[(int(hash_json(name)[:8], 16) + round_ + place) % len(names)])
            for name in sorted(groups)
            for place, row in enumerate(groups[name][: max(0, target - there[name])])
        ]
        if not wanted:
            break
        drawing.draw(wanted, round_)
    return drawing.result


class _Drawing:
    """Draws variants and checks them, in batches for the models behind it."""

    def __init__(
        self, seed: int, rewriters: Mapping[str, Rewriter], embed: Embed | None, meaning: Mapping[str, float]
    ) -> None:
        self.seed, self.rewriters, self.embed, self.meaning = seed, rewriters, embed, meaning
        self.result = Augmented([], [], {})
        self._made: set[tuple[str, str]] = set()

    def draw(self, wanted: Sequence[tuple[Row, str]], round_: int) -> None:
        """Add the variants of (row, method) pairs that pass to the result, the others to what was dropped."""
        drawn: list[tuple[Row, str, str]] = []
        by_model: dict[str, list[Row]] = defaultdict(list)
        for row, method in wanted:
            if method in self.rewriters:
                by_model[method].append(row)
            else:
                drawn.append((row, method, self._varied(row, method, round_)))
        for method, rows in by_model.items():
            texts = self.rewriters[method]([row["question"] for row in rows])
            if len(texts) != len(rows):
                raise ValueError(
                    f"{method} gave {len(texts)} texts for {len(rows)} questions: it must give one for each"
                )
            drawn += [(row, method, text.strip()) for row, text in zip(rows, texts, strict=True)]
        cosines = self._cosines(drawn)
        for (row, method, text), cosine in zip(drawn, cosines, strict=True):
            row_id = hash_json([row["row_id"], method, self.seed, *([round_] if round_ else [])])[:20]
            reason = self._reason(row, text, method, cosine)
            if reason is None:
                variant = {**row, "row_id": row_id, "question": text, "parent": row["row_id"], "method": method}
                self.result.rows.append(variant)
                self.result.similarities[row_id] = cosine
                self._made.add((row["row_id"], text))
            else:
                self.result.dropped.append({"row_id": row_id, "question": text, "reason": f"{method}: {reason}"})

    def _varied(self, row: Row, method: str, round_: int) -> str:
        """The first of a few draws that keeps the facts, else the last one."""
        text = row["question"]
        for attempt in range(_ATTEMPTS):
            drawn = f"{self.seed} {row['row_id']}" + (f" {round_} {attempt}" if round_ or attempt else "")
            text = vary(row["question"], method, drawn)
            if text != row["question"] and changed_fact(row["question"], text) is None:
                break
        return text

    def _cosines(self, drawn: Sequence[tuple[Row, str, str]]) -> list[float]:
        if self.embed is None or not drawn:
            return [1.0] * len(drawn)
        before = self.embed([row["question"] for row, _, _ in drawn])
        return [float(c) for c in (before * self.embed([text for _, _, text in drawn])).sum(axis=1)]

    def _reason(self, row: Row, text: str, method: str, cosine: float) -> str | None:
        if not text or text == row["question"] or (row["row_id"], text) in self._made:
            return "nothing new"
        if (changed := changed_fact(row["question"], text)) is not None:
            return changed
        return None if cosine >= self.meaning.get(method, MODELS_MEANING) else "the meaning may have changed"


def _rng(seed: int, row: Row) -> random.Random:
    return random.Random(f"{seed} {row['row_id']}")
