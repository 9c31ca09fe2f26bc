"""Which rows of a dataset came to be because of which finding: the last step of a finding's id into what is learned."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from llmops_assets.lib.answering.smalltalk import words


def traced(
    rows: Sequence[Mapping[str, Any]],
    members: Iterable[Mapping[str, Any]],
    findings: Collection[str],
) -> list[dict[str, str]]:
    """A line for each row and each of `findings` that it comes from.

    A row comes from a finding when it answers what people wrote there as the right answer, asks what somebody asked
    there, or is of the article that editors wrote for it, which has its id. `members` are the questions of findings as
    they lie in the lake.
    """
    asked: dict[str, set[str]] = {}
    said: dict[str, set[str]] = {}
    for one in members:
        if one["finding"] in findings:
            asked.setdefault(words(one["question"]), set()).add(one["finding"])
            if one["correction"]:
                said.setdefault(words(one["correction"]), set()).add(one["finding"])
    found = []
    for row in rows:
        of = asked.get(words(row["question"]), set()) | said.get(words(row["answer"]), set())
        if row["article"] in findings:
            of = of | {row["article"]}
        found += [{"row_id": row["row_id"], "finding": name} for name in sorted(of)]
    return found
