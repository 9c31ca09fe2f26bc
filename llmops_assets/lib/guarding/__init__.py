"""Guards over what is asked, known and answered: what they find, by policy, and what is done about it.

Pure: texts in, findings out. The gateway's steps act on them (gateway/steps), the knowledge base lists what stands in
articles (data/knowledge_base.py). Which guard does what, and how well: docs/decisions/guards.md.
"""

from llmops_assets.lib.guarding.guards import UNGUARDED, Guards
from llmops_assets.lib.guarding.passages import Sifted, planted, sifted
from llmops_assets.lib.guarding.table import GUARDS, THRESHOLDS, Finding, Guard, Place

__all__ = ["GUARDS", "THRESHOLDS", "UNGUARDED", "Finding", "Guard", "Guards", "Place", "Sifted", "planted", "sifted"]
