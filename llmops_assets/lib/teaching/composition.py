"""An article out of what agreeing answers have in common: the sentences that at least two of them support."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from llmops_assets.lib.corpus.facts import negates, numbers
from llmops_assets.lib.teaching.sentences import Sentence, joined, sentences

SAME = 0.8
"""Cosine from which two sentences with equal numbers and negation say the same."""
SUPPORT = 2
"""Different answers that a sentence of an article stands in."""
_POLAR = frozenset({"yes", "no", "ja", "nein", "oui", "non", "sí", "nee"})
ALIKE = 0.6
"""Cosine from which two sentences speak of the same thing in other words: an article holds one of them."""
WIDELY = 0.5
"""Share of the answers from which a sentence belongs into the article though its main answer lacks it."""
LONGER = 1.5
"""How much longer than the median answer the main one may be."""
CONSIDERED = 400
"""Different answers of a group that are looked at, the most frequent ones."""

Vectors = Callable[[Sequence[str]], Mapping[str, np.ndarray]]


def units(text: str) -> list[str]:
    """The parts of an answer that can stand alone: its sentences; a list with the line that announces it is one.

    A yes or no stays with what it is said of."""
    found: list[list[Sentence]] = []
    for part in sentences(text):
        last = found[-1][-1] if found else None
        polar = last is not None and len(last.text.split()) == 1 and last.text.rstrip(".!,").lower() in _POLAR
        announced = last is not None and last.text.rstrip().endswith(":") and not last.list
        if polar or (last is not None and part.list and (part.list == last.list or announced)):
            found[-1].append(part)
        else:
            found.append([part])
    return [joined(parts) for parts in found]


def composed(answers: Mapping[str, int], vectors: Vectors, without: Collection[str] = ()) -> str | None:
    """The article of a group of general answers (text to how often it was given); None where nothing is left of them.

    Sentences of equal meaning, numbers and polarity are one; the shortest stands for them. An article is the shared
    sentences (in at least two different answers) of the one answer that holds the most widely shared ones, with those
    that half of all answers hold beside it, in their typical order: ten ways to tell one procedure are not told one
    after the other. Where no two answers share a sentence, it
    is the shortest answer that agrees with the rest. Units in `without` (contradicted ones) are left out, and with
    them what leans on them.
    """
    ranked = sorted(answers, key=lambda text: (-answers[text], len(text), text))[:CONSIDERED]
    parts = {text: [unit for unit in units(text) if unit not in without] for text in ranked}
    whole = [text for text in ranked if parts[text] and len(parts[text]) == len(units(text))]
    if len(ranked) == 1:
        return whole[0] if whole else None
    clusters = _clusters(parts, vectors)
    shared = [cluster for cluster in clusters if len({text for text, _ in cluster}) >= min(SUPPORT, len(ranked))]
    if not shared:
        return _agreeing(whole, vectors)
    taken = _coherent(shared, parts, vectors)
    return "\n".join(_joined([unit for _, unit in sorted((_place(c, parts), _standing(c)) for c in taken)]))


def _coherent(
    shared: Sequence[list[tuple[str, str]]], parts: Mapping[str, Sequence[str]], vectors: Vectors
) -> list[list[tuple[str, str]]]:
    """The clusters of one answer, and what is widely said beside it."""
    support = [len({text for text, _ in cluster}) for cluster in shared]
    of_answer: dict[str, list[int]] = defaultdict(list)
    for number, cluster in enumerate(shared):
        for text in dict.fromkeys(text for text, _ in cluster):
            of_answer[text].append(number)
    longest = LONGER * float(np.median([len(text) for text in of_answer]))
    fitting = [text for text in of_answer if len(text) <= longest]
    main = max(fitting, key=lambda text: (sum(support[n] for n in of_answer[text]), -len(text), text))
    known = vectors([_standing(cluster) for cluster in shared])
    taken: list[int] = []
    beside = sorted((n for n in range(len(shared)) if n not in of_answer[main]), key=lambda n: (-support[n], n))
    for number in [*of_answer[main], *beside]:
        vector = known[_standing(shared[number])]
        if number not in of_answer[main] and (
            support[number] < WIDELY * len(parts)
            or any(float(known[_standing(shared[n])] @ vector) >= ALIKE for n in taken)
        ):
            continue
        taken.append(number)
    return [shared[number] for number in taken]


def _clusters(parts: Mapping[str, Sequence[str]], vectors: Vectors) -> list[list[tuple[str, str]]]:
    """(answer, unit) pairs of equal meaning together, in the order of the answers."""
    known = vectors(list(dict.fromkeys(unit for own in parts.values() for unit in own)))
    clusters: list[list[tuple[str, str]]] = []
    leaders: dict[tuple[frozenset[str], bool], list[int]] = defaultdict(list)
    for text, own in parts.items():
        for unit in own:
            told = (numbers(unit), negates(unit))
            there = leaders[told]
            scores = [float(known[clusters[n][0][1]] @ known[unit]) for n in there]
            if scores and max(scores) >= SAME:
                clusters[there[int(np.argmax(scores))]].append((text, unit))
            else:
                there.append(len(clusters))
                clusters.append([(text, unit)])
    return clusters


def _standing(cluster: Sequence[tuple[str, str]]) -> str:
    """The wording that is given most often, the shortest of them."""
    counted = Counter(unit for _, unit in cluster)
    return min(counted, key=lambda unit: (-counted[unit], len(unit), unit))


def _place(cluster: Sequence[tuple[str, str]], parts: Mapping[str, Sequence[str]]) -> float:
    """Where in its answers a unit stands, from 0 (first) to 1 (last), on average."""
    return float(np.mean([parts[text].index(unit) / max(1, len(parts[text]) - 1) for text, unit in cluster]))


def _agreeing(texts: Sequence[str], vectors: Vectors) -> str | None:
    if not texts:
        return None
    known = vectors(list(texts))
    matrix = np.stack([known[text] for text in texts])
    central = (matrix @ matrix.T).mean(axis=1)
    near = [text for text, score in zip(texts, central, strict=True) if score >= np.median(central)]
    return min(near, key=lambda text: (len(text), text))


def _joined(parts: Iterable[str]) -> list[str]:
    """Sentences on one line, lists on lines of their own."""
    lines: list[str] = []
    for part in parts:
        if lines and "\n" not in part and "\n" not in lines[-1]:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines
