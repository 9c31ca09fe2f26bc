"""The endpoints of files and batches. Everybody sees their own alone: what an owner's keys have made."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmops_assets.gateway.batching.lines import ENDPOINTS, clean, requests
from llmops_assets.gateway.batching.runner import Runner, stored
from llmops_assets.gateway.batching.store import KEPT_SECONDS, FileStore, Line
from llmops_assets.gateway.body import read_json
from llmops_assets.gateway.callers import Caller
from llmops_assets.gateway.clearing import Redacts, clear
from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.identity.roles import Scope
from llmops_assets.gateway.protocol.batches import BatchBody, Expiry, FileBody, batch_object, file_object, page
from llmops_assets.gateway.protocol.fields import read
from llmops_assets.gateway.upload import Form, read_form

Handler = Callable[[Request, Caller], Awaitable[Response]]
Known = Callable[[Scope, Handler], Callable[[Request], Awaitable[Response]]]
"""Makes of a handler one that is told who asks."""
MOST_FILES_LISTED, MOST_BATCHES_LISTED = 10_000, 100
MOST_NAME = 200
AT_A_TIME = 20
"""Lines that are redacted before others get their turn."""
_EXPIRY = re.compile(r"expires_after\[(anchor|seconds)\]")


def routes(store: FileStore, runner: Runner, redactor: Redacts, known: Known) -> list[Route]:
    """The routes over a store, whose batches a runner answers."""

    async def upload(request: Request, caller: Caller) -> Response:
        form = await read_form(request)
        about = read(FileBody, _fields(form))
        if form.content is None:
            raise RequestError(400, "file is missing", code="missing_required_parameter", param="file")
        found = await asyncio.to_thread(requests, form.content)
        lines: list[Line] = []
        for some in _chunks(found):
            lines += await asyncio.to_thread(lambda some=some: [clean(redactor, line) for line in some])
        (name,) = await clear(redactor, [_name(form.filename)])
        kept = _seconds(about.expires_after)
        return _json(file_object(await asyncio.to_thread(store.add, caller.owner, name[:MOST_NAME], lines, kept)))

    async def files(request: Request, caller: Caller) -> Response:
        asked = request.query_params
        order, after = asked.get("order", "desc"), asked.get("after", "")
        if order not in ("asc", "desc"):
            raise RequestError(400, "order must be asc or desc", code="invalid_value", param="order")
        limit = _limit(asked.get("limit"), MOST_FILES_LISTED, MOST_FILES_LISTED)
        found, more = await asyncio.to_thread(
            lambda: store.files(
                caller.owner, purpose=asked.get("purpose", ""), after=after, limit=limit, newest=order == "desc"
            )
        )
        return _json(page([file_object(file) for file in found], more))

    async def file(request: Request, caller: Caller) -> Response:
        return _json(file_object(await asyncio.to_thread(store.file, caller.owner, request.path_params["file_id"])))

    async def content(request: Request, caller: Caller) -> Response:
        lines = await asyncio.to_thread(store.text, caller.owner, request.path_params["file_id"])
        return Response("".join(f"{line}\n" for line in lines), media_type="application/jsonl")

    async def delete(request: Request, caller: Caller) -> Response:
        name = request.path_params["file_id"]
        await asyncio.to_thread(store.delete, caller.owner, name)
        return _json({"id": name, "object": "file", "deleted": True})

    async def create(request: Request, caller: Caller) -> Response:
        body = read(BatchBody, await read_json(request))
        await asyncio.to_thread(_of_endpoint, store, caller.owner, body)
        names = list(body.metadata or {})
        *told, _ = await clear(redactor, [*(body.metadata or {}).values(), ""])
        if any(map(redactor.leaks, names)):
            raise RequestError(400, "a name in metadata is personal data", code="personal_data", param="metadata")
        metadata = dict(zip(names, told, strict=True))
        kept = _seconds(body.output_expires_after)
        batch = await asyncio.to_thread(
            store.create, caller.owner, stored(caller), body.endpoint, body.input_file_id, metadata, kept
        )
        runner.wake()
        return _json(batch_object(batch))

    async def batches(request: Request, caller: Caller) -> Response:
        asked = request.query_params
        limit = _limit(asked.get("limit"), MOST_BATCHES_LISTED, 20)
        after = asked.get("after", "")
        found, more = await asyncio.to_thread(lambda: store.batches(caller.owner, after=after, limit=limit))
        return _json(page([batch_object(batch) for batch in found], more))

    async def batch(request: Request, caller: Caller) -> Response:
        return _json(batch_object(await asyncio.to_thread(store.batch, caller.owner, request.path_params["batch_id"])))

    async def cancel(request: Request, caller: Caller) -> Response:
        cancelled = await asyncio.to_thread(store.cancel, caller.owner, request.path_params["batch_id"])
        runner.wake()
        return _json(batch_object(cancelled))

    def route(path: str, **methods: Handler) -> Route:
        """One route of several methods: to an address that is there with a wrong one, 405 tells the right ones."""
        handlers = {method.upper(): known("batch", handler) for method, handler in methods.items()}

        async def endpoint(request: Request) -> Response:
            # Starlette lets HEAD in where it lets GET in.
            return await handlers["GET" if request.method == "HEAD" else request.method](request)

        return Route(path, endpoint, methods=list(handlers))

    return [
        route("/v1/files", post=upload, get=files),
        route("/v1/files/{file_id}", get=file, delete=delete),
        route("/v1/files/{file_id}/content", get=content),
        route("/v1/batches", post=create, get=batches),
        route("/v1/batches/{batch_id}", get=batch),
        route("/v1/batches/{batch_id}/cancel", post=cancel),
    ]


def _fields(form: Form) -> dict[str, Any]:
    """The fields of a form as a body: OpenAI's clients flatten what is nested."""
    plain: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for name, value in form.fields.items():
        if (part := _EXPIRY.fullmatch(name)) is None:
            plain[name] = value
        else:
            nested[part[1]] = int(value) if value.isascii() and value.isdecimal() else value
    return {**plain, "expires_after": nested} if nested else plain


def _chunks(found: list[Any]) -> list[list[Any]]:
    return [found[start : start + AT_A_TIME] for start in range(0, len(found), AT_A_TIME)]


def _name(filename: str) -> str:
    """A file's name without folders and what shows nothing, of at most 100 characters."""
    last = re.split(r"[/\\]", filename)[-1]
    return "".join(letter for letter in last if letter.isprintable())[-100:] or "file.jsonl"


def _seconds(expiry: Expiry | None) -> int:
    return KEPT_SECONDS if expiry is None else expiry.seconds


def _of_endpoint(store: FileStore, owner: str, body: BatchBody) -> None:
    """RequestError 400 for an address that no batch may ask, or another one than the file's lines name."""
    if body.endpoint not in ENDPOINTS:
        said = f"there are {', '.join(ENDPOINTS)}"
        raise RequestError(400, said, code="invalid_value", param="endpoint")
    named = {orjson.loads(line).get("url") for line in store.text(owner, body.input_file_id, 1)}
    if named and body.endpoint not in named:
        said = "the lines of the file name another url"
        raise RequestError(400, said, code="mismatched_url", param="endpoint")


def _limit(given: str | None, most: int, default: int) -> int:
    if given is None:
        return default
    if not given.isascii() or not given.isdecimal() or len(given) > 9 or not 1 <= int(given) <= most:
        raise RequestError(400, f"limit must be 1 to {most}", code="invalid_value", param="limit")
    return int(given)


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
