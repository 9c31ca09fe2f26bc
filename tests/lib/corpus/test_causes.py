"""Rows of a dataset lead back to the finding that asked for them."""

from llmops_assets.lib.corpus.causes import traced

MINE, OTHER = "f-0000000001", "f-0000000002"
MEMBERS = [
    {"finding": MINE, "question": "Is my Halo safe?", "correction": "Unplug it at once."},
    {"finding": OTHER, "question": "Is my Halo safe?", "correction": ""},
    {"finding": "f-0000000003", "question": "What is late?", "correction": "Unplug it at once."},
]


def row(name: str, question: str = "?", answer: str = "-", article: str | None = None) -> dict:
    return {"row_id": name, "question": question, "answer": answer, "article": article}


def test_a_row_comes_from_a_finding_by_its_answer_its_question_or_its_article():
    rows = [
        row("answer", answer="unplug it, at once"),
        row("question", "is my halo safe"),
        row("article", article=OTHER),
        row("neither", "What is late?", "It is late."),
        row("nothing"),
    ]
    found = [(line["row_id"], line["finding"]) for line in traced(rows, MEMBERS, (MINE, OTHER))]
    assert found == [("answer", MINE), ("question", MINE), ("question", OTHER), ("article", OTHER)]
    assert traced(rows, MEMBERS, ()) == []
