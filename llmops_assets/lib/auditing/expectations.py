"""What must hold of a table before it is published, checked by Great Expectations on what was written.

Suites are data: a YAML file in `suites/` for every audited dataset, and rules of the use case's own. Concept:
https://docs.greatexpectations.io/docs/core/introduction/. An ephemeral context: nothing is stored or sent.
"""

import functools
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llmops_assets.lib import html
from llmops_assets.lib.errors import LlmopsError

SUITES = Path(__file__).parent / "suites"
SHOWN = 20
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""Row ids that a failed rule names."""


class SuiteError(LlmopsError, ValueError):
    """A rule cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Outcome:
    """One rule: whether it held, on how many values it did not, and the first rows it did not hold on."""

    name: str
    passed: bool
    unexpected: int = 0
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Validation:
    """The outcomes of a suite in its order, and a page (Great Expectations' Data Docs) for a person to read.

    The page holds counts and row ids, no values: what fails a rule may be personal data.
    """

    outcomes: tuple[Outcome, ...]
    page: str

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The rules that did not hold."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)


@functools.cache
def load_suite(dataset: str) -> tuple[Mapping[str, Any], ...]:
    """The rules of a dataset: `type` (Great Expectations' name of it) and its settings."""
    return tuple(yaml.safe_load((SUITES / f"{dataset}.yaml").read_text()))


def validate(
    dataset: str, pieces: Iterable[Sequence[Mapping[str, Any]]], more: Sequence[Mapping[str, Any]] = ()
) -> Validation:
    """The suite of a dataset and `more` rules on its rows, piece by piece in bounded memory.

    A rule holds when it holds on every piece; rules on the whole table (its row count) need it in one piece. A rule
    that cannot be evaluated has not held. The page shows the first piece on which a rule did not hold, else the first
    one. Rows need `row_id`. SuiteError for a rule Great Expectations does not know.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    rules = [*load_suite(dataset), *more]
    suite = gx.ExpectationSuite(name=dataset, expectations=[_expectation(rule, n) for n, rule in enumerate(rules)])
    batches = context.data_sources.add_pandas("rows").add_dataframe_asset(dataset)
    definition = batches.add_batch_definition_whole_dataframe("piece")
    told = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": ["row_id"],
        "partial_unexpected_count": 0,
        "include_unexpected_rows": False,
    }
    counts, held = [0] * len(rules), [True] * len(rules)
    rows: list[tuple[str, ...]] = [()] * len(rules)
    page, page_failed = "", False
    for piece in pieces:
        # Lists (a row's passages) are not what rules are about, and pandas cannot hash them.
        frame = pd.DataFrame([{k: v for k, v in row.items() if not isinstance(v, list)} for row in piece])
        result = definition.get_batch({"dataframe": frame}).validate(suite, result_format=told)
        for found in result.results:
            if found.success:
                continue
            # Results come in an order of their own.
            assert found.expectation_config is not None
            number = found.expectation_config.meta["rule"]
            held[number] = False
            counts[number] += int(found.result.get("unexpected_count") or 0) if found.result else 0
            named = (found.result or {}).get("unexpected_index_list") or []
            rows[number] = (*rows[number], *(str(entry["row_id"]) for entry in named))[:SHOWN]
        if not page or (not result.success and not page_failed):
            page, page_failed = _page(result), not result.success
    outcomes = tuple(
        Outcome(f"{rule['type']}({rule.get('column', 'table')})", passed, count, named)
        for rule, passed, count, named in zip(rules, held, counts, rows, strict=True)
    )
    validation = Validation(outcomes, page)
    named = [f"{outcome.name}: {', '.join(outcome.rows)}" for outcome in validation.failed if outcome.rows]
    listed = html.heading("Rows on which a rule did not hold") + html.bullets(named) if named else ""
    return Validation(outcomes, page.replace("</body>", f"{listed}</body>", 1))


def _expectation(rule: Mapping[str, Any], number: int) -> Any:
    import great_expectations.expectations as gxe

    settings = dict(rule)
    name = str(settings.pop("type", ""))
    kind = getattr(gxe, "".join(part.capitalize() for part in name.split("_")), None)
    if kind is None:
        raise SuiteError(
            f"{name or rule}: Great Expectations has no such expectation; write its type as in its gallery"
        )
    try:
        return kind(**settings, meta={"rule": number})
    except (TypeError, ValueError) as error:
        raise SuiteError(f"{name}: {error}") from error


def _page(result: Any) -> str:
    """Data Docs of one result, readable without a network: nothing is fetched from other places."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    for found in result.results:
        for entry in (found.result or {}).get("unexpected_index_list") or []:
            for column in entry.keys() - {"row_id"}:
                entry[column] = "not shown"
        if found.result and "unexpected_list" in found.result:
            found.result["unexpected_list"] = []
    text = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result))
    text = re.sub(r"<script[^>]*\bsrc=[^>]*>\s*</script>", "", text)
    text = re.sub(r"<link[^>]*\bhref=[^>]*>", "", text)
    text = re.sub(r"<img[^>]*>", "", text)
    text = re.sub(r"url\(['\"]?https?:[^)]*\)", "none", text)
    text = re.sub(r'href="(?:https?:|\.\./)[^"]*"', "", text)
    # The same rows give the same page: what differs from run to run is not about them.
    text = re.sub(r"\d{4}-\d{2}-\d{2}[T ][\d:.]+(?:Z|[+-]\d{2}:\d{2})?|\d{8}T[\d.]+Z", "", text)
    names: dict[str, str] = {}
    text = re.sub(UUID, lambda found: names.setdefault(found[0], f"part-{len(names)}"), text)
    style = "<style>body{font-family:sans-serif;margin:2em}td,th{padding:.3em 1em;text-align:left}</style>"
    return text.replace("</head>", f"{style}</head>", 1)
