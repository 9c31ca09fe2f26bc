"""Articles that speak to the assistant instead of to customers, or abuse people: found where they are published.

Whoever may write an article, or a correction that becomes one, could have the model say something. What is planted is
listed at the build, and by policy kept from the model, held back, or a reason to stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llmops_assets.lib.guarding import injection, toxicity
from llmops_assets.lib.guarding.linear import sentences
from llmops_assets.lib.guarding.table import THRESHOLDS
from llmops_assets.lib.records import Article, PassageRule


@dataclass(frozen=True)
class Sifted:
    """The articles that are served, and the sentences found in each one in which there are any, by its id."""

    articles: tuple[Article, ...]
    planted: dict[str, tuple[str, ...]]


def sifted(articles: Sequence[Article], rule: PassageRule | None) -> Sifted:
    """What is planted in articles; where the rule says hand_over, what holds any is held back."""
    if rule is None:
        return Sifted(tuple(articles), {})
    found = {article.id: tuple(planted(article.answer, rule)) for article in articles}
    found = {name: told for name, told in found.items() if told}
    kept = [article for article in articles if rule.action != "hand_over" or article.id not in found]
    return Sifted(tuple(kept), found)


def planted(text: str, rule: PassageRule) -> list[str]:
    """The sentences of an article that speak to the assistant instead of to customers, or abuse people."""
    least = rule.threshold or THRESHOLDS["passages"]
    return [
        sentence
        for sentence in sentences(text)
        if injection.likely(sentence) >= least or toxicity.likely(sentence) >= THRESHOLDS["toxicity"]
    ]
