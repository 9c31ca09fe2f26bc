"""One upstream as an `Engine`: a server that speaks OpenAI's chat completions, or its older completions.

https://platform.openai.com/docs/api-reference/chat. What it says is taken as it is: text, end, and tokens; where it
names no tokens they are counted by rule (tokens.py). No redirect is followed, and no proxy of the environment used.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from llmops_assets.gateway.engine import STOP, Engine, Usage
from llmops_assets.gateway.errors import EngineError, EngineLostError
from llmops_assets.gateway.upstreams import tokens
from llmops_assets.gateway.upstreams.resolver import Premises
from llmops_assets.gateway.upstreams.settings import Upstream
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.prompting import render_chat
from llmops_assets.lib.records import GenerationSettings

MOST_CHARACTERS = 1 << 20
"""Of one answer: more comes from a server gone wild."""
MOST_REFUSAL = 1 << 16
"""Bytes of a refusal that are read."""
WAITING = (408, 425, 429, 503)
"""Statuses of a server that has no time now."""
AT_FAULT = (400, 413, 422)
"""Statuses that tell of the request: another server would say the same."""
ENDS = {"stop": False, "length": True}
"""How an answer may end, and whether a limit cut it."""
LONGEST_WAIT = 3600.0
"""Seconds of a Retry-After that are believed."""
AGAIN_SECONDS = 1.0
"""After which a model that is not there yet is asked for again."""
LINGER_SECONDS = 0.05
"""How long the end of a connection's body is waited for behind the end of its answer."""


class UnavailableError(EngineError):
    """An upstream fails, or is not what its settings say: another one may answer."""


class UpstreamBusyError(EngineError):
    """An upstream has no time now; `retry_after` seconds later it may."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RemoteEngine(Engine):
    """Answers by the model that an upstream has for one release.

    `key` is sent as a bearer key where it is not "". `own_network`: no other address is connected to.
    """

    def __init__(self, upstream: Upstream, model: str, *, key: str = "", own_network: bool = False) -> None:
        self.context = upstream.context
        self._upstream = upstream
        self._model = model
        self._key = key
        self._own_network = own_network
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Ask for one token: only an answer shows that address, key and model are right. EngineError.

        An upstream that may take its time to have the model is asked again until then.
        """
        upstream = self._upstream
        timeout = aiohttp.ClientTimeout(
            total=upstream.answer_seconds, sock_connect=upstream.connect_seconds, sock_read=upstream.read_seconds
        )
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        self._session = aiohttp.ClientSession(
            timeout=timeout,
            headers={**headers, "accept": "text/event-stream"},
            connector=aiohttp.TCPConnector(limit=0, resolver=Premises(own=self._own_network), ttl_dns_cache=10),
        )
        hello = [{"role": "user", "content": "Hello"}]
        until = time.monotonic() + upstream.start_seconds
        while True:
            try:
                async for _ in self.stream(hello, GenerationSettings(max_tokens=1)):
                    pass
                return
            except (UnavailableError, UpstreamBusyError):
                if time.monotonic() + AGAIN_SECONDS > until:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def stop(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def tokens(self, text: str) -> list[bytes]:
        """By rule: more rather than fewer than the upstream counts."""
        self._open()
        return tokens.pieces(text)

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """By rule: more rather than fewer than the upstream counts."""
        self._open()
        return tokens.prompt(messages)

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        """Answer a chat in pieces; closing the stream closes the connection, by which servers stop their work."""
        session, name = self._open(), self._upstream.name
        path = "/chat/completions" if self._upstream.api == "chat" else "/completions"
        body = self._body(messages, settings, wishes)
        answer = _Answer(name, tokens.prompt(messages), body[self._upstream.limit_name], wishes)
        try:
            async with session.post(f"{self._upstream.url}{path}", json=body, allow_redirects=False) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                async for line in response.content:
                    for part in answer.read(line):
                        yield part
                        if self._session is not session:
                            raise EngineError(f"upstream {name} was stopped in the middle of an answer")
                    if answer.done:
                        # A connection whose answer was read to its very end is used again.
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(LINGER_SECONDS):
                                await response.content.read(1)
                        break
        except TimeoutError as error:
            raise answer.broken("did not answer in time") from error
        except (ValueError, LookupError, TypeError, AttributeError, HttpProcessingError):
            # Without its cause, whose message may quote what was generated.
            raise answer.broken("does not answer with a stream of completions") from None
        except (aiohttp.ClientError, OSError) as error:
            if self._session is not session:
                raise EngineError(f"upstream {name} was stopped in the middle of an answer") from error
            raise answer.broken(f"cannot be reached: {_why(error)}") from error
        if answer.end is None:
            if self._session is not session:
                raise EngineError(f"upstream {name} was stopped in the middle of an answer")
            raise answer.broken("ended before its answer did")
        yield answer.usage

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise EngineError(f"upstream {self._upstream.name} is stopped")
        return self._session

    def _body(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes
    ) -> dict[str, Any]:
        upstream, chat = self._upstream, [dict(message) for message in messages]
        asked = {name: getattr(wishes, name) for name in wishes.sampling}
        if wishes.form:
            asked["response_format"] = json.loads(wishes.form)
        # A caller's texts come from its own table; the end of a turn is a mark of the template that is sent.
        stop = [*wishes.stop] if upstream.api == "chat" else [*STOP, *wishes.stop]
        return {
            "model": self._model,
            **({"messages": chat} if upstream.api == "chat" else {"prompt": render_chat(chat)}),
            "temperature": settings.temperature,
            **asked,
            **({"stop": stop} if stop else {}),
            upstream.limit_name: min(settings.max_tokens, wishes.max_tokens or settings.max_tokens),
            "stream": True,
            "stream_options": {"include_usage": True},
            **upstream.body,
        }

    async def _refusal(self, response: aiohttp.ClientResponse) -> EngineError:
        name, status = self._upstream.name, response.status
        if status in WAITING:
            return UpstreamBusyError(f"upstream {name} has no time ({status})", _wait(response.headers))
        if status in AT_FAULT:
            return EngineError(f"upstream {name} refused the request ({status} {await _code(response)})")
        why = {401: "check its key", 403: "check its key", 404: "check its address and model"}.get(status, "")
        if 300 <= status < 400:
            why = "it points elsewhere, which is not followed: give the address itself"
        return UnavailableError(f"upstream {name} answered {status}{': ' * bool(why)}{why}")


class _Answer:
    """An answer as its events come in. ValueError and its like on what is no event of a completion."""

    def __init__(self, name: str, read: int, most: int, wishes: Wishes) -> None:
        self.done = False
        self.end: str | None = None
        self.written = 0
        self._name = name
        self._most = most
        self._wishes = wishes
        self._characters = 0
        self._counted = Usage(read, 0, by=name)
        self._stopped_at = ""

    @property
    def usage(self) -> Usage:
        """What the whole answer took."""
        cut = ENDS[self.end or "stop"]
        # Few servers say which text it was: with one in question, the answer is not taken for a whole one.
        stopped = not cut and bool(self._wishes.stop) and self._stopped_at not in STOP
        return Usage(self._counted.input_tokens, self._counted.output_tokens, cut, stopped, self._name)

    def broken(self, why: str) -> EngineError:
        """What is to be raised where nothing more comes."""
        kind = EngineLostError if self.written else UnavailableError
        return kind(f"upstream {self._name} {why}")

    def read(self, line: bytes) -> list[str | Usage]:
        """What a line of the stream brings: a piece, and before it what the answer has taken with it."""
        if not line.startswith(b"data:"):
            if line.strip() and not line.startswith((b":", b"event:", b"id:", b"retry:")):
                raise ValueError("no line of an event stream")
            return []
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return []
        event = json.loads(data)
        if event.get("error"):
            raise self.broken("failed at its answer")
        parts: list[str | Usage] = []
        for choice in event.get("choices") or ():
            parts += self._choice(choice)
        if usage := event.get("usage"):
            read, written = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
            if read < 0 or written < 0:
                raise ValueError("no count of tokens")
            self._counted = Usage(read, written, by=self._name)
        return parts

    def _choice(self, choice: Mapping[str, Any]) -> list[str | Usage]:
        delta = choice.get("delta") or {}
        text = choice.get("text") or delta.get("content") or delta.get("refusal") or ""
        if not isinstance(text, str):
            raise TypeError("no text")
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise ValueError("an answer without end")
        if (end := choice.get("finish_reason")) is not None:
            if end not in ENDS:
                raise EngineError(f"upstream {self._name} gave no whole answer: it ended with {str(end)[:40]!r}")
            self.end, self._stopped_at = end, _stopped_at(choice)
        if not text:
            return []
        self.written += len(tokens.pieces(text))
        self._counted = Usage(self._counted.input_tokens, min(self.written, self._most), by=self._name)
        return [self._counted, text]


def _stopped_at(choice: Mapping[str, Any]) -> str:
    """The text at which vLLM says that it stopped: one of ours where the answer ended by itself."""
    if "stop_reason" not in choice:
        return ""
    reason = choice["stop_reason"]
    return reason if isinstance(reason, str) else STOP[0]


async def _code(response: aiohttp.ClientResponse) -> str:
    """The code of a refusal in OpenAI's shape, and nothing else of it: the rest may quote what was asked."""
    try:
        error = json.loads(await response.content.read(MOST_REFUSAL))["error"]
        code = str(error.get("code") or error.get("type"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "no reason"
    return code if re.fullmatch(r"[a-zA-Z_]{1,60}", code) else "no reason"


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds of a Retry-After, which is a number or a date (RFC 9110, 10.2.3)."""
    told = headers.get("Retry-After", "")
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 1.0
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else 1.0


def _why(error: Exception) -> str:
    """Why a connection failed, without the address, which stands in the settings."""
    inner = getattr(error, "os_error", None) or error
    return str(getattr(inner, "strerror", None) or inner)[:200] or type(inner).__name__
