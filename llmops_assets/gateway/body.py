"""A request's body as JSON: at most so many bytes, within so many seconds."""

import asyncio
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from llmops_assets.gateway.errors import RequestError

MAX_BODY = 1024 * 1024
MAX_READ = 32 * 1024 * 1024
"""Bytes that are read of a body that is too large, so that its client gets an answer instead of a broken connection."""
BODY_SECONDS = 10.0


async def read_json(request: Request, seconds: float = BODY_SECONDS) -> dict[str, Any]:
    """The JSON object of a body. RequestError 400 for what is none, 408 for what is slow, 413 for what is large."""
    data, size = bytearray(), 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MAX_BODY:
                    data += chunk
                elif size > MAX_READ:
                    break
    except TimeoutError:
        raise RequestError(408, f"the body did not come within {seconds:.0f} s", code="request_timeout") from None
    except ClientDisconnect:
        raise RequestError(400, "the body did not come whole", code="invalid_json") from None
    if size > MAX_BODY:
        raise RequestError(413, f"the body has more than {MAX_BODY} bytes", code="request_too_large")
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise RequestError(400, "the body is not JSON in UTF-8", code="invalid_json") from None
    if not isinstance(body, dict):
        raise RequestError(400, "the body must be a JSON object", code="invalid_json")
    return body
