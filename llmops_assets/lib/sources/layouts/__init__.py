"""The layouts that conversations come in, a module per system. LAYOUTS is where a new one is entered.

Adding one: CONTRIBUTING.md. What a layout says: base.py.
"""

from collections.abc import Mapping
from typing import Any

from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker, Visibility
from llmops_assets.lib.sources.layouts.chat import Chat
from llmops_assets.lib.sources.layouts.freshdesk import Freshdesk
from llmops_assets.lib.sources.layouts.front import Front
from llmops_assets.lib.sources.layouts.gorgias import Gorgias
from llmops_assets.lib.sources.layouts.helpscout import HelpScout
from llmops_assets.lib.sources.layouts.hubspot import HubSpot
from llmops_assets.lib.sources.layouts.hubspot_tickets import HubSpotTicket
from llmops_assets.lib.sources.layouts.intercom import Intercom
from llmops_assets.lib.sources.layouts.slack import Slack
from llmops_assets.lib.sources.layouts.table import MessageTable
from llmops_assets.lib.sources.layouts.zendesk import Zendesk

LAYOUTS: tuple[Layout, ...] = (
    Intercom(),
    Freshdesk(),
    HubSpot(),
    HubSpotTicket(),
    HelpScout(),
    Front(),
    Gorgias(),
    Slack(),
    MessageTable(),
    Zendesk(),
    Chat(),
)
"""In the order in which they are asked; the last two recognise a name alone."""


def layout_of(record: Mapping[str, Any]) -> Layout | None:
    """The layout of a conversation; None for a record that is none."""
    return next((layout for layout in LAYOUTS if layout.recognises(record)), None)


__all__ = ["LAYOUTS", "Layout", "Message", "Speaker", "Visibility", "layout_of"]
