"""An answer by the engine."""

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.answering.knowledge import passages
from llmops_assets.lib.answering.prompting import build_messages


class Generate(Step):
    """Ask the release's engine, with the nearest articles as passages.

    The answer is taken whole: no part of it can be guarded without the rest (docs/decisions/streaming.md).
    """

    name = "generate"

    async def run(self, exchange: Exchange) -> None:
        """Fill the answer and its token counts; EngineError when the engine does not answer."""
        manifest = exchange.release.bundle.manifest
        found = passages(exchange.hits, manifest.router)
        messages = build_messages(manifest.prompt.template, exchange.asked.text, found)
        made = await exchange.release.engine.generate(messages, manifest.generation)
        exchange.usage = made.usage
        exchange.answer("generated", made.text)
