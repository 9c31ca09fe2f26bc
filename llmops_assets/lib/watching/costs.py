"""What answers cost in money, energy and CO2, from the time the engine worked for them and stated assumptions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llmops_assets.lib.records import CostLedger, CostLine, HostingOption, TrainingCost

Count = Callable[[Sequence[Mapping[str, Any]]], CostLedger]
"""Interactions to their ledger."""
WATTS = 30.0
"""Assumed draw of two server cores under load; measure yours."""
GRAMS_CO2_PER_KWH = 250.0
"""Assumed carbon intensity of the grid; take your region's."""


def ledger(interactions: Sequence[Mapping[str, Any]], option: HostingOption) -> CostLedger:
    """Costs per release. Self-hosted: engine seconds at the hourly price; API: tokens at the token prices."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in interactions:
        groups[row["release_id"]].append(row)
    lines = []
    for release_id, rows in sorted(groups.items()):
        # A generated answer that could not be sent was worked for too: it is a handover with tokens. One that was
        # remembered was not.
        generated = [
            row
            for row in rows
            if row["output_tokens"] or (row["path"] == "generated" and row.get("cached_seconds") is None)
        ]
        seconds = sum(row["latency_seconds"] for row in generated)
        tokens_in, tokens_out = (sum(row[k] or 0 for row in generated) for k in ("input_tokens", "output_tokens"))
        money = price(seconds, tokens_in, tokens_out, option)
        energy = kilowatt_hours(seconds) if option.kind != "api" else 0.0
        lines.append(
            CostLine(
                release_id=release_id,
                answers=len(rows),
                generated=len(generated),
                engine_seconds=round(seconds, 3),
                currency=round(money, 8),
                energy_kwh=round(energy, 9),
                co2_grams=round(energy * GRAMS_CO2_PER_KWH, 6),
            )
        )
    return CostLedger(lines=tuple(lines), assumptions=assumptions(option))


def kilowatt_hours(seconds: float) -> float:
    """Energy of so many seconds of work."""
    return seconds * WATTS / 3.6e6


def price(seconds: float, input_tokens: int, output_tokens: int, option: HostingOption) -> float:
    """Money for so many seconds of an engine and tokens that it read and wrote."""
    return (
        seconds / 3600 * option.currency_per_hour
        + input_tokens / 1e6 * option.currency_per_million_input_tokens
        + output_tokens / 1e6 * option.currency_per_million_output_tokens
    )


def assumptions(option: HostingOption) -> dict[str, float]:
    """What the figures rest on."""
    return {
        "currency_per_hour": option.currency_per_hour,
        "currency_per_million_input_tokens": option.currency_per_million_input_tokens,
        "currency_per_million_output_tokens": option.currency_per_million_output_tokens,
        "watts": WATTS,
        "grams_co2_per_kwh": GRAMS_CO2_PER_KWH,
    }


def merged(ledgers: Iterable[CostLedger], option: HostingOption) -> CostLedger:
    """Several ledgers at the prices of one option as one: the lines of a release added up."""
    lines: dict[str, list[CostLine]] = defaultdict(list)
    for one in ledgers:
        for line in one.lines:
            lines[line.release_id].append(line)
    return CostLedger(
        lines=tuple(
            CostLine(
                release_id=release_id,
                answers=sum(line.answers for line in parts),
                generated=sum(line.generated for line in parts),
                engine_seconds=round(sum(line.engine_seconds for line in parts), 3),
                currency=round(sum(line.currency for line in parts), 8),
                energy_kwh=round(sum(line.energy_kwh for line in parts), 9),
                co2_grams=round(sum(line.co2_grams for line in parts), 6),
            )
            for release_id, parts in sorted(lines.items())
        ),
        assumptions=assumptions(option),
    )


def training(adapter: str, seconds: float, option: HostingOption) -> TrainingCost:
    """What one retraining took, from the seconds of training and judging at the price of an hour."""
    energy = kilowatt_hours(seconds)
    return TrainingCost(
        adapter=adapter,
        seconds=round(seconds, 3),
        currency=round(seconds / 3600 * option.currency_per_hour, 8),
        energy_kwh=round(energy, 9),
        co2_grams=round(energy * GRAMS_CO2_PER_KWH, 6),
    )


def per_answer(costs: CostLedger) -> float | None:
    """Mean money per answer over all releases; None when there was none."""
    answers = sum(line.answers for line in costs.lines)
    return sum(line.currency for line in costs.lines) / answers if answers else None
