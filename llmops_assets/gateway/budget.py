"""One budget of tokens for everything that an engine reads and writes for an answer.

The engine's context holds the release's prompt, the turns before a follow-up, the question, the passages and the
answer. The answer's share is set aside first; the question must fit beside it, or the request is refused before
anything is sent; passages take what is left, the nearest first, and then the turns before it, the newest first. So
nothing that was accepted can be too long for the engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llmops_assets.gateway.engine import Engine
from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.serving import Serving
from llmops_assets.gateway.wishes import Wishes
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.knowledge import Hit, passage_hits, passages
from llmops_assets.lib.answering.prompting import build_messages, render_chat

SPARE = 8
"""Tokens that stay free: marks that an engine puts around a prompt."""


@dataclass(frozen=True)
class Prompt:
    """What an engine is asked: the chat, the articles in it, and how many tokens the answer may have."""

    messages: list[dict[str, str]]
    shown: list[Hit]
    answer_tokens: int


def answer_tokens(release: Serving, wishes: Wishes) -> int:
    """Tokens of an answer: what release and caller both allow, and never more than half of the context."""
    most = min(release.bundle.manifest.generation.max_tokens, release.engine.context // 2)
    return most if wishes.max_tokens is None else min(most, wishes.max_tokens)


async def admit(release: Serving, question: str, wishes: Wishes) -> None:
    """RequestError 400 when a question is too long for the release's engine, even without a passage."""
    room = release.engine.context - answer_tokens(release, wishes) - SPARE
    messages = build_messages(release.bundle.manifest.prompt.template, question)
    over = await _over(release.engine, messages, room)
    if over > 0:
        raise RequestError(
            400,
            f"the question is about {over} tokens too long: the model reads {room} tokens with its instructions, and "
            f"{release.engine.context} with its answer; shorten it",
            code="context_length_exceeded",
            param="messages",
        )


async def prompt(
    release: Serving, question: str, hits: Sequence[Hit], wishes: Wishes, history: Sequence[Said] = ()
) -> Prompt:
    """The chat for an admitted question, with as many of the nearest articles and of the turns before it as there is
    room for."""
    manifest, answer = release.bundle.manifest, answer_tokens(release, wishes)
    room = release.engine.context - answer - SPARE
    shown = passage_hits(hits, manifest.router)

    def chat(before: Sequence[Said]) -> list[dict[str, str]]:
        read = [hit for hit in map(release.read, shown) if hit.answer]
        return build_messages(manifest.prompt.template, question, passages(read, manifest.router), before)

    while shown and await _over(release.engine, chat(()), room) > 0:
        shown = shown[:-1]
    return Prompt(chat(await _newest(release, history, chat, room)), shown, answer)


async def _newest(
    release: Serving, history: Sequence[Said], chat: Callable[[Sequence[Said]], list[dict[str, str]]], room: int
) -> Sequence[Said]:
    """The last turns that fit beside the rest and into the release's share for them."""
    least = await release.engine.count(chat(())) if history else 0
    room = min(room, least + release.bundle.manifest.generation.history_tokens)
    for start in range(len(history)):
        if await _over(release.engine, chat(history[start:]), room) <= 0:
            return history[start:]
    return ()


async def _over(engine: Engine, messages: Sequence[Mapping[str, str]], room: int) -> int:
    """How many tokens a chat has more than there is room for; 0 or less: it fits."""
    # No token is less than a byte, so most chats need no counting.
    size = len(render_chat([dict(message) for message in messages]).encode())
    return size - room if size <= room else await engine.count(messages) - room
