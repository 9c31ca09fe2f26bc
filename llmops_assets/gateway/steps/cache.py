"""Answers out of the cache, and into it."""

from llmops_assets.gateway.cache import AnswerCache, Remembered, key_of
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.steps.base import Step
from llmops_assets.gateway.wishes import NONE, Wishes

REPEATABLE = (NONE, Wishes(temperature=0))
"""Wishes whose answer is the same each time it is made."""
KEPT = ("matched", "generated")
"""Paths whose answers are remembered: the others are a person's, or cost nothing."""


class Recall(Step):
    """Answer what was answered before; the first of the answering steps."""

    name = "recall"

    def __init__(self, cache: AnswerCache, metrics: Metrics) -> None:
        self._cache = cache
        self._metrics = metrics

    async def run(self, exchange: Exchange) -> None:
        """Fill the answer, and all that is told of it, where it is remembered."""
        key = _key(exchange)
        if key is None:
            self._metrics.cache_lookups.labels("passed").inc()
            return
        found = self._cache.find(key)
        self._metrics.cache_lookups.labels("miss" if found is None else "hit").inc()
        if found is None:
            return
        known, age = found
        exchange.answer(known.path, known.text)
        exchange.turn, exchange.decision, exchange.shown = known.turn, known.decision, list(known.shown)
        exchange.cut, exchange.counted, exchange.recalled_after = known.cut, known.counted, round(age, 3)
        self._metrics.cache_age.observe(age)
        self._metrics.cache_saved_seconds.inc(known.seconds)
        self._metrics.cache_saved_tokens.labels("input").inc(known.usage.input_tokens)
        self._metrics.cache_saved_tokens.labels("output").inc(known.usage.output_tokens)


class Remember(Step):
    """Remember an answer that has passed the guards before this one; what is recalled has passed them already.

    Guards that depend on the request and not on the answer stand after it.
    """

    name = "remember"

    def __init__(self, cache: AnswerCache, metrics: Metrics) -> None:
        self._cache = cache
        self._entries = metrics.cache_entries

    async def run(self, exchange: Exchange) -> None:
        """Leave the answer as it is."""
        key = _key(exchange)
        # What guards found something about is looked at, and told, each time.
        if key is None or exchange.path not in KEPT or exchange.recalled_after is not None or exchange.findings:
            return
        known = Remembered(
            path=exchange.path,
            text=exchange.draft or "",
            turn=exchange.turn,
            decision=exchange.decision,
            shown=tuple(exchange.shown),
            usage=exchange.usage,
            counted=exchange.counted,
            cut=exchange.cut,
            seconds=exchange.seconds,
        )
        self._cache.add(key, known)
        self._entries.set(len(self._cache))


def _key(exchange: Exchange) -> bytes | None:
    """The key of an exchange; None where its answer is nobody else's, or would not be the same again."""
    if exchange.personal or exchange.ask.wishes not in REPEATABLE:
        return None
    caller, asked = exchange.caller, exchange.asked
    return key_of(exchange.release_id, caller.role, caller.scopes, asked.text, asked.history)
