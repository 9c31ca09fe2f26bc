"""Fits the learned detector of names to the tuned families and the generated conversations, and says what it finds in
families that it did not learn from.

Usage: python benchmarks/name_detector.py [--write] [--data FILE ...] [--clean FILE ...]

Names are drawn anew from the lists of many countries; a third of the lists is hidden while it learns, so that it also
learns names that are in none. `--write` stores the weights in llmops_assets/lib/redaction/detector.json. `--data` are
files of conversations with spans as benchmarks/redaction.py takes them, `--clean` texts without names, one a line.
"""

import argparse
import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.redaction import Redactor, detector, gazetteer
from llmops_assets.samples.personal_data import conversations as generated
from llmops_assets.samples.personal_data import families

HIDDEN = 0.35
"""Share of the lists that is hidden while the detector learns."""
SLIPS = 0.3
"""Share of the texts that get a typing error."""
DRAWS = 6
FOLDS = 5
REGULARISATION = 1.0
SMALLEST = 0.04
"""Weights nearer to zero are not stored."""
WIDEST_FALSE, WIDEST_DOUBTLESS = 0.058, 0.125
"""Share of the words that may be names but are none, which the thresholds let through on families not learned from:
that of any word, and that of words behind a cue or of a full name."""

Row = tuple[str, list[str], bool]
"""A candidate word: its family, its features, whether it is a name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = learned_from(arguments.seed)
    print(f"{len(rows)} words that may be names, {sum(row[2] for row in rows)} are")
    scores = across(rows)
    threshold, doubtless = chosen(rows, scores, WIDEST_FALSE), chosen(rows, scores, WIDEST_DOUBTLESS)
    print(figures(rows, scores, threshold))
    print(figures(rows, scores, doubtless))
    if arguments.write:
        weights, bias = fitted(rows)
        stored = {
            "rows": digest(rows),
            "threshold": round(threshold, 3),
            "doubtless": round(doubtless, 3),
            "bias": round(bias, 3),
            "weights": weights,
        }
        Path(str(detector.FILE)).write_text(json.dumps(stored, ensure_ascii=False, indent=0, sort_keys=True) + "\n")
        print(f"{len(weights)} weights written")


def learned_from(seed: int = 0) -> list[Row]:
    """The rows that the detector is fitted to."""
    rng = random.Random(seed)
    drawn = list(renamed(rng))
    known = sorted(gazetteer.names().given | gazetteer.names().family)
    with gazetteer.without(frozenset(name for name in known if rng.random() < HIDDEN)):
        return list(candidates(drawn))


def digest(rows: Sequence[Row]) -> str:
    """What tells one set of rows from another: a detector of other rows than today's is out of date."""
    return hash_json([[family, found, name] for family, found, name in rows])[:16]


Turn = tuple[str, list[tuple[int, int]]]
"""A text and the places of names in it."""


def renamed(rng: random.Random) -> Iterator[tuple[str, list[Turn]]]:
    """(family, turns) of every conversation, three of four with new names."""
    lists = gazetteer.by_locale()
    drawn = [*families("tuned", DRAWS, seed=rng.randrange(1000)), *generated(400, seed=rng.randrange(1000))]
    for number, conversation in enumerate(drawn):
        locale = rng.choice(sorted(lists)) if number % 4 else ""
        turns = [slipped(*replaced(turn, lists.get(locale), rng), rng) for turn in conversation["turns"]]
        yield conversation.get("family", "generated"), turns


def replaced(turn: dict[str, Any], lists: gazetteer.Names | None, rng: random.Random) -> Turn:
    """A turn with other people's names in the form that those had; as it is without lists."""
    text, pieces, last, length, places = turn["full_text"], [], 0, 0, []
    for span in turn["spans"]:
        value = text[span["start_position"] : span["end_position"]]
        before = text[last : span["start_position"]]
        if span["entity_type"] == "PERSON" and lists is not None:
            value = another(value, lists, rng)
        length += len(before)
        if span["entity_type"] == "PERSON":
            places.append((length, length + len(value)))
        length += len(value)
        pieces += [before, value]
        last = span["end_position"]
    return "".join([*pieces, text[last:]]), places


def slipped(text: str, places: list[tuple[int, int]], rng: random.Random) -> tuple[str, list[tuple[int, int]]]:
    """Some of the texts with two letters of an ordinary word in each other's place: as long as before."""
    words = [m for m in re.finditer(r"[a-z]{5,}", text) if not any(a < m.end() and m.start() < b for a, b in places)]
    if words and rng.random() < SLIPS:
        word = rng.choice(words)
        at = rng.randrange(word.start() + 1, word.end() - 1)
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text, places


def another(value: str, lists: gazetteer.Names, rng: random.Random) -> str:
    """A name with as many words in the same letters."""
    words = re.findall(r"[^\W\d_]{2,}(?:['-][^\W\d_]+)*", value)
    reverse = ", " in value
    for number, word in enumerate(words):
        family = (number == 0) if reverse else number > 0
        new = rng.choice(sorted(lists.family if family else lists.given))
        new = new if word.islower() else new.upper() if word.isupper() else new.title()
        value = value.replace(word, new, 1)
    return value


def candidates(conversations: Iterable[tuple[str, list[Turn]]]) -> Iterator[Row]:
    """What the detector looks at."""
    redactor = Redactor()
    for family, turns in conversations:
        told = redactor.told_of_people([text for text, _ in turns])
        for (_, places), (text, language, people) in zip(turns, told, strict=True):
            read = detector.language_read(text, language)
            tokens = detector.tokenized(text, (), gazetteer.names(), read, detector.judgeable(text, people))
            for position, token in enumerate(tokens):
                if token.candidate:
                    name = any(start <= token.start and token.end <= end for start, end in places)
                    yield family, list(detector.features(tokens, position, read)), name


def across(rows: Sequence[Row]) -> list[float]:
    """Each row's probability by a model that has not seen its family."""
    names = sorted({row[0] for row in rows})
    fold_of = {name: number % FOLDS for number, name in enumerate(random.Random(1).sample(names, len(names)))}
    scores = [0.0] * len(rows)
    for fold in range(FOLDS):
        weights, bias = fitted([row for row in rows if fold_of[row[0]] != fold], rounded=False)
        for number, (family, found, _) in enumerate(rows):
            if fold_of[family] == fold:
                scores[number] = bias + sum(weights.get(f, 0.0) for f in found)
    return [1 / (1 + math.exp(-score)) for score in scores]


def fitted(rows: Sequence[Row], rounded: bool = True) -> tuple[dict[str, float], float]:
    """Weights by feature and the bias."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    often: defaultdict[str, set[str]] = defaultdict(set)
    for family, found, _ in rows:
        for name in found:
            often[name].add(family)
    # A feature of one family says nothing of others; what letters say is counted by words.
    vectorizer = DictVectorizer()
    x = vectorizer.fit_transform([dict.fromkeys((f for f in found if len(often[f]) > 1), 1.0) for _, found, _ in rows])
    model = LogisticRegression(C=REGULARISATION, max_iter=2000)
    model.fit(x, [row[2] for row in rows])
    weights = dict(zip(vectorizer.get_feature_names_out(), model.coef_[0], strict=True))
    if rounded:
        weights = {name: round(float(w), 2) for name, w in weights.items() if abs(w) >= SMALLEST}
    return weights, float(model.intercept_[0])


def chosen(rows: Sequence[Row], scores: Sequence[float], share: float) -> float:
    """The lowest threshold at which no more than a share of the words that are no names are taken for ones."""
    false = sorted((score for row, score in zip(rows, scores, strict=True) if not row[2]), reverse=True)
    return false[int(share * len(false))]


def figures(rows: Sequence[Row], scores: Sequence[float], threshold: float) -> str:
    """Recall and precision by word on families that were not learned from."""
    count: Counter[tuple[bool, bool]] = Counter(
        (row[2], score >= threshold) for row, score in zip(rows, scores, strict=True)
    )
    right = count[True, True]
    return (
        f"families not learned from, threshold {threshold:.3f}: recall {right / (right + count[True, False]):.3f}, "
        f"precision {right / (right + count[False, True]):.3f}"
    )


if __name__ == "__main__":
    main()
