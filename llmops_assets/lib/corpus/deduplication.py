"""Which rows say the same, which answer the same question differently, and which give the evaluation away.

Near-duplicates are found in one pass by MinHash over letters (Broder 1997, https://doi.org/10.1109/SEQUEN.1997.666900)
with banded hashing; a row is only ever compared with earlier ones, so growth changes no result.
"""

import hashlib
import itertools
import re
import unicodedata
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llmops_assets.lib.corpus.facts import negates, numbers

LEAK_SIMILARITY = 0.92
"""Cosine similarity from which a training question counts as an evaluation question in other letters."""
NEAR = 0.7
"""Estimated Jaccard similarity of letter groups from which two texts are near-duplicates: docs/decisions."""
SAME_ANSWER = 0.75
"""Cosine similarity below which two answers differ in meaning."""

PERMUTATIONS = 128
BANDS, ROWS_PER_BAND = 16, 4
"""Two texts of similarity 0.7 share a band with probability 0.99, of 0.4 with 0.34; the signature then decides."""
LETTERS = 4
MAX_BYTES = 4096
"""Longer texts are compared by their beginning, so that a pasted log costs no more than a letter."""
BATCH = 2048

Embed = Callable[[Sequence[str]], np.ndarray]
Row = Mapping[str, Any]


def normalised(text: str) -> str:
    """Lower case, letters and digits only, single spaces: what exact duplicates have in common."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return " ".join(re.findall(r"[\w<>]+", folded))


def drop_duplicates(rows: Iterable[Row], columns: Sequence[str]) -> tuple[list[Row], list[dict[str, str]]]:
    """Rows whose normalised columns were not seen before, and the others with the row they repeat; first one wins."""
    seen: dict[tuple[str, ...], str] = {}
    kept, dropped = [], []
    for row in rows:
        key = tuple(normalised(str(row[column])) for column in columns)
        if key in seen:
            dropped.append(
                {"row_id": row["row_id"], "question": row["question"], "reason": f"duplicate of {seen[key]}"}
            )
        else:
            seen[key] = row["row_id"]
            kept.append(row)
    return kept, dropped


def signatures(texts: Sequence[str]) -> np.ndarray:
    """MinHash signatures (n, 128) uint32 over the groups of 4 bytes of normalised texts."""
    from rensa import RMinHash

    parts = [f" {text} ".encode()[:MAX_BYTES].ljust(LETTERS) for text in texts]
    lengths = np.array([len(part) for part in parts], np.int64)
    joined = np.frombuffer(b"".join(parts), np.uint8).astype(np.uint64)
    values = np.zeros(max(0, len(joined) - LETTERS + 1), np.uint64)
    for place in range(LETTERS):
        values = (values << np.uint64(8)) | joined[place : len(values) + place]
    # The groups that begin in a text's last letters reach into the next one.
    starts = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)[: len(values)]
    values = values[starts <= np.repeat(lengths, lengths)[: len(values)] - LETTERS]
    ends = np.concatenate([[0], np.cumsum(lengths - LETTERS + 1)]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(_mixed(values), ends, PERMUTATIONS, 1)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(texts), PERMUTATIONS)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Uint64 values spread over all bits (splitmix64, https://doi.org/10.1145/2714064.2660195)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class _Buckets:
    """The first row of every bucket: uint64 keys with open addressing in two arrays, 12 bytes a slot."""

    def __init__(self) -> None:
        self._keys = np.zeros(1 << 10, np.uint64)
        self._rows = np.full(1 << 10, -1, np.int32)
        self._used = 0

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return self._keys.nbytes + self._rows.nbytes

    def get(self, keys: np.ndarray) -> np.ndarray:
        """Row of each key (any shape), -1 where there is none."""
        flat = keys.ravel()
        result = np.full(len(flat), -1, np.int32)
        pending, slots = np.arange(len(flat)), flat % np.uint64(len(self._keys))
        while len(pending):
            rows, equal = self._rows[slots], self._keys[slots] == flat[pending]
            found = (rows >= 0) & equal
            result[pending[found]] = rows[found]
            on = (rows >= 0) & ~equal
            pending, slots = pending[on], (slots[on] + np.uint64(1)) % np.uint64(len(self._keys))
        return result.reshape(keys.shape)

    def put(self, keys: np.ndarray, rows: np.ndarray) -> None:
        """Add keys (distinct, and none of them in the table) with their rows."""
        size = len(self._keys)
        while self._used + len(keys) > 0.7 * size:
            size = size * 3 // 2
        if size > len(self._keys):
            kept = self._rows >= 0
            old_keys, old_rows = self._keys[kept], self._rows[kept]
            self._keys, self._rows = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
            self._place(old_keys, old_rows)
        self._place(keys, rows)
        self._used += len(keys)

    def _place(self, keys: np.ndarray, rows: np.ndarray) -> None:
        slots = keys % np.uint64(len(self._keys))
        while len(keys):
            free = self._rows[slots] < 0
            # Several keys may want the same free slot: the last write stays, the others go on.
            self._rows[slots[free]] = rows[free]
            self._keys[slots[free]] = keys[free]
            left = ~((self._keys[slots] == keys) & (self._rows[slots] == rows))
            keys, rows, slots = keys[left], rows[left], (slots[left] + np.uint64(1)) % np.uint64(len(self._keys))


@dataclass(frozen=True)
class Match:
    """An earlier text that a text repeats: its id and the similarity (1.0: equal after normalisation)."""

    row_id: str
    similarity: float


@dataclass
class NearIndex:
    """Texts seen so far, in about 0.6 kB each: a signature of 128 bytes, 17 table entries of 17 to 26 bytes, the id.

    Two texts are near-duplicates when the estimated similarity of their letters reaches `threshold` and, with
    `facts_matter`, their numbers and negation are equal. Of the texts that share a band only the first is compared.
    What is found depends on the order of the texts, never on how they were batched.
    """

    threshold: float = NEAR
    facts_matter: bool = True
    _ids: list[str] = field(default_factory=list)
    _signatures: np.ndarray = field(default_factory=lambda: np.zeros((1024, PERMUTATIONS), np.uint8))
    _bands: _Buckets = field(default_factory=_Buckets)
    _exact: _Buckets = field(default_factory=_Buckets)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def bytes_held(self) -> int:
        """Memory of the arrays, without the ids."""
        return self._signatures.nbytes + self._bands.nbytes + self._exact.nbytes

    def scan(
        self, rows: Iterable[tuple[str, str, str]], keep: Callable[[str, list[Match]], bool]
    ) -> Iterator[tuple[str, list[Match]]]:
        """(id, matches) of each (id, text, within) in order, earliest match first; only equal `within` can match.

        `keep` is called once a row, before the next one is looked at, and says whether to hold the text; a text that
        equals a held one is never held again.
        """
        rows = iter(rows)
        while batch := list(itertools.islice(rows, BATCH)):
            yield from self._scan(batch, keep)

    def _scan(
        self, batch: Sequence[tuple[str, str, str]], keep: Callable[[str, list[Match]], bool]
    ) -> Iterator[tuple[str, list[Match]]]:
        plain = [normalised(text) for _, text, _ in batch]
        full = signatures(plain)
        low = full.astype(np.uint8)
        apart = np.array([_key(within + self._told(text)) for _, text, within in batch], np.uint64)
        exact = np.array([_key(text) for text in plain], np.uint64) ^ apart
        bands = _band_keys(full) ^ apart[:, None]
        held_exact, held_bands = self._exact.get(exact), self._bands.get(bands)
        fresh_exact: dict[int, int] = {}
        fresh_bands: dict[int, int] = {}
        for place, (row_id, _, _) in enumerate(batch):
            key, keys, heads = int(exact[place]), bands[place].tolist(), held_bands[place].tolist()
            same = fresh_exact.get(key, int(held_exact[place]))
            near = {fresh_bands.get(k, -1) if head < 0 else head for k, head in zip(keys, heads, strict=True)}
            found = self._compare(sorted(near - {-1, same}), low[place])
            if same >= 0:
                found = sorted([*found, (same, 1.0)])
            matches = [Match(self._ids[row], similarity) for row, similarity in found]
            if keep(row_id, matches) and same < 0:
                row = self._hold(row_id, low[place])
                fresh_exact[key] = row
                for k, head in zip(keys, heads, strict=True):
                    if head < 0:
                        fresh_bands.setdefault(k, row)
            yield row_id, matches
        for table, fresh in ((self._exact, fresh_exact), (self._bands, fresh_bands)):
            table.put(np.array(list(fresh), np.uint64), np.array(list(fresh.values()), np.int32))

    def _told(self, text: str) -> str:
        return f"{sorted(numbers(text))} {negates(text)}" if self.facts_matter else ""

    def _compare(self, rows: list[int], signature: np.ndarray) -> list[tuple[int, float]]:
        if not rows:
            return []
        # One byte of each minimum is held: two different ones agree once in 256 (https://arxiv.org/abs/0910.3349).
        agree = (self._signatures[rows] == signature).mean(axis=1)
        estimate = np.clip((agree - 1 / 256) / (1 - 1 / 256), 0, 0.999)
        return [(row, float(s)) for row, s in zip(rows, estimate, strict=True) if s >= self.threshold]

    def _hold(self, row_id: str, signature: np.ndarray) -> int:
        row = len(self._ids)
        if row == len(self._signatures):
            more = np.zeros((row // 2, PERMUTATIONS), np.uint8)
            self._signatures = np.concatenate([self._signatures, more])
        self._ids.append(row_id)
        self._signatures[row] = signature
        return row


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _band_keys(full: np.ndarray) -> np.ndarray:
    """Bucket keys (n, bands) uint64 of signatures."""
    used = full[:, : BANDS * ROWS_PER_BAND].reshape(-1, BANDS, ROWS_PER_BAND).astype(np.uint64)
    keys = np.broadcast_to(np.arange(BANDS, dtype=np.uint64), used.shape[:2])
    for column in range(ROWS_PER_BAND):
        keys = _mixed(keys ^ used[:, :, column])
    return keys


@dataclass(frozen=True)
class Group:
    """The near-duplicate group of a row, named by its first row's id, and what the row matched among earlier ones."""

    row_id: str
    group: str
    matches: tuple[Match, ...]


def near_duplicate_groups(
    rows: Iterable[Row], column: str = "question", *, threshold: float = NEAR, facts_matter: bool = False
) -> Iterator[Group]:
    """The group of each row, in order: that of the first earlier row it is near to, else its own.

    A row's group depends on earlier rows only. A row that is near to rows of two groups joins the first one and its
    `matches` name both.
    """
    group: dict[str, str] = {}
    texts = ((row["row_id"], row[column], "") for row in rows)
    for row_id, matches in NearIndex(threshold, facts_matter).scan(texts, lambda _, matches: True):
        name = group[matches[0].row_id] if matches else row_id
        if not any(match.similarity == 1.0 for match in matches):
            group[row_id] = name
        yield Group(row_id, name, tuple(matches))


def drop_near_duplicates(
    rows: Iterable[Row], column: str = "question", *, same: Sequence[str] = ("answer",), threshold: float = NEAR
) -> Iterator[tuple[Row, Match | None]]:
    """Each row, in order, with the kept row it repeats most, or None when it is kept; the first one wins.

    A row repeats another when their texts are near-duplicates with equal numbers and negation, and their normalised
    `same` columns are equal: a question answered in another way is a conflict, not a repetition. Sources do not
    matter. Only kept rows are held.
    """
    ahead: deque[Row] = deque()

    def texts() -> Iterator[tuple[str, str, str]]:
        for row in rows:
            ahead.append(row)
            yield row["row_id"], row[column], " | ".join(normalised(str(row[name])) for name in same)

    for _, matches in NearIndex(threshold).scan(texts(), lambda _, matches: not matches):
        yield ahead.popleft(), max(matches, key=lambda match: match.similarity, default=None)


def drop_alike(
    rows: Iterable[Row], embed: Embed, similarity: float, column: str = "question", *, same: str = "answer"
) -> Iterator[tuple[Row, Match | None]]:
    """`drop_near_duplicates` by embeddings: repetitions in other words, cosine at least `similarity`.

    Every row is compared with every kept one of an equal `same` column, held at 2 bytes a dimension: for what MinHash
    has left over, not for an archive.
    """
    held: dict[int, tuple[list[str], list[np.ndarray]]] = defaultdict(lambda: ([], []))
    rows = iter(rows)
    while batch := list(itertools.islice(rows, BATCH)):
        for row, vector in zip(batch, embed([row[column] for row in batch]), strict=True):
            names, vectors = held[_key(normalised(str(row[same])))]
            scores = np.stack(vectors).astype(np.float32) @ vector if names else np.zeros(1)
            best = int(scores.argmax())
            if scores[best] >= similarity:
                yield row, Match(names[best], float(scores[best]))
                continue
            names.append(row["row_id"])
            vectors.append(vector.astype(np.float16))
            yield row, None


@dataclass(frozen=True)
class Conflict:
    """A question that was answered in ways that differ in meaning; most frequent answer first, with its count."""

    question: str
    answers: tuple[str, ...]
    counts: tuple[int, ...]


def conflicting_answers(
    rows: Iterable[Row], embed: Embed, *, similarity: float = SAME_ANSWER, threshold: float = NEAR
) -> list[Conflict]:
    """Near-duplicate questions whose answers differ in meaning, most rows first.

    Two answers differ when the cosine of their embeddings is below `similarity`, or each has a number that the other
    lacks. Answers that do not differ from a more frequent one are counted with it.
    """
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    questions: dict[str, str] = {}
    ahead: deque[Row] = deque()

    def seen() -> Iterator[Row]:
        for row in rows:
            ahead.append(row)
            yield row

    for found in near_duplicate_groups(seen(), threshold=threshold, facts_matter=True):
        row = ahead.popleft()
        questions.setdefault(found.group, row["question"])
        answers[found.group][row["answer"]] += 1
    several = {group: counted for group, counted in answers.items() if len(set(map(normalised, counted))) > 1}
    texts = sorted({text for counted in several.values() for text in counted})
    vectors = dict(zip(texts, embed(texts), strict=True)) if texts else {}
    result = []
    for group, counted in several.items():
        meanings: dict[str, int] = {}
        for text, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
            known = next((m for m in meanings if not _differ(text, m, vectors, similarity)), text)
            meanings[known] = meanings.get(known, 0) + count
        if len(meanings) > 1:
            order = sorted(meanings, key=lambda text: (-meanings[text], text))
            result.append(Conflict(questions[group], tuple(order), tuple(meanings[text] for text in order)))
    return sorted(result, key=lambda conflict: (-sum(conflict.counts), conflict.question))


def _differ(one: str, other: str, vectors: Mapping[str, np.ndarray], similarity: float) -> bool:
    left, right = numbers(one), numbers(other)
    return float(vectors[one] @ vectors[other]) < similarity or bool(left - right and right - left)


def leaks(
    rows: Sequence[Mapping[str, Any]],
    held_out: Sequence[str],
    vectors: Mapping[str, np.ndarray],
    *,
    similarity: float = LEAK_SIMILARITY,
) -> dict[str, str]:
    """Row id to reason for every row whose question is (nearly) a held-out one.

    Equal after normalisation, or cosine similarity of the embeddings at least `similarity`. `vectors` maps every
    question to its unit vector.
    """
    if not rows or not held_out:
        return {}
    exact = {normalised(question): question for question in held_out}
    matrix = np.stack([vectors[question] for question in held_out])
    found: dict[str, str] = {}
    for start in range(0, len(rows), 2000):
        part = rows[start : start + 2000]
        scores = np.stack([vectors[row["question"]] for row in part]) @ matrix.T
        for row, score in zip(part, scores, strict=True):
            best = int(score.argmax())
            if normalised(row["question"]) in exact:
                found[row["row_id"]] = "equals a held-out question"
            elif score[best] >= similarity:
                found[row["row_id"]] = f"{score[best]:.2f} similar to a held-out question"
    return found


@dataclass(frozen=True)
class Contamination:
    """An evaluation question that a training row repeats: how (exact, near, embedding), how alike, and where."""

    question: str
    trained: str
    row_id: str
    where: str
    kind: str
    similarity: float


def contaminated(
    evaluation: Sequence[str],
    trained: Iterable[tuple[str, str, str]],
    *,
    embed: Embed | None = None,
    similarity: float = LEAK_SIMILARITY,
    threshold: float = NEAR,
) -> list[Contamination]:
    """Evaluation questions that anything ever trained on repeats; `trained` yields (where, row id, question).

    Exact after normalisation, near by letters whatever the numbers, or, with `embed`, cosine at least `similarity`.
    One hit per question, kind and text, at the first place it was trained on. Only evaluation questions are held, and
    a training text that several datasets share is compared once.
    """
    questions = list(dict.fromkeys(evaluation))
    plain = {normalised(question): question for question in questions}
    index = NearIndex(threshold, facts_matter=False)
    for _ in index.scan(((question, question, "") for question in questions), lambda _, matches: True):
        pass
    matrix = embed(questions) if embed is not None and questions else None
    seen: set[int] = set()
    hits: list[Contamination] = []
    trained = iter(trained)
    while questions and (batch := list(itertools.islice(trained, BATCH))):
        fresh = {_key(text): (where, row_id, text) for where, row_id, text in reversed(batch)}
        rows = [row for key, row in fresh.items() if key not in seen][::-1]
        seen.update(fresh)
        near = index.scan(((str(n), row[2], "") for n, row in enumerate(rows)), lambda _, matches: False)
        scores = embed([row[2] for row in rows]) @ matrix.T if embed is not None and matrix is not None and rows else []
        for (where, row_id, text), (_, matches) in zip(rows, near, strict=True):
            if (same := plain.get(normalised(text))) is not None:
                hits.append(Contamination(same, text, row_id, where, "exact", 1.0))
            hits += [
                Contamination(m.row_id, text, row_id, where, "near", m.similarity) for m in matches if m.similarity < 1
            ]
        for (where, row_id, text), score in zip(rows, scores, strict=False):
            best = int(score.argmax())
            if score[best] >= similarity and normalised(text) not in plain:
                hits.append(Contamination(questions[best], text, row_id, where, "embedding", float(score[best])))
    return sorted(hits, key=lambda hit: (hit.question, -hit.similarity, hit.kind, hit.trained))
