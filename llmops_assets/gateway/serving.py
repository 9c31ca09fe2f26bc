"""A release that is loaded and answers."""

from dataclasses import dataclass, replace

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import Engine
from llmops_assets.lib.answering.knowledge import Hit, KnowledgeIndex
from llmops_assets.lib.guarding import UNGUARDED, Guards


@dataclass
class Serving:
    """A release ready to answer: its bundle, engine, index and guards, how many requests are inside, and how many of
    them its engine writes an answer for or has waiting."""

    bundle: Bundle
    engine: Engine
    index: KnowledgeIndex | None
    active: int = 0
    generating: int = 0
    guards: Guards = UNGUARDED

    @property
    def waiting(self) -> int:
        """Answers that the engine has not begun, as all it can write at a time are being written."""
        return 0 if self.engine.slots is None else max(0, self.generating - self.engine.slots)

    def read(self, hit: Hit) -> Hit:
        """An article as the model reads it: without what was planted in it."""
        text = self.guards.article(hit.answer)
        return hit if text == hit.answer else replace(hit, answer=text)
