"""What the gateway does for one request, as one explicit chain: redact → retrieve → route → generate → guard → log.

Authentication, limits and metering are the application's (app.py). Every step works on redacted text only; when
redaction fails the request fails (503), nothing is generated and nothing is stored.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import Engine
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib.embedding import Embeds
from llmops_assets.lib.knowledge import AnswerPath, Hit, KnowledgeIndex, passages, route
from llmops_assets.lib.prompting import build_messages
from llmops_assets.lib.records import Feedback, Interaction

HOLD_BACK = 48
"""Characters of a stream that are held back: personal data may be cut by a chunk's end."""


class Redacts(Protocol):
    """What the chain needs of a redactor (llmops_assets.lib.redaction.Redactor)."""

    def redact(self, texts: list[str]) -> list[str]:
        """Texts of one conversation without personal data."""
        ...

    def subject(self, raw: str) -> str:
        """Pseudonym of a person."""
        ...


class RedactionError(Exception):
    """A text could not be cleared of personal data; it must not be used."""


@dataclass(frozen=True)
class Question:
    """What was asked, redacted, by whom (a pseudonym), in which conversation, when."""

    text: str
    subject: str
    conversation: str
    time: datetime


@dataclass(frozen=True)
class Reply:
    """An answer and what it rests on."""

    interaction: str
    release_id: str
    answer: str
    path: AnswerPath
    article: str | None
    similarity: float | None
    latency_seconds: float
    input_tokens: int
    output_tokens: int


@dataclass
class Serving:
    """A release ready to answer: its bundle, engine and index, and how many requests are inside."""

    bundle: Bundle
    engine: Engine
    index: KnowledgeIndex | None
    active: int = 0


class Chain:
    """The steps of a request over the resources of one gateway process."""

    def __init__(self, redactor: Redacts, embedder: Embeds, log: InteractionLog) -> None:
        self._redactor = redactor
        self._embedder = embedder
        self._log = log

    async def question(self, text: str, user: str, conversation: str, moment: datetime | None) -> Question:
        """Redact what came in. RedactionError when that fails, whatever the reason."""
        try:
            redacted = (await asyncio.to_thread(self._redactor.redact, [text]))[0]
            subject = self._redactor.subject(user or "anonymous")
            group = self._redactor.subject(conversation) if conversation else uuid.uuid4().hex
        except Exception as error:
            # Fails closed: the cause's message may hold the text itself, so only its type leaves this line.
            raise RedactionError(type(error).__name__) from None
        return Question(redacted, subject, group, moment or datetime.now(UTC))

    async def answer(self, serving: Serving, question: Question, *, logged: bool) -> Reply:
        """Answer a question with a release; `logged` writes the interaction before the answer leaves."""
        started = time.monotonic()
        hits, path = await self._route(serving, question)
        manifest = serving.bundle.manifest
        text, tokens_in, tokens_out = manifest.handover, 0, 0
        if path == "matched":
            text = hits[0].answer
        elif path == "generated":
            messages = build_messages(manifest.prompt.template, question.text, passages(hits, manifest.router))
            made = await serving.engine.generate(messages, manifest.generation)
            text, tokens_in, tokens_out = await self._guarded(made.text, hits), made.input_tokens, made.output_tokens
        reply = self._reply(serving, hits, path, text, tokens_in, tokens_out, time.monotonic() - started)
        if logged:
            await self._store(reply, question)
        return reply

    async def stream(
        self, serving: Serving, question: Question, *, logged: bool, done: Callable[[Reply], None]
    ) -> AsyncIterator[str]:
        """Answer in pieces; `done` gets the whole reply after the last one. A tail is held back for the guard."""
        started = time.monotonic()
        hits, path = await self._route(serving, question)
        manifest = serving.bundle.manifest
        if path == "generated":
            messages = build_messages(manifest.prompt.template, question.text, passages(hits, manifest.router))
            raw, sent, count = "", "", 0
            async for piece in serving.engine.stream(messages, manifest.generation):
                raw, count = raw + piece, count + 1
                if len(raw) - HOLD_BACK > len(sent):
                    clear = await self._guarded(raw.lstrip(), hits)
                    safe = clear[: max(0, len(clear) - HOLD_BACK)]
                    # The guard may replace what stands at the edge, so only text that stays a prefix goes out.
                    if safe.startswith(sent) and len(safe) > len(sent):
                        yield safe[len(sent) :]
                        sent = safe
            text = await self._guarded(raw.strip(), hits)
            if text.startswith(sent):
                yield text[len(sent) :]
        else:
            text, count = (hits[0].answer if path == "matched" else manifest.handover), 0
            yield text
        reply = self._reply(serving, hits, path, text, 0, count, time.monotonic() - started)
        if logged:
            await self._store(reply, question)
        done(reply)

    async def feedback(self, interaction: str, rating: int, reason: str, correction: str, moment: datetime) -> bool:
        """Store feedback with its texts redacted; False when the interaction is unknown."""
        try:
            reason, correction = await asyncio.to_thread(self._redactor.redact, [reason, correction])
        except Exception as error:
            raise RedactionError(type(error).__name__) from None
        record = Feedback.model_validate(
            {"interaction": interaction, "time": moment, "rating": rating, "reason": reason, "correction": correction}
        )
        return await asyncio.to_thread(self._log.add_feedback, record)

    async def _route(self, serving: Serving, question: Question) -> tuple[list[Hit], AnswerPath]:
        policy = serving.bundle.manifest.router
        if serving.index is None or not policy.retrieval:
            return [], "generated"
        vector = (await asyncio.to_thread(self._embedder.embed, [question.text]))[0]
        hits = serving.index.search(vector, max(2, policy.passages))
        return hits, route(hits, policy)

    async def _guarded(self, text: str, hits: list[Hit]) -> str:
        """A generated text without personal data; what stands in the passages is published and stays."""
        try:
            redacted = (await asyncio.to_thread(self._redactor.redact, [text]))[0]
        except Exception as error:
            raise RedactionError(type(error).__name__) from None
        return text if any(text == hit.answer for hit in hits) else redacted

    async def _store(self, reply: Reply, question: Question) -> None:
        record = Interaction(
            id=reply.interaction,
            time=question.time,
            release_id=reply.release_id,
            subject=question.subject,
            conversation=question.conversation,
            question=question.text,
            answer=reply.answer,
            path=reply.path,
            article=reply.article,
            similarity=reply.similarity,
            latency_seconds=reply.latency_seconds,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
        )
        await asyncio.to_thread(self._log.append, record)

    @staticmethod
    def _reply(
        serving: Serving, hits: list[Hit], path: AnswerPath, text: str, tokens_in: int, tokens_out: int, seconds: float
    ) -> Reply:
        return Reply(
            interaction=uuid.uuid4().hex,
            release_id=serving.bundle.release_id,
            answer=text,
            path=path,
            article=hits[0].article if hits and path == "matched" else None,
            similarity=round(hits[0].similarity, 4) if hits else None,
            latency_seconds=round(seconds, 4),
            input_tokens=tokens_in,
            output_tokens=tokens_out,
        )
