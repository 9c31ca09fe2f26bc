"""What a turn asks, the articles nearest to it, and what follows from that."""

import asyncio
from collections.abc import Mapping

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.answering.deciding import Decision, Reason, courtesy, decide
from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.answering.reading import read
from llmops_assets.lib.answering.wordings import Kind

SAID: Mapping[Reason, Kind] = {"person": "person", "own_case": "own_case"}
"""Reasons of a handover that are told."""


class Courtesy(Step):
    """Answer what is small talk and nothing else; a caller that reads JSON gets none."""

    name = "courtesy"

    async def run(self, exchange: Exchange) -> None:
        """Fill the answer where there is one."""
        manifest = exchange.release.bundle.manifest
        if exchange.ask.wishes.grammar or not manifest.router.retrieval:
            return
        exchange.decision = courtesy(exchange.asked.text, exchange.asked.history, manifest.language)
        if exchange.decision is not None:
            _answer(exchange, exchange.decision)


class Retrieve(Step):
    """Read the turn in its conversation, with the articles nearest to it; not for a release without an index."""

    name = "retrieve"

    def __init__(self, embedder: Embeds) -> None:
        self._embedder = embedder

    async def run(self, exchange: Exchange) -> None:
        """Fill `turn`."""
        index, manifest = exchange.release.index, exchange.release.bundle.manifest
        if index is None or not manifest.router.retrieval:
            return
        asked = exchange.asked
        exchange.turn = await asyncio.to_thread(
            read, asked.text, asked.history, index, self._embedder, manifest.router, manifest.language
        )


class Route(Step):
    """Answer a sure match with its article, hand over what is a person's, leave the rest to the engine."""

    name = "route"

    async def run(self, exchange: Exchange) -> None:
        """Fill `path`, and the answer where nothing is to be generated."""
        if exchange.turn is None:
            exchange.path = "generated"
            return
        found = decide(exchange.turn, exchange.asked.history, exchange.release.bundle.manifest.language)
        if found.path in ("matched", "small_talk") and exchange.ask.wishes.grammar:
            # A published article is a text: what must be JSON is made of it.
            found = Decision("generated")
        exchange.decision = found
        _answer(exchange, found)


def _answer(exchange: Exchange, found: Decision) -> None:
    if found.path == "matched":
        exchange.answer("matched", "\n\n".join(hit.answer for hit in found.cited))
    elif found.path == "small_talk":
        exchange.answer("small_talk", exchange.words(found.say or "nod"))
    elif found.path == "handover":
        exchange.hand_over(_reason(exchange, found))
    else:
        exchange.path = found.path


def _reason(exchange: Exchange, found: Decision) -> str:
    """Why a person must answer, where that is to be told."""
    if found.reason == "look_up":
        return found.cited[0].answer
    return exchange.words(SAID[found.reason]) if found.reason in SAID else ""
