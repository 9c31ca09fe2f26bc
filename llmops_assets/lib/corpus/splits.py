"""Which side of a split a row is on: training or one of the held-out sides. A row that has a side keeps it for ever.

Rows that share a subject or are near-duplicates are on one side. Sides are given in the order of arrival, from what
came before and a keyed hash; nothing that comes later can change them.
"""

import hashlib
import hmac
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmops_assets.lib.corpus.deduplication import NEAR, Match, NearIndex, normalised
from llmops_assets.lib.hashing import hash_json

TRAINING = "training"
HELD_OUT = "held_out"
HELD_BACK = "held_back"
"""The side of a row that would tie two sides together: neither trained on nor evaluated with."""
SIDES = tuple((name, "string") for name in ("row_id", "identity", "anchor", "side", "reason"))
"""The table of `Placed` rows."""

Row = Mapping[str, Any]


def identity(row: Row) -> str:
    """What a row's side is remembered by: its subject and wording, so that another answer moves nothing. No text."""
    return hash_json([row.get("subject") or "", normalised(row["question"])])[:20]


@dataclass(frozen=True)
class Placed:
    """A row's side, the first row of its group, and why it was held back ("" when it was not)."""

    row_id: str
    identity: str
    anchor: str
    side: str
    reason: str = ""


@dataclass
class Splitter:
    """Gives rows their sides, one after the other.

    `shares` names the sides beside training with their share of the rows, for each intent. `key` is a secret or a
    seed: who does not know it cannot word a row so that it lands on a side.
    """

    shares: Mapping[str, float]
    key: bytes
    threshold: float = NEAR
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _index: NearIndex = field(init=False)
    _home: dict[str, tuple[str, str]] = field(default_factory=dict)
    _subjects: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(share < 0 for share in self.shares.values()) or sum(self.shares.values()) > 1:
            raise ValueError(f"shares must be at least 0 and sum to at most 1, not {dict(self.shares)}")
        if {TRAINING, HELD_BACK} & set(self.shares):
            raise ValueError(f"{TRAINING} takes what the shares leave, {HELD_BACK} takes no share: leave them out")
        self._index = NearIndex(self.threshold, facts_matter=False)

    def place(self, rows: Iterable[Row], known: Mapping[str, str] | None = None) -> Iterator[Placed]:
        """The side of each row, in order; rows have row_id, question, intent, and subject ("" when nobody's).

        `known` maps identities to sides given before: they stand, whatever the row ties together. A row that would tie
        two sides together is held back with the reason, and ties nothing.
        """
        known = known or {}
        ahead: deque[Row] = deque()
        placed: deque[Placed] = deque()

        def texts() -> Iterator[tuple[str, str, str]]:
            for row in rows:
                ahead.append(row)
                yield row["row_id"], row["question"], ""

        def keep(_: str, matches: list[Match]) -> bool:
            row = ahead.popleft()
            found = self._place(row, matches, known.get(identity(row)))
            placed.append(found)
            return found.side != HELD_BACK

        for _ in self._index.scan(texts(), keep):
            yield placed.popleft()

    def _place(self, row: Row, matches: Sequence[Match], known: str | None) -> Placed:
        row_id, name = row["row_id"], identity(row)
        subject, intent = row.get("subject") or "", row.get("intent") or ""
        homes = [self._home[match.row_id] for match in matches]
        if subject in self._subjects:
            homes.insert(0, self._subjects[subject])
        sides = dict.fromkeys(side for _, side in homes)
        if known is not None:
            anchor, side = (homes[0][0] if homes else row_id), known
        elif len(sides) > 1:
            anchors = ", ".join(f"{anchor} ({side})" for anchor, side in dict.fromkeys(homes))
            return Placed(
                row_id, name, row_id, HELD_BACK, f"shares its subject or its wording with both sides: {anchors}"
            )
        elif homes:
            anchor, side = homes[0]
        else:
            anchor, side = row_id, self._side(subject or name, intent)
        if side == HELD_BACK:
            return Placed(row_id, name, anchor, side, "was held back before")
        self.counts[intent][side] += 1
        if not any(match.similarity == 1.0 for match in matches):
            # Of equal texts the first one is held, so only that one can be matched later.
            self._home[row_id] = anchor, side
        if subject:
            self._subjects.setdefault(subject, (anchor, side))
        return Placed(row_id, name, anchor, side)

    def _side(self, anchor: str, intent: str) -> str:
        """The side of a new group: by hash, each side as likely as the intent is short of it.

        Every intent so keeps close to the shares however few rows it has, and no count that comes later matters.
        """
        counted = self.counts[intent]
        total = counted.total() + 1
        wanted = {TRAINING: 1 - sum(self.shares.values()), **self.shares}
        missing = {side: max(0.0, share * total - counted[side]) for side, share in wanted.items()}
        digest = hmac.new(self.key, f"{intent} {anchor}".encode(), hashlib.sha256).digest()
        left = int.from_bytes(digest[:8], "big") / 2**64 * sum(missing.values())
        for side, amount in missing.items():
            if left < amount:
                return side
            left -= amount
        return TRAINING

    def achieved(self) -> dict[str, dict[str, float]]:
        """Share of each side by intent, and over all rows under ""."""
        everything: Counter[str] = Counter()
        for counted in self.counts.values():
            everything.update(counted)
        return {
            intent: {side: counted[side] / counted.total() for side in (TRAINING, *self.shares)}
            for intent, counted in sorted({**self.counts, "": everything}.items())
            if counted.total()
        }


def split(
    rows: Sequence[Row],
    shares: Mapping[str, float],
    key: bytes,
    *,
    known: Mapping[str, str] | None = None,
    threshold: float = NEAR,
) -> tuple[list[Placed], Splitter]:
    """The side of every row, in the rows' order, and the splitter with its counts.

    Rows whose identity is `known` are placed first, in their order, so that a late row that lands among earlier ones
    moves none of them. Variants (rows with a `parent`) take their parent's side and count for nothing; ValueError when
    the parent is not there.
    """
    known = known or {}
    splitter = Splitter(shares, key, threshold)
    origins = [row for row in rows if not row.get("parent")]
    ordered = sorted(origins, key=lambda row: identity(row) not in known)
    placed = {found.row_id: found for found in splitter.place(ordered, known)}
    result = []
    for row in rows:
        parent = row.get("parent") or row["row_id"]
        if parent not in placed:
            raise ValueError(f"row {row['row_id']} is a variant of {parent}, which is not among the rows")
        origin = placed[parent]
        result.append(Placed(row["row_id"], origin.identity, origin.anchor, origin.side, origin.reason))
    return result, splitter
