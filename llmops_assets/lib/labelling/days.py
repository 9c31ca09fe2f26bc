"""A day labelled in batches, whatever its size: examples are drawn from past days, labels are written as they are made.

Beyond a batch only a few numbers per row are held. Files are open, seekable Parquet of the table `CONVERSATIONS`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llmops_assets.lib import tables
from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.hashing import hash_bytes, hash_json
from llmops_assets.lib.labelling.answers import answer_quality
from llmops_assets.lib.labelling.intents import MAX_PER_INTENT, MINIMUM_EXAMPLES, IntentModel, learn_intents
from llmops_assets.lib.labelling.labelfiles import MACHINE, Label
from llmops_assets.lib.labelling.languages import language
from llmops_assets.lib.labelling.queue import Candidate, Pool, QueueItem
from llmops_assets.lib.labelling.resolution import RESOLUTIONS, resolution
from llmops_assets.lib.labelling.sentiment import sentiment

BATCH = 2048
MAX_EXAMPLES = 20_000
"""Examples over all intents: with more than a hundred intents each has fewer than `MAX_PER_INTENT`."""
MAX_INTENTS = 1000
"""A column with more different values than this is no intent; the most frequent ones are learned."""
DOUBTS_SHOWN = 50
DOUBTS: tables.Columns = (
    ("row_id", "string"),
    ("question", "string"),
    ("intent", "string"),
    ("suggested", "string"),
    ("probability", "float"),
)
Open = Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Examples:
    """What a classifier learns from, in order of a hash: one row per different (question, intent)."""

    row_ids: tuple[str, ...]
    questions: tuple[str, ...]
    intents: tuple[str, ...]
    trusted: tuple[bool, ...]


@dataclass(frozen=True)
class Doubt:
    """An example whose intent is likely wrong, with what the others say."""

    row_id: str
    question: str
    intent: str
    suggested: str
    probability: float
    """Calibrated probability of the given intent."""


@dataclass(frozen=True)
class Labeller:
    """Everything a row is labelled with."""

    model: IntentModel
    embedder: Embeds
    labels: Mapping[str, Label]
    doubts: tuple[Doubt, ...] = ()
    language: str = "en"
    handover: str = ""


@dataclass
class DayLabels:
    """What labelling a day found: counts per column and value, agreement with given intents, the queue."""

    rows: int = 0
    given: int = 0
    agreed: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    quality_sum: float = 0.0
    answers: int = 0
    queue: list[QueueItem] = field(default_factory=list)
    digest: str = ""


def draw_examples(days: Sequence[Open], labels: Mapping[str, Label], *, per_intent: int = MAX_PER_INTENT) -> Examples:
    """At most `per_intent` examples of each intent out of all days: what people labelled, then what sources did.

    Which ones is decided by a hash of their text, so that it depends neither on order nor on what else is there.
    """
    ids = pa.array(sorted(labels), pa.string())
    counts: Counter[str] = Counter()
    for batch in _batches(days, ["intent"]):
        counted = batch.column("intent").value_counts()
        counts.update({v["values"]: v["counts"] for v in counted.to_pylist() if v["values"]})
    counts.update(label.intent for label in labels.values() if label.intent)
    frequent = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:MAX_INTENTS]
    intents = {intent for intent, count in frequent if count >= MINIMUM_EXAMPLES}
    cap = max(MINIMUM_EXAMPLES, min(per_intent, MAX_EXAMPLES // max(1, len(intents))))
    names = pa.array(sorted(intents), pa.string())
    drawn: dict[str, dict[tuple[bool, str], tuple[str, str, bool]]] = {intent: {} for intent in intents}
    for batch in _batches(days, ["row_id", "question", "intent"]):
        for row in batch.filter(pc.field("intent").isin(names) | pc.field("row_id").isin(ids)).to_pylist():
            label = labels.get(row["row_id"])
            person = label is not None and not label.annotator.startswith(MACHINE)
            intent = label.intent if label is not None and (person or not row["intent"]) else row["intent"]
            if intent not in drawn:
                continue
            kept = drawn[intent]
            kept[not person, hash_bytes(_plain(row["question"]).encode())] = row["row_id"], row["question"], person
            if len(kept) > 2 * cap:
                drawn[intent] = dict(sorted(kept.items())[:cap])
    rows = [
        (key, intent, *row)
        for intent, kept in sorted(drawn.items())
        if len(kept) >= MINIMUM_EXAMPLES
        for (_, key), row in sorted(kept.items())[:cap]
    ]
    rows.sort()
    return Examples(
        tuple(r[2] for r in rows), tuple(r[3] for r in rows), tuple(r[1] for r in rows), tuple(r[4] for r in rows)
    )


def learn(examples: Examples, embedder: Embeds) -> tuple[IntentModel, tuple[Doubt, ...]]:
    """A model of the examples, and the examples it left out because their intent is likely wrong, worst first."""
    model = learn_intents(embed_once(embedder, examples.questions), examples.intents, examples.trusted)
    doubts = [
        Doubt(row_id, question, intent, suggested, round(float(confidence), 4))
        for row_id, question, intent, suggested, confidence, doubted in zip(
            examples.row_ids,
            examples.questions,
            examples.intents,
            model.suggestions,
            model.self_confidence,
            model.doubted,
            strict=True,
        )
        if doubted
    ]
    return model, tuple(sorted(doubts, key=lambda doubt: (doubt.probability, doubt.row_id)))


def doubts_table(doubts: Sequence[Doubt]) -> bytes:
    """The likeliest label errors as Parquet bytes, worst first."""
    return tables.to_parquet([asdict(doubt) for doubt in doubts[:DOUBTS_SHOWN]], DOUBTS)


def label_day(
    day: Open, target: Path, labeller: Labeller, *, embed_answers: int, queue: int, batch_rows: int = BATCH
) -> DayLabels:
    """Write a day's rows with their labels into `target` (table `LABELLED`), `batch_rows` at a time.

    The answers of at most `embed_answers` different texts, the most frequent ones, are compared with their question;
    the others are judged by their text alone. `queue` is the number of rows chosen for people.
    """
    outcomes = _outcomes(day, labeller.handover)
    embedded = _frequent_answers(day, embed_answers)
    found, pool, total = DayLabels(), Pool(queue), 0
    doubts = {doubt.row_id: doubt for doubt in labeller.doubts}
    with pq.ParquetWriter(target, tables.schema(tables.LABELLED), compression="zstd", store_schema=False) as writer:
        for batch in _batches([day], None, batch_rows):
            rows = batch.to_pylist()
            vectors = embed_once(labeller.embedder, [row["question"] for row in rows])
            predicted = labeller.model.predict(vectors)
            similar = _similarities(rows, vectors, embedded, labeller.embedder)
            candidates = []
            for i, row in enumerate(rows):
                given = row["intent"]
                quality = answer_quality(row["answer"], similar[i], labeller.handover) if row["answer"] else None
                row.update(_effective(row, labeller.labels.get(row["row_id"])))
                # A person who found that no intent fits has refuted the model's.
                refuted = row["label_source"] == "human" and not row["intent"]
                row["predicted_intent"] = "" if refuted else predicted.intents[i]
                row["intent_confidence"] = 0.0 if refuted else round(float(predicted.confidence[i]), 4)
                row["language"] = language(row["question"], labeller.language)
                row["sentiment"] = sentiment(row["question"])
                row["resolution"] = RESOLUTIONS[outcomes[found.rows + i]]
                row["answer_quality"] = quality.score if quality else None
                row["answer_reasons"] = list(quality.reasons) if quality else []
                if row["label_source"] in ("", "llm") or row["row_id"] in doubts:
                    guess = predicted.guesses[i], float(predicted.margin[i]), bool(predicted.intents[i])
                    candidates.append(_candidate(row, guess, vectors[i], doubts.get(row["row_id"])))
                if given:
                    found.given += 1
                    found.agreed += given == row["predicted_intent"]
                if quality:
                    found.answers += 1
                    found.quality_sum += quality.score
                for column in ("language", "sentiment", "resolution", "label_source"):
                    found.counts[column][row[column] or "none"] += 1
                for reason in row["answer_reasons"]:
                    found.counts["answer_reasons"][reason] += 1
                found.counts["intent"][row["intent"] or row["predicted_intent"] or "unknown"] += 1
                found.counts["predicted_intent"][row["predicted_intent"] or "unknown"] += 1
                # Added up, so that the order of rows does not count and no list of them is held.
                total += int(hash_json(row), 16)
            pool.add(candidates)
            found.rows += len(rows)
            writer.write_table(tables.to_table(rows, tables.LABELLED))
    found.queue = pool.choose()
    found.digest = hash_bytes((total % (1 << 256)).to_bytes(32))
    return found


def embed_once(embedder: Embeds, texts: Sequence[str]) -> np.ndarray:
    """Unit vectors (n, d), texts that differ in case or spaces alone embedded once."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(_plain(text), text)
    vectors = embedder.embed(list(first.values()))
    place = {plain: i for i, plain in enumerate(first)}
    return vectors[[place[_plain(text)] for text in texts]]


def find_rows(days: Iterable[Open], row_ids: Iterable[str], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Some columns of the rows with these ids, streamed out of many days."""
    ids = pa.array(sorted(set(row_ids)), pa.string())
    for batch in _batches(days, list(columns)):
        yield from batch.filter(pc.field("row_id").isin(ids)).to_pylist()


def intents_of(days: Iterable[Open]) -> set[str]:
    """Every intent that stands in the rows of some days, as given or as predicted."""
    found: set[str] = set()
    for batch in _batches(days, ["intent", "predicted_intent"]):
        for column in batch.columns:
            found.update(column.unique().to_pylist())
    return found - {"", None}


def _effective(row: Mapping[str, Any], label: Label | None) -> dict[str, str]:
    """The intent that counts, and whose word it is: a person's, the source's, a language model's, or nobody's."""
    if label is not None and not label.annotator.startswith(MACHINE):
        return {"intent": label.intent, "label_source": "human"}
    if row["intent"]:
        return {"intent": row["intent"], "label_source": "source"}
    if label is not None:
        return {"intent": label.intent, "label_source": "llm"}
    return {"intent": "", "label_source": ""}


def _candidate(
    row: Mapping[str, Any], guess: tuple[str, float, bool], vector: np.ndarray, doubt: Doubt | None
) -> Candidate:
    suggested, margin, known = guess
    if doubt is not None:
        reason, suggested, uncertainty = "doubted label", doubt.suggested, 1.0 - doubt.probability
    elif not known:
        reason, uncertainty = "unknown", 1.0 - margin / 2
    else:
        reason, uncertainty = "small margin", 1.0 - margin
    item = QueueItem(
        row_id=row["row_id"],
        day=row["day"],
        question=row["question"],
        answer=row["answer"],
        given_intent=row["intent"],
        suggested_intent=suggested,
        confidence=row["intent_confidence"],
        reason=reason,
    )
    # A copy: a view would keep the whole batch alive.
    return Candidate(item, uncertainty, vector.copy())


def _outcomes(day: Open, handover: str) -> np.ndarray:
    """Position in `RESOLUTIONS` (n,) of every row: that of the last exchange of its conversation."""
    code, order = _conversations(day)
    last = np.full(int(code.max()) + 1 if len(code) else 0, -1)
    first = last.copy()
    last[code[order]] = order
    first[code[order[::-1]]] = order[::-1]
    outcome = np.full(len(last), RESOLUTIONS.index("unknown"), np.int8)
    start = 0
    for batch in _batches([day], ["question", "answer", "rating", "correction"]):
        ends = np.flatnonzero(last[code[start : start + len(batch)]] == np.arange(start, start + len(batch)))
        for i, row in zip(ends, batch.take(pa.array(ends)).to_pylist(), strict=True):
            place = start + int(i)
            found = resolution(
                row["question"],
                row["answer"],
                follow_up=bool(first[code[place]] != place),
                rating=row["rating"] or 0,
                correction=row["correction"],
                handover=handover,
            )
            outcome[code[place]] = RESOLUTIONS.index(found)
        start += len(batch)
    return outcome[code]


def _conversations(day: Open) -> tuple[np.ndarray, np.ndarray]:
    """(number of each row's conversation, row positions in order of time): eight bytes a row each."""
    keys, times = [np.zeros(0, np.uint64)], [np.zeros(0)]
    for batch in _batches([day], ["conversation", "time"]):
        names = batch.column("conversation").to_pylist()
        start = sum(map(len, keys))
        # A row without a conversation is one of its own.
        keys.append(np.array([_key(name or f"row {start + i}") for i, name in enumerate(names)], np.uint64))
        times.append(np.array([_seconds(time) for time in batch.column("time").to_pylist()]))
    code = np.unique(np.concatenate(keys), return_inverse=True)[1]
    return code, np.lexsort((np.arange(len(code)), np.concatenate(times)))


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def _frequent_answers(day: Open, count: int) -> set[int]:
    """Keys of the most frequent different answers."""
    if count == 0:
        return set()
    keys = [np.zeros(0, np.uint64)]
    for batch in _batches([day], ["answer"]):
        keys.append(np.array([_key(text) for text in batch.column("answer").to_pylist() if text], np.uint64))
    different, counts = np.unique(np.concatenate(keys), return_counts=True)
    return {int(different[i]) for i in np.lexsort((different, -counts))[:count]}


def _similarities(
    rows: Sequence[Mapping[str, Any]], vectors: np.ndarray, embedded: set[int], embedder: Embeds
) -> list[float | None]:
    places = [i for i, row in enumerate(rows) if row["answer"] and _key(row["answer"]) in embedded]
    result: list[float | None] = [None] * len(rows)
    if places:
        answers = embed_once(embedder, [rows[i]["answer"] for i in places])
        for i, answer in zip(places, answers, strict=True):
            result[i] = float(vectors[i] @ answer)
    return result


def _batches(days: Iterable[Open], columns: list[str] | None, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
    for day in days:
        with day() as file:
            yield from pq.ParquetFile(file).iter_batches(rows, columns=columns, use_threads=False)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _key(text: str) -> int:
    return int(hash_bytes(_plain(text).encode())[:16], 16)
