"""A server that speaks OpenAI's protocol as upstreams do, well or badly: in a thread, or as a process to be killed.

python tests/upstream_server.py --port 8099
"""

import argparse
import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

PIECE = 4
"""Characters of its tokens."""
TEXT = "So much is to be said about lamps. " * 200
KEY = "the-upstreams-key"


class UpstreamServer:
    """Answers with `text`, in pieces of a token, unless `plan` says otherwise: what is done with the next requests.

    A plan's entries: `answer`; `status:500` (any, also `status:429:7` with its Retry-After); `silent` (nothing for
    ever); `slow:0.2` (before the first piece); `cut:3` (the connection, after three pieces); `html`, `nonsense`,
    `wrong` (bodies that are none); `error` (an event, after a piece); `uncounted`; `odd` (ends with `content_filter`);
    `elsewhere` (a redirect); `endless`. `always` is done when the plan is empty.
    """

    def __init__(self, text: str = TEXT, *, key: str = "", context: int = 1536, piece_seconds: float = 0.0) -> None:
        self.text, self.key, self.context, self.piece_seconds = text, key, context, piece_seconds
        self.plan: list[str] = []
        self.always = "answer"
        self.models = {"assistant"}
        self.requests: list[dict] = []
        self.keys: list[str | None] = []
        self.ports: list[int] = []
        self.elsewhere = ""
        self.under_way = 0
        paths = ("/v1/chat/completions", "/v1/completions")
        self.app = Starlette(routes=[Route(path, self._complete, methods=["POST"]) for path in paths])

    def __enter__(self) -> "UpstreamServer":
        config = uvicorn.Config(self.app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 15
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)

    async def _complete(self, request: Request) -> Response:
        chat = request.url.path.endswith("/chat/completions")
        body = await request.json()
        self.keys.append(request.headers.get("authorization"))
        self.ports.append(request.client.port if request.client else 0)
        self.requests.append(body)
        mode, _, more = (self.plan.pop(0) if self.plan else self.always).partition(":")
        if self.key and self.keys[-1] != f"Bearer {self.key}":
            return _error(401, "invalid_api_key")
        if body["model"] not in self.models:
            return _error(404, "model_not_found")
        if mode == "status":
            status, _, after = more.partition(":")
            return _error(int(status), "a_reason", {"retry-after": after} if after else {})
        if mode == "elsewhere":
            return RedirectResponse(self.elsewhere, 307)
        if mode == "html":
            return PlainTextResponse("<html>Welcome!</html>\n", media_type="text/html")
        if mode == "silent":
            await asyncio.sleep(60)
        if mode == "slow":
            await asyncio.sleep(float(more))
        prompt = json.dumps(body["messages"]) if chat else body["prompt"]
        read = len(prompt) // PIECE
        most = body.get("max_tokens") or body.get("max_completion_tokens")
        if read + most > self.context:
            return _error(400, "context_length_exceeded")
        return StreamingResponse(self._events(body, chat, read, most, mode, more), media_type="text/event-stream")

    async def _events(
        self, body: dict, chat: bool, read: int, most: int, mode: str, more: str
    ) -> AsyncGenerator[bytes]:
        def choice(text: str, end: str | None = None) -> dict:
            said = {"delta": {"content": text} if text else {}} if chat else {"text": text}
            return {"choices": [{"index": 0, "finish_reason": end, **said}]}

        def event(data: dict) -> bytes:
            return b"data: " + json.dumps(data).encode() + b"\n\n"

        stops = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []
        text = self.text
        for stop in stops:
            text = text.partition(stop)[0]
        every = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        self.under_way += 1
        try:
            yield b": a comment\n\n"
            if mode == "nonsense":
                yield b'data: {"choices": "many"}\n\n'
            if mode == "wrong":
                yield b"data: 7\n\n"
            if mode == "endless":
                yield event(choice("a" * 70_000))
                yield event(choice("b" * 2_000_000))
            for number, piece in enumerate(every[:most]):
                if mode == "cut" and number == int(more):
                    raise ConnectionError("cut, as planned")
                if mode == "error" and number == 1:
                    yield event({"error": {"message": "out of memory", "type": "server_error"}})
                    return
                yield event(choice(piece))
                await asyncio.sleep(self.piece_seconds)
            end = "length" if len(every) > most else "stop"
            yield event(choice("", "content_filter" if mode == "odd" else end))
            if mode != "uncounted":
                written = min(len(every), most)
                total = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
                yield event({"choices": [], "usage": total})
            yield b"data: [DONE]\n\n"
        finally:
            self.under_way -= 1


def _error(status: int, code: str, headers: dict | None = None) -> JSONResponse:
    error = {"message": "Anna Brandt's prompt is quoted here", "type": "invalid_request_error", "code": code}
    return JSONResponse({"error": error}, status, headers)


def main() -> None:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--text", default="Lamps are sent in 3 days.")
    parser.add_argument("--piece-seconds", type=float, default=0.005)
    arguments = parser.parse_args()
    server = UpstreamServer(arguments.text, piece_seconds=arguments.piece_seconds)
    uvicorn.run(server.app, port=arguments.port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
