"""A target's HTTP client: questions and feedback as a customer's client sends them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Which = Literal["live", "canary", "shadow", "preview"]
MODEL_NAMES: dict[Which, str] = {
    "live": "assistant",
    "canary": "assistant-canary",
    "shadow": "assistant-shadow",
    "preview": "assistant-preview",
}
ASK_SECONDS = 180.0


@dataclass(frozen=True)
class Ask:
    """A question to a target, as a customer's client sends it."""

    question: str
    user: str = ""
    conversation: str = ""
    time: datetime | None = None
    history: tuple[tuple[str, str], ...] = ()
    """(customer, assistant) before the question, the oldest first."""


@dataclass(frozen=True)
class TargetReply:
    """What came back; `status` is the HTTP status (0: nothing came), and only 200 carries an answer."""

    status: int
    answer: str = ""
    path: str = ""
    article: str | None = None
    similarity: float | None = None
    release_id: str = ""
    interaction: str = ""
    latency_seconds: float = 0.0
    error: str = ""


FeedbackEntry = tuple[str, int, str, str, datetime | None]
"""Interaction, rating (-1, 0, 1), reason, correction, time."""


def ask_many(address: str, asks: Sequence[Ask], which: Which, concurrency: int, key: str = "") -> list[TargetReply]:
    """Answers in the order of the questions. An unreachable address gives status 0, it does not raise."""
    return asyncio.run(_ask_many(address, asks, MODEL_NAMES[which], concurrency, _headers(key)))


def give_feedback(address: str, feedback: Sequence[FeedbackEntry], concurrency: int, key: str = "") -> int:
    """Send feedback and return how many entries were stored."""
    return asyncio.run(_give_feedback(address, feedback, concurrency, _headers(key)))


async def _ask_many(
    address: str, asks: Sequence[Ask], model: str, concurrency: int, known: dict[str, str]
) -> list[TargetReply]:
    import aiohttp

    slots = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_SECONDS)) as session:

        async def one(ask: Ask) -> TargetReply:
            body = {
                "model": model,
                "messages": [*before(ask.history), {"role": "user", "content": ask.question}],
                "user": ask.user,
                "metadata": {"conversation": ask.conversation},
            }
            headers = {**known, **({"x-llmops-time": ask.time.isoformat()} if ask.time else {})}
            async with slots:
                try:
                    async with session.post(f"{address}/v1/chat/completions", json=body, headers=headers) as response:
                        answer = await response.json()
                        if response.status != 200:
                            return TargetReply(response.status, error=str(answer.get("error", {}).get("message", "")))
                        return _reply(answer)
                except (aiohttp.ClientError, TimeoutError, ValueError, LookupError) as error:
                    return TargetReply(0, error=f"{type(error).__name__}: {error}")

        return list(await asyncio.gather(*(one(ask) for ask in asks)))


def before(history: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Messages of what was said before a question."""
    roles = ("user", "assistant")
    return [{"role": role, "content": text} for pair in history for role, text in zip(roles, pair, strict=True)]


def _headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def _reply(answer: dict[str, Any]) -> TargetReply:
    about = answer["llmops"]
    return TargetReply(
        status=200,
        answer=answer["choices"][0]["message"]["content"],
        path=about["path"],
        article=about["article"],
        similarity=about["similarity"],
        release_id=answer["model"],
        interaction=about["interaction"],
        latency_seconds=about["latency_seconds"],
    )


async def _give_feedback(
    address: str, feedback: Sequence[FeedbackEntry], concurrency: int, known: dict[str, str]
) -> int:
    import aiohttp

    slots = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_SECONDS)) as session:

        async def one(interaction: str, rating: int, reason: str, correction: str, moment: datetime | None) -> bool:
            body = {"interaction": interaction, "rating": rating, "reason": reason, "correction": correction}
            headers = {**known, **({"x-llmops-time": moment.isoformat()} if moment else {})}
            async with slots, session.post(f"{address}/v1/feedback", json=body, headers=headers) as response:
                return response.status == 200

        return sum(await asyncio.gather(*(one(*entry) for entry in feedback)))
