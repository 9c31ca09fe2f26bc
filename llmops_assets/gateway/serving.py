"""A release that is loaded and answers."""

from dataclasses import dataclass

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import Engine
from llmops_assets.lib.answering.knowledge import KnowledgeIndex


@dataclass
class Serving:
    """A release ready to answer: its bundle, engine and index, how many requests are inside, and how many of them its
    engine writes an answer for or has waiting."""

    bundle: Bundle
    engine: Engine
    index: KnowledgeIndex | None
    active: int = 0
    generating: int = 0

    @property
    def waiting(self) -> int:
        """Answers that the engine has not begun, as all it can write at a time are being written."""
        return 0 if self.engine.slots is None else max(0, self.generating - self.engine.slots)
