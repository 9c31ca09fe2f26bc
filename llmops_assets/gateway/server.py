"""The HTTP server: uvicorn, with an end to clients that send a request a byte at a time, or one without end."""

import asyncio
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from llmops_assets.gateway.body import BODY_SECONDS, MAX_READ

HEAD_SECONDS = 10.0
"""How long a request line with its headers may take, from the connection or the first byte on."""
MOST_HEAD = 64 * 1024
"""Bytes of a request line with its headers."""
MOST_BODY = 2 * MAX_READ
"""Bytes of a body after which the connection ends, also of one that nobody reads; the application refuses before."""
MARGIN_SECONDS = 5.0
"""How much longer than the application the connection waits for a body: a client is told first."""


def server_config(app: Starlette, **options: Any) -> uvicorn.Config:
    """How an application is served. Access logs hold no texts, but addresses of customers: the interaction log is the
    record. How the rest is logged is the process's (logs.py)."""
    options = {
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "ws": "none",
        "server_header": False,
        **options,
    }
    return uvicorn.Config(app, http=PunctualProtocol, **options)


class PunctualProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which closes a connection whose request does not come in time.

    uvicorn itself waits for ever: its keep-alive timeout ends with the first byte.
    """

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS + MARGIN_SECONDS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._due: asyncio.TimerHandle | None = None
        self._size = 0
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        super().connection_made(transport)  # ty: ignore[invalid-argument-type]
        self._expect(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._expect(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what comes between requests is the beginning of one."""
        self._size += len(data)
        if not self._in_body and self._due is None:
            self._expect(self.head_seconds)
        super().data_received(data)
        if self._size > (MOST_BODY if self._in_body else MOST_HEAD):
            self._close()

    def on_headers_complete(self) -> None:
        """The head is whole: the body is due."""
        self._in_body, self._size = True, 0
        self._expect(self.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body, self._size = False, 0
        self._expect(None)
        super().on_message_complete()

    def _expect(self, seconds: float | None) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = None if seconds is None else self.loop.call_later(seconds, self._close)

    def _close(self) -> None:
        self._due = None
        if not self.transport.is_closing():
            self.transport.close()
