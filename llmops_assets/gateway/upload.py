"""A file as a form sends it (RFC 7578): its name, its content, and the fields beside it."""

import asyncio
from dataclasses import dataclass, field

import multipart
from starlette.requests import ClientDisconnect, Request

from llmops_assets.gateway.body import BODY_SECONDS, MAX_READ
from llmops_assets.gateway.errors import RequestError

MOST_FILE = 16 * 1024 * 1024
"""Bytes of a file."""
MOST_FIELD = 1024
MOST_PARTS = 8


@dataclass
class Form:
    """What was sent; `content` is None where no part is called `file`."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str = ""
    content: bytes | None = None


async def read_form(request: Request, seconds: float = BODY_SECONDS) -> Form:
    """The form of a body. RequestError 400 for what is none, 408 for what is slow, 413 for what is large."""
    kind, options = multipart.parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise RequestError(400, "a file is sent as multipart/form-data", code="invalid_form")
    data, size = bytearray(), 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MOST_FILE:
                    data += chunk
                elif size > MAX_READ:
                    break
    except TimeoutError:
        raise RequestError(408, f"the file did not come within {seconds:.0f} s", code="request_timeout") from None
    except ClientDisconnect:
        raise RequestError(400, "the file did not come whole", code="invalid_form") from None
    if size > MOST_FILE:
        raise RequestError(413, f"the file has more than {MOST_FILE} bytes: send several", code="request_too_large")
    try:
        return _form(bytes(data), options["boundary"])
    except (multipart.MultipartError, UnicodeDecodeError):
        raise RequestError(400, "the body is not multipart/form-data in UTF-8", code="invalid_form") from None


def _form(data: bytes, boundary: str) -> Form:
    form, part = Form(), b""
    segment: multipart.MultipartSegment | None = None
    with multipart.PushMultipartParser(boundary, max_segment_count=MOST_PARTS, strict=True) as parser:
        for event in parser.parse(data):
            if isinstance(event, multipart.MultipartSegment):
                segment, part = event, b""
            elif event:
                part += event
            elif segment is not None:
                _add(form, segment, part)
    return form


def _add(form: Form, segment: multipart.MultipartSegment, content: bytes) -> None:
    name = segment.name or ""
    if name in form.fields or (name == "file" and form.content is not None):
        raise RequestError(400, "a field is sent twice", code="invalid_form")
    if name == "file":
        form.content, form.filename = content, segment.filename or ""
    elif len(content) > MOST_FIELD:
        raise RequestError(400, "a field is too long", code="invalid_form")
    else:
        form.fields[name] = content.decode()
