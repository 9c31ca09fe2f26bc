"""What conversations are about and how they went: intent, language, sentiment, resolution, quality of the answer.

`labeller` puts the parts together; `days` labels a day in batches; `queue`, `labelfiles` and `llm` bring people and
other models in. Why it is done so, and how well it does: docs/decisions/labelling.md.
"""

from llmops_assets.lib.labelling.articles import article_links, knowledge_from_rows
from llmops_assets.lib.labelling.intents import IntentClassifier, IntentModel, learn_intents

__all__ = ["IntentClassifier", "IntentModel", "article_links", "knowledge_from_rows", "learn_intents"]
