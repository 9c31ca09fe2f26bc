"""The eval suite: held-out questions by scenario slice. What is right comes from trusted articles, never from feedback.

Slices: faq, complaint, slang, typos, out_of_scope, new_topic, those of the dialogues and files that a company wrote
(follow_up, small_talk, own_case, several, languages …), and what traffic gives: recent, and failure_… for every known
failure (lib/judging/recent.py). A question of a new topic is counted there only.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from llmops_assets.lib.augmentation import with_slang, with_typos
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Article, Dialogue, EvalItem

if TYPE_CHECKING:
    from llmops_assets.lib.slices import Question, Slice

PERTURBED: dict[str, Callable[[str, random.Random], str]] = {"slang": with_slang, "typos": with_typos}
"""Slices that ask plain questions in another way. A new slice is one function here: docs/extending.md."""
SLICES = ("faq", "complaint", *PERTURBED, "out_of_scope", "new_topic")
HANDOVER, SMALL_TALK = "handover", ("small_talk", "sorry")
"""What a dialogue may expect beside articles."""


def build_suite(
    articles: Sequence[Article],
    out_of_scope: Iterable[str],
    *,
    new_since: date | None,
    dialogues: Iterable[Dialogue] = (),
    slices: "Iterable[Slice]" = (),
    perturbed_share: float = 0.25,
) -> list[EvalItem]:
    """Items of every slice, sorted by slice and id; equal inputs give equal items.

    An article is a new topic when it became available on or after `new_since`. A quarter of the held-out questions
    (by hash) is also asked in slang, another one with typos. Out-of-scope questions must be handed over. Dialogues are
    asked with their history, where the articles that they expect are there, and so are the questions of `slices`.
    """
    share = min(perturbed_share, 1 / len(PERTURBED))
    items: list[EvalItem] = []
    for article in articles:
        new = new_since is not None and article.available_from is not None and article.available_from >= new_since
        plain = "new_topic" if new else "complaint" if article.intent.startswith("complaint") else "faq"
        for question in article.held_out:
            items.append(item_of(plain, question, article))
            place = int(int(hash_json(question)[:8], 16) / 16**8 / share)
            if not new and place < len(PERTURBED):
                name = list(PERTURBED)[place]
                perturbed = PERTURBED[name](question, random.Random(f"suite {name} {question}"))
                items.append(item_of(name, perturbed, article))
    items += [item_of("out_of_scope", question, None) for question in out_of_scope]
    known = {article.id: article for article in articles}
    items += [item for dialogue in dialogues if (item := _dialogue(dialogue, known)) is not None]
    items += [
        item for one in slices for question in one.questions if (item := _asked(one, question, known)) is not None
    ]
    return ordered(items)


def ordered(items: Iterable[EvalItem]) -> list[EvalItem]:
    """Items in the order of a suite: by slice, the built-in ones first, and by id."""
    items = list(items)
    order = [*SLICES, *sorted({item.slice for item in items} - set(SLICES))]
    return sorted(items, key=lambda item: (order.index(item.slice), item.id))


def _dialogue(dialogue: Dialogue, known: Mapping[str, Article]) -> EvalItem | None:
    """The item of a dialogue; None where an article is missing or answers nothing by itself."""
    expected = (dialogue.expect,) if isinstance(dialogue.expect, str) else dialogue.expect
    asked = {"history": dialogue.history, "language": dialogue.language}
    place = hash_json([dialogue.slice, dialogue.question, dialogue.history])[:16]
    if expected[0] in (HANDOVER, *SMALL_TALK):
        return item_of(dialogue.slice, dialogue.question, None).model_copy(
            update={**asked, "id": place, "small_talk": expected[0] in SMALL_TALK}
        )
    found = [known[name] for name in expected if name in known and known[name].kind == "answer"]
    if len(found) < len(expected):
        return None
    return item_of(dialogue.slice, dialogue.question, found[0]).model_copy(
        update={
            **asked,
            "id": place,
            "reference": "\n\n".join(article.answer for article in found),
            # Facts of some articles would say nothing of the others.
            "facts": tuple(f for article in found for f in article.facts) if all(a.facts for a in found) else (),
            "several": len(found) > 1,
        }
    )


def _asked(slice_: "Slice", question: "Question", known: Mapping[str, Article]) -> EvalItem | None:
    """The item of a question that somebody wrote down; None as for a dialogue."""
    told: dict[str, object] = {
        "id": hash_json([slice_.name, question.question, question.history])[:16],
        "source": question.id,
        "scorer": slice_.scorer,
        "forbidden": question.forbid,
        "form": question.form,
        "history": question.history,
        "language": question.language,
    }
    if question.require:
        told["facts"] = question.require
    if question.reference:
        told["reference"] = question.reference
    if question.expect:
        expected = Dialogue(slice=slice_.name, question=question.question, expect=question.expect)
        item = _dialogue(expected, known)
    else:
        # It is to be answered, by no article in particular.
        item = item_of(slice_.name, question.question, None).model_copy(update={"article": ""})
    return None if item is None else item.model_copy(update=told)


def item_of(slice_: str, question: str, article: Article | None) -> EvalItem:
    """A question that an article answers, or a person must (None)."""
    # What needs a look-up must be handed over, as what is out of scope.
    answered = article if article is not None and article.kind == "answer" else None
    return EvalItem(
        id=hash_json([slice_, question])[:16],
        slice=slice_,
        question=question,
        article=answered.id if answered else None,
        intent=article.intent if article else "",
        reference=answered.answer if answered else "",
        facts=answered.facts if answered else (),
    )


def counts(items: Iterable[EvalItem]) -> dict[str, int]:
    """Items per slice."""
    return dict(Counter(item.slice for item in items))


def to_jsonl(items: Iterable[EvalItem]) -> bytes:
    """One JSON object per line."""
    return "".join(json.dumps(item.model_dump(mode="json"), ensure_ascii=False) + "\n" for item in items).encode()


def from_jsonl(data: bytes) -> list[EvalItem]:
    """Items of `to_jsonl`."""
    return [EvalItem.model_validate_json(line) for line in data.decode().splitlines()]


def sample(items: Sequence[EvalItem], per_slice: int) -> list[EvalItem]:
    """The first `per_slice` items of every slice by id: the same ones for every release."""
    taken: Counter[str] = Counter()
    chosen = []
    for item in items:
        taken[item.slice] += 1
        if taken[item.slice] <= per_slice:
            chosen.append(item)
    return chosen
