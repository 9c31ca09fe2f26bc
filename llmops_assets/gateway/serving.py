"""A release that is loaded and answers."""

from dataclasses import dataclass, replace

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import Engine
from llmops_assets.lib.answering.knowledge import Hit, KnowledgeIndex
from llmops_assets.lib.guarding import UNGUARDED, Guards


@dataclass
class Serving:
    """A release ready to answer: its bundle, engine, index and guards, and how many requests are inside."""

    bundle: Bundle
    engine: Engine
    index: KnowledgeIndex | None
    active: int = 0
    guards: Guards = UNGUARDED

    def read(self, hit: Hit) -> Hit:
        """An article as the model reads it: without what was planted in it."""
        text = self.guards.article(hit.answer)
        return hit if text == hit.answer else replace(hit, answer=text)
