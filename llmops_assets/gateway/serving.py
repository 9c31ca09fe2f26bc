"""A release that is loaded and answers."""

from dataclasses import dataclass

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import Engine
from llmops_assets.lib.answering.knowledge import KnowledgeIndex


@dataclass
class Serving:
    """A release ready to answer: its bundle, engine and index, and how many requests are inside."""

    bundle: Bundle
    engine: Engine
    index: KnowledgeIndex | None
    active: int = 0
