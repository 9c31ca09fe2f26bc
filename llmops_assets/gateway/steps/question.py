"""The question without personal data: from here on nothing else of what was asked is used."""

import uuid
from datetime import UTC, datetime

from llmops_assets.gateway.clearing import Redacts, clear
from llmops_assets.gateway.errors import RedactionError
from llmops_assets.gateway.exchange import Exchange, Question
from llmops_assets.gateway.steps.base import Step


class ClearQuestion(Step):
    """Redact the question and turn person and conversation into pseudonyms."""

    name = "question"

    def __init__(self, redactor: Redacts) -> None:
        self._redactor = redactor

    async def run(self, exchange: Exchange) -> None:
        """RedactionError when that fails, whatever the reason: nothing is answered and nothing stored."""
        ask = exchange.ask
        (text,) = await clear(self._redactor, [ask.text])
        try:
            subject = self._redactor.subject(exchange.caller.person(ask.user))
            conversation = self._redactor.subject(ask.conversation) if ask.conversation else uuid.uuid4().hex
        except Exception:
            raise RedactionError from None
        exchange.question = Question(text, subject, conversation, ask.time or datetime.now(UTC))
