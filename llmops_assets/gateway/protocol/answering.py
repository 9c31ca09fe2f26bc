"""The endpoints that answer, each with its shapes."""

from collections.abc import Mapping
from typing import Any

from llmops_assets.gateway.protocol.chat import ChatReply
from llmops_assets.gateway.protocol.completions import CompletionReply
from llmops_assets.gateway.protocol.reply import Reply
from llmops_assets.gateway.protocol.responses import ResponseReply

REPLIES: Mapping[str, type[Reply[Any]]] = {
    "/v1/chat/completions": ChatReply,
    "/v1/completions": CompletionReply,
    "/v1/responses": ResponseReply,
}
