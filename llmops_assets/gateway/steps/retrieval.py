"""The articles nearest to the question, and what their nearness decides."""

import asyncio

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.answering.knowledge import route
from llmops_assets.lib.records import RouterPolicy


class Retrieve(Step):
    """Look up the articles nearest to the question; none for a release without an index."""

    name = "retrieve"

    def __init__(self, embedder: Embeds) -> None:
        self._embedder = embedder

    async def run(self, exchange: Exchange) -> None:
        """Fill `hits`."""
        index, policy = exchange.release.index, exchange.release.bundle.manifest.router
        if index is None or not policy.retrieval:
            return
        vector = (await asyncio.to_thread(self._embedder.embed, [exchange.asked.text]))[0]
        exchange.hits = index.search(vector, max(2, policy.passages))


class Route(Step):
    """Answer a sure match with its article, hand over what is foreign, leave the rest to the engine."""

    name = "route"

    async def run(self, exchange: Exchange) -> None:
        """Fill `path`, and the answer where nothing is to be generated."""
        index, policy = exchange.release.index, exchange.release.bundle.manifest.router
        path = "generated" if index is None else route(exchange.hits, policy)
        if path == "matched" and exchange.ask.wishes.grammar:
            # A published article is a text: what must be JSON is made of it.
            path = "generated"
        if path == "matched":
            exchange.answer(path, exchange.hits[0].answer)
        elif path == "handover":
            exchange.hand_over(_reason(exchange, policy))
        else:
            exchange.path = path


def _reason(exchange: Exchange, policy: RouterPolicy) -> str:
    """Why a person must answer, where that is known: the question is about one case."""
    known = [hit for hit in exchange.hits[:1] if hit.kind == "look_up" and hit.similarity >= policy.hand_over_below]
    return known[0].answer if known else ""
