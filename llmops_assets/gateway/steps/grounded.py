"""No generated answer that the articles do not carry."""

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.answering.explanations import support
from llmops_assets.lib.guarding import Finding


class Grounded(Step):
    """Hand over where too few of a generated answer's words stand in the articles that were found or in the question.

    The measure is lexical (lib/answering/explanations.py), so it is blind to a paraphrase and certain of an invention.
    JSON is made of other words than articles are.
    """

    name = "grounded"

    async def run(self, exchange: Exchange) -> None:
        """Leave the answer, or let a person answer."""
        least = exchange.release.bundle.manifest.router.grounded_above
        if not least or exchange.path != "generated" or exchange.ask.wishes.grammar or not exchange.hits:
            return
        said = [hit.answer for hit in exchange.hits]
        if support(exchange.draft or "", [*said, exchange.asked.text]).together < least:
            exchange.heed([Finding("grounded", "answer", "hand_over")])
