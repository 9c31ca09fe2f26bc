import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from llmops_assets.lib import tables
from llmops_assets.lib.labelling import days
from llmops_assets.lib.labelling.days import Labeller, draw_examples, find_rows, intents_of, label_day, learn
from llmops_assets.lib.labelling.labelfiles import Label
from llmops_assets.samples import generator


def day_of(rows):
    full = [
        {"row_id": f"r{n}", "conversation": f"c{n}", "day": "2026-03-02", "rating": 0, **row}
        for n, row in enumerate(rows)
    ]
    data = tables.to_parquet(full, tables.CONVERSATIONS)
    return lambda: io.BytesIO(data)


def sample(count: int):
    return [
        {k: row[k] for k in ("question", "answer", "intent", "time", "rating")}
        for row in generator.conversations(count)
    ]


def run(day, tmp_path, words, labels=None, *, past=None, embed_answers=100, queue=5, **more):
    labels = labels or {}
    model, doubts = learn(draw_examples(past or [day], labels), words)
    target = tmp_path / "labelled.parquet"
    labeller = Labeller(model, words, labels, doubts, "en", "I am handing you over")
    found = label_day(day, target, labeller, embed_answers=embed_answers, queue=queue, **more)
    return found, pq.read_table(target).to_pylist()


@pytest.mark.slow
def test_a_day_gets_every_column_and_the_same_bytes_again(tmp_path, words):
    day = day_of(sample(400))
    found, rows = run(day, tmp_path, words)
    first = (tmp_path / "labelled.parquet").read_bytes()
    assert pq.read_schema(tmp_path / "labelled.parquet").names == [name for name, _ in tables.LABELLED]
    assert [r["row_id"] for r in rows] == [f"r{n}" for n in range(400)]
    assert found.rows == 400
    assert found.agreed / found.given > 0.7
    assert 0 < len(found.queue) <= 5
    assert {r["label_source"] for r in rows} == {"source", ""}
    assert {r["resolution"] for r in rows} == {"resolved", "unresolved", "handed over", "unknown"}
    assert all(0 <= r["answer_quality"] <= 1 for r in rows)
    unknown = [r for r in rows if not r["predicted_intent"]]
    assert unknown
    assert all(r["intent_confidence"] == 0 for r in unknown)
    assert run(day, tmp_path, words)[0].digest == found.digest
    assert (tmp_path / "labelled.parquet").read_bytes() == first


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"question": "q", "answer": "a", "intent": ""}],
        [{"question": q, "answer": "", "intent": "only"} for q in ("one", "two", "three")],
        [{"question": "same", "answer": "a", "intent": f"i{n}"} for n in range(3)],
        [{"question": f"word{n}", "answer": "a", "intent": ""} for n in range(30)],
    ],
)
def test_tiny_days_pass(tmp_path, words, rows):
    found, labelled = run(day_of(rows), tmp_path, words)
    assert found.rows == len(labelled) == len(rows)
    assert {r["predicted_intent"] for r in labelled} <= {"", "only"}


def test_without_any_intent_the_queue_is_a_start(tmp_path, words):
    found, _ = run(day_of([{**row, "intent": ""} for row in sample(100)]), tmp_path, words)
    assert len(found.queue) == 5
    assert len({item.question for item in found.queue}) == 5


@pytest.mark.slow
def test_a_persons_label_counts_more_than_the_sources_and_a_models_less(tmp_path, words):
    rows = [*sample(200), {"question": "odd one", "answer": "a", "intent": ""}]
    labels = {
        "r0": Label(row_id="r0", intent="chosen", annotator="ann"),
        "r1": Label(row_id="r1", intent="chosen", annotator="llm:m"),
        "r200": Label(row_id="r200", intent="chosen", annotator="llm:m"),
        "r2": Label(row_id="r2", intent="", annotator="ann"),
    }
    found, labelled = run(day_of(rows), tmp_path, words, labels)
    got = {r["row_id"]: (r["intent"], r["label_source"]) for r in labelled}
    assert got["r0"] == ("chosen", "human")
    assert got["r1"] == (rows[1]["intent"], "source")
    assert got["r200"] == ("chosen", "llm")
    assert got["r2"] == ("", "human")
    assert labelled[2]["predicted_intent"] == ""
    assert not {"r0", "r2"} & {item.row_id for item in found.queue}
    before, _ = run(day_of(rows), tmp_path, words)
    assert before.digest != found.digest


@pytest.mark.slow
def test_what_people_labelled_is_learned(tmp_path, words):
    rows = sample(200) + [{"question": f"zebra stripes number{n}", "answer": "a", "intent": ""} for n in range(8)]
    labels = {f"r{n}": Label(row_id=f"r{n}", intent="zebra", annotator="ann") for n in range(200, 205)}
    _, labelled = run(day_of(rows), tmp_path, words, labels)
    assert {r["predicted_intent"] for r in labelled[205:]} == {"zebra"}


def test_examples_are_bounded_spread_over_days_and_the_same_in_any_order():
    rows = [{"question": f"question {n}", "answer": "a", "intent": f"i{n % 3}"} for n in range(900)]
    named = [{**row, "row_id": f"x{n}"} for n, row in enumerate(rows)]
    parts = [day_of(named[start : start + 300]) for start in (0, 300, 600)]
    labels = {"x7": Label(row_id="x7", intent="i2", annotator="ann")}
    drawn = draw_examples(parts, labels, per_intent=20)
    assert sorted(drawn.intents) == ["i0"] * 20 + ["i1"] * 20 + ["i2"] * 20
    assert ("x7", "i2", True) in zip(drawn.row_ids, drawn.intents, drawn.trusted, strict=True)
    assert {int(row_id[1:]) // 300 for row_id in drawn.row_ids} == {0, 1, 2}
    assert draw_examples(parts[::-1], labels, per_intent=20) == drawn


def test_equal_questions_are_one_example_and_one_embedding(words):
    class Counting:
        digest = "counting"
        seen: list[str] = []  # noqa: RUF012

        def embed(self, texts):
            self.seen.extend(texts)
            return words.embed(texts)

    day = day_of([{"question": q, "answer": "a", "intent": "i"} for q in ("A  b", "a b", "A B", "c", "d", "e")])
    assert len(draw_examples([day], {}).questions) == 4
    counting = Counting()
    vectors = days.embed_once(counting, ["A  b", "a b", "c"])
    assert counting.seen == ["A  b", "c"]
    assert np.allclose(vectors[0], vectors[1])


def test_a_conversation_of_several_turns_has_one_outcome_by_its_last_in_time(tmp_path, words):
    turns = [
        {
            "conversation": "c",
            "time": "2026-03-02T10:02:00+00:00",
            "question": "That worked, thanks",
            "answer": "Good.",
        },
        {"conversation": "d", "time": "2026-03-02T10:01:00+00:00", "question": "That worked", "answer": "Good."},
        {"conversation": "c", "time": "2026-03-02T10:00:00+00:00", "question": "It is dark", "answer": "Turn it on."},
        {"conversation": "", "time": "", "question": "x", "answer": "A colleague will call you."},
        {"conversation": "", "time": "", "question": "x", "answer": "y"},
    ]
    _, rows = run(day_of(turns), tmp_path, words)
    assert [r["resolution"] for r in rows] == ["resolved", "unknown", "resolved", "handed over", "unknown"]


@pytest.mark.slow
def test_batches_change_nothing_and_only_frequent_answers_are_embedded(tmp_path, words):
    rows = [*sample(150), {"question": "how many?", "answer": "quite another matter altogether", "intent": ""}]
    whole, labelled = run(day_of(rows), tmp_path, words)
    batched, again = run(day_of(rows), tmp_path, words, batch_rows=7)
    assert batched == whole
    assert again == labelled
    assert labelled[-1]["answer_reasons"] == ["beside the question"]
    _, few = run(day_of(rows), tmp_path, words, embed_answers=1)
    assert few[-1]["answer_reasons"] == []
    assert few[-1]["answer_quality"] == pytest.approx(0.7)


def test_rows_and_intents_are_found_over_days(tmp_path, words):
    run(day_of(sample(60)), tmp_path, words)
    opened = [lambda: (tmp_path / "labelled.parquet").open("rb")]
    found = list(find_rows(opened, ["r3", "r59", "none"], ["row_id", "question"]))
    assert [row["row_id"] for row in found] == ["r3", "r59"]
    assert "returns" in intents_of(opened)
    assert "" not in intents_of(opened)
