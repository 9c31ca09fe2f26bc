"""For what a row may be used: its tags, what they make of a dataset and of an adapter trained on it, and what refuses.

A tag that a row does not carry is the use case's default; where the use case has none either, nothing is allowed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from llmops_assets.lib.records import DataTerms

TAGS = ("lawful_basis", "purpose", "licence", "region", "retain_until")
"""Text columns of a row. `purpose` lists purposes by comma; `retain_until` is a date (YYYY-MM-DD), the last day."""
LAWFUL_BASES = ("consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests")
"""Article 6(1) of Regulation (EU) 2016/679."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowTags:
    """The tags of one row, defaults worked in. `retain_until` None: kept without end."""

    lawful_basis: str
    purposes: frozenset[str]
    licence: str
    region: str
    retain_until: date | None


def row_tags(row: Row, defaults: Mapping[str, str]) -> RowTags:
    """The tags of a row, empty ones taken from the use case's `defaults`. ValueError when one cannot be read."""
    unknown = sorted(set(defaults) - set(TAGS))
    if unknown:
        raise ValueError(f"no tag called {', '.join(unknown)}; tags are {', '.join(TAGS)}")
    said = {tag: str(row.get(tag) or defaults.get(tag, "")).strip() for tag in TAGS}
    basis = said["lawful_basis"]
    if basis and basis not in LAWFUL_BASES:
        raise ValueError(f"row {row.get('row_id', '?')}: lawful_basis {basis!r} is none of {', '.join(LAWFUL_BASES)}")
    try:
        until = date.fromisoformat(said["retain_until"]) if said["retain_until"] else None
    except ValueError:
        raise ValueError(
            f"row {row.get('row_id', '?')}: retain_until {said['retain_until']!r} is no date; write YYYY-MM-DD"
        ) from None
    purposes = frozenset(name.strip() for name in said["purpose"].split(",") if name.strip())
    return RowTags(basis, purposes, said["licence"], said["region"], until)


def allowed(row: Row, purpose: str, today: date, defaults: Mapping[str, str]) -> str | None:
    """Why a row may not be used for a purpose today, or None when it may.

    A row without a lawful basis or a purpose, of its own or by default, may be used for nothing.
    """
    tags = row_tags(row, defaults)
    if not tags.lawful_basis:
        return "no lawful basis"
    if purpose not in tags.purposes:
        return f"purpose {purpose} is not allowed"
    if tags.retain_until is not None and tags.retain_until < today:
        return f"was to be kept until {tags.retain_until} only"
    return None


def terms(rows: Iterable[Row], defaults: Mapping[str, str]) -> DataTerms:
    """What holds for all of the rows; a row that names no licence or region counts as "unknown" there.

    A row without a lawful basis leaves no purpose.
    """
    counted: dict[RowTags, int] = {}
    for row in rows:
        tags = row_tags(row, defaults)
        counted[tags] = counted.get(tags, 0) + 1
    result = DataTerms()
    for tags, count in counted.items():
        result = result.merge(
            DataTerms(
                purposes=tuple(sorted(tags.purposes)) if tags.lawful_basis else (),
                licences=(tags.licence or "unknown",),
                regions=(tags.region or "unknown",),
                lawful_bases=(tags.lawful_basis or "unknown",),
                retain_until=tags.retain_until,
                rows=count,
            )
        )
    return result


def refuses(
    found: DataTerms,
    purpose: str,
    today: date,
    *,
    licences: Iterable[str] | None = None,
    regions: Iterable[str] | None = None,
) -> list[str]:
    """Why data or an adapter with these terms may not be used for a purpose today; empty when it may.

    `licences` and `regions` are what the use accepts; None: any.
    """
    reasons = []
    if found.purposes is not None and purpose not in found.purposes:
        reasons.append(
            f"purpose {purpose} is not allowed by every row; all allow: {', '.join(found.purposes) or 'none'}"
        )
    if found.retain_until is not None and found.retain_until < today:
        reasons.append(f"rows were to be kept until {found.retain_until} only")
    for name, seen, accepted in (("licence", found.licences, licences), ("region", found.regions, regions)):
        foreign = sorted(set(seen) - set(accepted)) if accepted is not None else []
        if foreign:
            reasons.append(f"{name} not accepted: {', '.join(foreign)}")
    return reasons
