"""Questions that the gateway has answered well, or that customers have corrected: the log as a source.

The log holds redacted text and pseudonyms only. Interactions without a good rating or a correction are no rows, nor are
answers that were rated without having arrived whole.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.sources import Changes, RawRow, Rejected, Shape, Source, rows_of


class Interactions(Source):
    """Rated and corrected interactions; the answer of a corrected one is the correction."""

    def __init__(self, name: str, url: str, shape: Shape) -> None:
        self.name = name
        self._shape = shape
        self._log = InteractionLog(url)

    def changed_since(self, cursor: str) -> Changes:
        """Days of the interactions that got feedback after the cursor's."""
        days, last = self._log.days_with_feedback(int(cursor or 0))
        states = {date.fromisoformat(day): hash_json([day, number])[:12] for day, number in days.items()}
        return Changes(states, str(last))

    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """The day's interactions with a good rating or a correction, in the order of time."""
        start = datetime.combine(day, time(), UTC)
        found = self._log.interactions(start, start + timedelta(days=1))
        # An answer that broke off is praised for what it would have said.
        chosen = [row for row in found if row["correction"] or (row["rating"] > 0 and row["status"] == 200)]
        records = (
            (
                f"interaction {row['id']}",
                {
                    "id": row["id"],
                    "question": row["question"],
                    "answer": row["correction"] or row["answer"],
                    "time": row["time"],
                    "subject": row["subject"],
                    "rating": 0 if row["correction"] else row["rating"],
                },
            )
            for row in chosen
        )
        return rows_of(records, self.name, self._shape)

    def close(self) -> None:
        """Close all connections."""
        self._log.close()
