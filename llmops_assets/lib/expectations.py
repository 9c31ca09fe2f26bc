"""What must hold of a table before it is published, checked by Great Expectations on what was written.

Concept: https://docs.greatexpectations.io/docs/core/introduction/. An ephemeral context: nothing is stored or sent.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TRAINING_RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ExpectTableRowCountToBeBetween", {"min_value": 20}),
    ("ExpectColumnValuesToBeUnique", {"column": "row_id"}),
    ("ExpectColumnValuesToNotBeNull", {"column": "question"}),
    ("ExpectColumnValueLengthsToBeBetween", {"column": "question", "min_value": 2, "max_value": 4000}),
    ("ExpectColumnValueLengthsToBeBetween", {"column": "answer", "min_value": 1, "max_value": 8000}),
    ("ExpectColumnValuesToBeInSet", {"column": "kind", "value_set": ["closed_book", "open_book", "general"]}),
    (
        "ExpectColumnValuesToNotMatchRegex",
        {"column": "question", "regex": r"[\w.+-]+@[\w-]+\.[a-z]{2,}|\+\d{2}[\d ]{8,}"},
    ),
    ("ExpectColumnValuesToNotMatchRegex", {"column": "answer", "regex": r"\x00|�"}),
)


@dataclass(frozen=True)
class Outcome:
    """One expectation: whether it held, and on how many values it did not."""

    name: str
    passed: bool
    unexpected: int


def validate(
    rows: Sequence[Mapping[str, Any]], rules: Sequence[tuple[str, Mapping[str, Any]]] = TRAINING_RULES
) -> list[Outcome]:
    """The outcome of every rule on the rows, in order. An expectation that cannot be evaluated has not held."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    columns = [
        k for k in (rows[0] if rows else {"row_id": 0, "question": 0, "answer": 0, "kind": 0}) if k != "passages"
    ]
    frame = pd.DataFrame([{column: row[column] for column in columns} for row in rows], columns=pd.Index(columns))
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    outcomes = []
    for name, settings in rules:
        result = batch.validate(getattr(gxe, name)(**settings))
        unexpected = result.result.get("unexpected_count", 0 if result.success else len(rows)) if result.result else 0
        label = f"{name}({settings.get('column', 'table')})"
        outcomes.append(Outcome(label, bool(result.success), int(unexpected or 0)))
    return outcomes
