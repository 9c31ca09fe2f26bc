"""The question and what was said before it without personal data: from here on nothing else of them is used."""

import uuid
from datetime import UTC, datetime

from llmops_assets.gateway.clearing import Redacts, clear
from llmops_assets.gateway.errors import RedactionError
from llmops_assets.gateway.exchange import Exchange, Question
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.answering.conversation import Said


class ClearQuestion(Step):
    """Redact the conversation as one thing, and turn person and conversation into pseudonyms."""

    name = "question"

    def __init__(self, redactor: Redacts) -> None:
        self._redactor = redactor

    async def run(self, exchange: Exchange) -> None:
        """RedactionError when that fails, whatever the reason: nothing is answered and nothing stored."""
        ask = exchange.ask
        texts = [*(said.text for said in ask.history), ask.text]
        *before, text = cleared = await clear(self._redactor, texts)
        exchange.personal = cleared != texts
        history = tuple(Said(said.speaker, told) for said, told in zip(ask.history, before, strict=True))
        try:
            subject = ask.subject or self._redactor.subject(exchange.caller.person(ask.user))
            known = (
                ask.conversation if ask.subject or not ask.conversation else self._redactor.subject(ask.conversation)
            )
            conversation = known or uuid.uuid4().hex
        except Exception:
            raise RedactionError from None
        exchange.question = Question(text, history, subject, conversation, ask.time or datetime.now(UTC))
