import numpy as np
import pytest

from llmops_assets.lib.labelling.queue import Candidate, Pool, QueueItem, diverse, from_jsonl, to_jsonl


def item(name: str, **more) -> QueueItem:
    row = {"row_id": name, "day": "2026-03-02", "question": f"question {name}", "answer": "a", "given_intent": ""}
    return QueueItem.model_validate({**row, "suggested_intent": "x", "confidence": 0.5, "reason": "unknown", **more})


def candidate(name: str, uncertainty: float, angle: float, **more) -> Candidate:
    return Candidate(item(name, **more), uncertainty, np.array([np.cos(angle), np.sin(angle)]))


def test_the_least_certain_rows_come_first_but_not_twice_the_same():
    vectors = np.array([[1, 0], [0.999, 0.0447], [0, 1]])
    assert diverse(vectors, np.array([1.0, 0.99, 0.5]), 3) == [0, 2]


def test_of_equally_uncertain_rows_the_distant_ones_are_taken():
    angles = np.array([0.0, 0.5, 1.0, 1.5])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert diverse(vectors, np.ones(4), 2) == [0, 3]


def test_the_pool_keeps_the_most_uncertain_of_any_number_and_each_text_once():
    pool = Pool(2)
    pool.add(candidate(str(n), 0.001 * n, 0.01 * n) for n in range(900))
    pool.add([candidate("again", 0.2, 1.0, question="question  899")])
    chosen = pool.choose()
    assert chosen[0].row_id == "899"
    assert len(chosen) == 2
    assert "again" not in [c.row_id for c in chosen]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_in_which_rows_come_does_not_matter(seed):
    rows = [candidate(str(n), round(n % 7 / 7, 2), n) for n in range(300)]
    first, second = Pool(5), Pool(5)
    first.add(rows)
    for i in np.random.default_rng(seed).permutation(len(rows)):
        second.add([rows[i]])
    assert first.choose() == second.choose()


def test_an_empty_pool_and_no_queue_are_fine():
    assert Pool(5).choose() == []
    none = Pool(0)
    none.add([candidate("a", 1.0, 0.0)])
    assert none.choose() == []


def test_items_come_back_from_jsonl():
    items = [item("a", question='line\nbreak "quoted" é\u2028'), item("b")]
    assert from_jsonl(to_jsonl(items)) == items
