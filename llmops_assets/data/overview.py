"""What a person wants to see of a dataset at one look: where its conversations came from and what became of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmops_assets.handover.display import bars, counted
from llmops_assets.lib.records import DatasetRef

KINDS = ("source", "rejected", "left_out", "masked", "written")
"""What days count: rows by source, rows by reason of rejection, messages and parts of texts that no row holds (private,
bot, quoted mail) by reason, masked values by entity, rows by script, language and who reads them."""
KEPT = 50


def day_counts(**found: Mapping[str, int]) -> dict[str, int]:
    """Counts of a day by kind as they stand in its record: `<kind>: <name>`, the largest of each kind."""
    return {
        f"{kind}: {name}": count for kind in KINDS for name, count in Counter(found.get(kind, {})).most_common(KEPT)
    }


def overview(
    days: Iterable[DatasetRef], training: Sequence[Mapping[str, Any]], held_out: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Metadata of a dataset: counts of all its days by kind, its rows by article and by side, as tables and charts."""
    totals: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for day in days:
        for name, count in day.counts.items():
            kind, _, rest = name.partition(": ")
            if rest and kind in totals:
                totals[kind][rest] += count
    topics = Counter(row["article"] or row["kind"] for row in training)
    sides = {"training": len(training), "held out": len(held_out)}
    return {
        "masked_chart": bars("masked values by entity", totals["masked"]),
        "articles_chart": bars("training rows by article", topics),
        "conversations_by_source": counted("source", totals["source"], "conversations"),
        "rejections_by_reason": counted("reason", totals["rejected"], "conversations"),
        "left_out_by_reason": counted("reason", totals["left_out"], "parts"),
        "masked_by_entity": counted("entity", totals["masked"], "values"),
        "written_in": counted("script, language and reader", totals["written"]),
        "rows_by_article": counted("article", topics),
        "rows_by_side": counted("side", sides),
    }
