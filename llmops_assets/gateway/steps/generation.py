"""An answer by the engine."""

import dataclasses

from llmops_assets.gateway import budget
from llmops_assets.gateway.engine import Usage
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.guarding import Finding


class Generate(Step):
    """Ask the release's engine, with the nearest articles as passages.

    The answer is taken whole: no part of it can be guarded without the rest (docs/decisions/streaming.md).
    """

    name = "generate"

    async def run(self, exchange: Exchange) -> None:
        """Fill the answer and its token counts; EngineError when the engine does not answer."""
        release, wishes = exchange.release, exchange.ask.wishes
        asked = release.guards.asked
        history = [Said(said.speaker, asked(said.text)) for said in exchange.read_before]
        prompt = await budget.prompt(release, asked(exchange.asked.text), exchange.hits, wishes, history)
        allowed = dataclasses.replace(wishes, max_tokens=prompt.answer_tokens)

        def told(usage: Usage) -> None:
            # What a client that leaves, or an engine that fails, has cost is counted too.
            exchange.usage = usage

        release.generating += 1
        try:
            made = await release.engine.generate(prompt.messages, release.bundle.manifest.generation, allowed, told)
        finally:
            release.generating -= 1
        exchange.first_token = made.first_seconds
        exchange.usage, exchange.shown = made.usage, prompt.shown
        if any(release.read(hit) != hit for hit in prompt.shown):
            exchange.found(Finding("passages", "article", "mask"))
        exchange.answer("generated", made.text)
        exchange.cut = made.usage.cut
        own = dataclasses.replace(wishes, max_tokens=None)
        exchange.shortened = made.usage.stopped or (
            made.usage.cut and prompt.answer_tokens < budget.answer_tokens(release, own)
        )
