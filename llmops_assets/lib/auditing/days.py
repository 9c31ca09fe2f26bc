"""A day of redacted conversations on its way to storage: written as it comes, counted while it passes, read back."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops_assets.lib import tables
from llmops_assets.lib.auditing import expectations
from llmops_assets.lib.hashing import hash_bytes, hash_json

if TYPE_CHECKING:
    from llmops_assets.lib.auditing.conversations import Cleared

Pieces = Iterable[list[dict[str, Any]]]


@dataclass
class Tally:
    """What a day held."""

    rows: int = 0
    digests: list[bytes] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def reasons(self) -> Counter[str]:
        """Rejected rows by reason, whatever their source."""
        found: Counter[str] = Counter()
        for (_, reason), count in self.rejected.items():
            found[reason] += count
        return found

    @property
    def left_out_reasons(self) -> Counter[str]:
        """Messages and parts of texts that no row holds, by reason, whatever their source."""
        found: Counter[str] = Counter()
        for (_, reason), count in self.left_out.items():
            found[reason] += count
        return found

    @property
    def digest(self) -> str:
        """sha256 of the rows' content, whatever their order."""
        return hash_bytes(b"".join(sorted(self.digests)))


@dataclass(frozen=True)
class Audit:
    """What was found in a stored day: texts that show personal data, row ids that come twice, the rules' outcomes."""

    leaking: int
    doubles: int
    validation: expectations.Validation


def write_day(cleared: "Iterator[Cleared]", day: Path, quarantine: Path) -> Tally:
    """Write the rows of a day and its quarantine as they come; what was counted."""
    tally = Tally()
    with (
        tables.Writer(day, tables.CONVERSATIONS) as kept,
        tables.Writer(quarantine, tables.QUARANTINE) as quarantined,
    ):
        for conversation in cleared:
            tally.masked.update(conversation.masked)
            if conversation.written is not None:
                tally.written[conversation.written.name] += len(conversation.kept) + len(conversation.quarantined)
            tally.left_out.update(conversation.left_out)
            for row in conversation.kept:
                kept.write(row)
                tally.sources[row["source"]] += 1
                tally.digests.append(bytes.fromhex(hash_json(row)[:32]))
            for row in conversation.quarantined:
                quarantined.write(row)
                tally.rejected[row["source"], row["reason"]] += 1
        tally.rows = kept.rows
    return tally


def audit(
    dataset: str,
    rows: Pieces,
    quarantined: Pieces,
    leaks: Callable[[str], object],
    rules: Sequence[Mapping[str, Any]],
) -> Audit:
    """Check a day as it was stored, piece by piece; `leaks` tells whether a text is certainly personal."""
    from llmops_assets.lib.auditing.conversations import STORED_TEXTS

    seen: set[int] = set()
    leaking = doubles = 0

    def leaking_in(piece: list[dict[str, Any]]) -> int:
        return sum(bool(leaks(row[column])) for row in piece for column in STORED_TEXTS if column in row)

    def passing() -> Iterator[list[dict[str, Any]]]:
        nonlocal leaking, doubles
        for piece in rows:
            leaking += leaking_in(piece)
            for row in piece:
                # Eight bytes an id: a day of a million rows stays small.
                name = hash(row["row_id"])
                doubles += name in seen
                seen.add(name)
            yield piece
        leaking += sum(map(leaking_in, quarantined))

    validation = expectations.validate(dataset, passing(), rules)
    return Audit(leaking, doubles, validation)
