"""Why an answer was given, as sections that a person reads: text, a page, or JSON for machines.

Only what is shown is decided here; commands/explanations.py gathers it from log, release and lake. What a customer
said stands here as the log has it, redacted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llmops_assets.lib import html
from llmops_assets.lib.records import Interaction, RouterPolicy

if TYPE_CHECKING:
    import numpy as np

ERASED = "its words are gone from the log: they were erased, or never kept"


@dataclass(frozen=True)
class Section:
    """A heading with sentences and a table; `columns` name what the rows hold."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()


def path_taken(answer: Interaction, router: RouterPolicy | None) -> str:
    """How an answer came about, with the figures that decided it where the release is known."""
    if answer.cached_seconds is not None:
        return f"{answer.path}, out of the cache: it was {answer.cached_seconds:.0f} s old"
    if answer.similarity is None or router is None:
        return answer.path
    near = f"nearest article {answer.similarity:.2f}"
    limits = f"answered from {router.answer_above:.2f} on, handed over below {router.hand_over_below:.2f}"
    return f"{answer.path}: {near} ({limits})"


def guards_that_fired(found: str) -> tuple[tuple[str, str, str], ...]:
    """(guard, where, what it did) of an interaction's `guards`."""
    return tuple((*parts, "", "", "")[:3] for parts in (tuple(one.split(":")) for one in found.split(",")) if parts[0])


def nearest(
    question: str, rows: Sequence[Mapping[str, Any]], vectors: "Mapping[str, np.ndarray]", count: int
) -> list[tuple[float, Mapping[str, Any]]]:
    """The training rows whose questions are most like a question: (cosine, row), most similar first; a row once.

    `vectors` holds the unit vector of every question.
    """
    once = {row["row_id"]: row for row in rows}
    scored = [(float(vectors[question] @ vectors[row["question"]]), row) for row in once.values()]
    return sorted(scored, key=lambda pair: (-pair[0], pair[1]["row_id"]))[:count]


def to_text(title: str, sections: Sequence[Section]) -> str:
    """Sections for a terminal, tables with their columns beside the values."""
    lines = [title]
    for section in sections:
        lines += ["", section.title, *(f"  {line}" for line in section.lines)]
        for row in section.rows:
            cells = [f"{name} {value}".strip() for name, value in zip(section.columns, row, strict=True) if value != ""]
            lines.append(f"  - {', '.join(cells)}")
    return "\n".join(lines)


def to_html(title: str, sections: Sequence[Section]) -> str:
    """Sections as a page."""
    parts = []
    for section in sections:
        parts += [html.heading(section.title), *map(html.paragraph, section.lines)]
        if section.rows:
            parts.append(html.table(section.columns, section.rows))
    return html.page(title, *parts)


def to_json(title: str, sections: Sequence[Section]) -> dict[str, Any]:
    """Sections for machines."""
    return {"title": title, "sections": [asdict(section) for section in sections]}
