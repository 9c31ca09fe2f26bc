"""A program that is called as `vllm` and answers as vLLM 0.32 does, for tests of what starts and asks it.

It takes the arguments and variables that the real one takes, and refuses what the real one refused when it was tried
(tests/gateway/test_real_vllm.py asks both the same). Adapters are found as by lora_filesystem_resolver. What it says is
who was asked and a hash of the prompt, in tokens of the tokenizer in the model's folder.

The environment variable PIECE_SECONDS is how long it takes to a token.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def program(folder: Path) -> Path:
    """An executable file that is this program."""
    file = folder / "vllm"
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def fingerprint(prompt: str) -> str:
    """What it says of a prompt."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:8]


class Server:
    """The application for one base model."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from tokenizers import Tokenizer

        self.arguments = arguments
        self.model = Path(arguments.model)
        json.loads((self.model / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(self.model / "tokenizer.json"))
        self.key = os.environ.get("VLLM_API_KEY", "")
        self.adapters = Path(os.environ.get("VLLM_LORA_RESOLVER_CACHE_DIR", "/nowhere"))
        plugins = os.environ.get("VLLM_PLUGINS", "")
        self.updating = os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") == "1"
        self.resolves = self.updating and arguments.enable_lora and "lora_filesystem_resolver" in plugins
        self.loaded: set[str] = set()
        self.running = asyncio.Semaphore(arguments.max_num_seqs)
        self.piece_seconds = float(os.environ.get("PIECE_SECONDS", "0"))

    def application(self):
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
        from starlette.routing import Route

        def refused(status: int, kind: str, message: str) -> JSONResponse:
            return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)

        def may(request: Request) -> bool:
            return not self.key or request.headers.get("authorization") == f"Bearer {self.key}"

        async def complete(request: Request) -> Response:
            if not may(request):
                return JSONResponse({"error": "Unauthorized"}, 401)
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return refused(400, "Bad Request", "Unsupported Media Type: Only 'application/json' is allowed")
            body = await request.json()
            if status := self.look_up(body["model"]):
                kind = "NotFoundError" if status == 404 else "BadRequestError"
                return refused(status, kind, f"The model `{body['model']}` does not exist. Valid aliases: base.")
            if not (prompt := body.get("prompt")):
                return refused(400, "BadRequestError", "Either prompt or prompt_embeds must be provided and non-empty.")
            most, read = body.get("max_tokens", 16), len(self.tokenizer.encode(prompt).ids)
            if most < 1 or body.get("temperature", 1.0) < 0:
                return refused(400, "BadRequestError", f"max_tokens must be at least 1, got {most}.")
            limit = self.arguments.max_model_len
            if read >= limit or most > limit:
                return refused(400, "BadRequestError", f"This model's maximum context length is {limit} tokens.")
            # What is asked for beyond the context is cut without a word.
            most = min(most, limit - read)
            return StreamingResponse(self.events(body, read, most), media_type="text/event-stream")

        async def unload(request: Request) -> Response:
            if not may(request):
                return JSONResponse({"error": "Unauthorized"}, 401)
            name = (await request.json())["lora_name"]
            if name not in self.loaded:
                return refused(404, "NotFoundError", f"The lora adapter '{name}' cannot be found.")
            self.loaded.discard(name)
            return PlainTextResponse(f"Success: LoRA adapter '{name}' removed successfully.")

        async def models(request: Request) -> Response:
            if not may(request):
                return JSONResponse({"error": "Unauthorized"}, 401)
            names = [self.arguments.served_model_name, *sorted(self.loaded)]
            return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

        async def health(request: Request) -> Response:
            return Response(status_code=200)

        async def tokenize(request: Request) -> Response:
            body = await request.json()
            ids = self.tokenizer.encode(body["prompt"]).ids
            return JSONResponse({"count": len(ids), "max_model_len": self.arguments.max_model_len, "tokens": ids})

        routes = [
            Route("/v1/completions", complete, methods=["POST"]),
            Route("/v1/models", models),
            Route("/health", health),
            Route("/tokenize", tokenize, methods=["POST"]),
        ]
        if self.updating:
            routes.append(Route("/v1/unload_lora_adapter", unload, methods=["POST"]))
        return Starlette(routes=routes)

    def look_up(self, name: str) -> int:
        """0 when there is a model of that name, after it was loaded if need be; else the status that says why not."""
        if name == self.arguments.served_model_name or name in self.loaded:
            return 0
        file = self.adapters / name / "adapter_config.json"
        if not self.resolves or not file.exists():
            return 404
        about = json.loads(file.read_text())
        if about["peft_type"] != "LORA" or about["base_model_name_or_path"] != self.arguments.model:
            return 404
        weights = self.adapters / name / "adapter_model.safetensors"
        if about["r"] > self.arguments.max_lora_rank or not weights.exists():
            return 400
        self.loaded.add(name)
        return 0

    async def events(self, body: dict, read: int, most: int) -> AsyncGenerator[bytes]:
        def event(data: dict) -> bytes:
            return (
                b"data: " + json.dumps({"object": "text_completion", "model": body["model"], **data}).encode() + b"\n\n"
            )

        text = f"{body['model']} read {fingerprint(body['prompt'])}. " + "So much is to be said about lamps. " * 60
        whole = text
        for stop in body.get("stop") or ():
            text = text.partition(stop)[0]
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        pieces = [text[start:end] for start, end in encoding.offsets]
        written = min(len(pieces), most)
        async with self.running:
            # With texts to stop at it holds a few letters back, so its first events are empty.
            for piece in ["", *pieces[:written]]:
                yield event({"choices": [{"index": 0, "text": piece, "finish_reason": None, "stop_reason": None}]})
                await asyncio.sleep(self.piece_seconds)
            end = "length" if len(pieces) > most else "stop"
            stopped = next((s for s in body.get("stop") or () if s in whole), None) if end == "stop" else None
            yield event({"choices": [{"index": 0, "text": "", "finish_reason": end, "stop_reason": stopped}]})
            if (body.get("stream_options") or {}).get("include_usage"):
                total = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
                yield event({"choices": [], "usage": total})
            yield b"data: [DONE]\n\n"


def parser() -> argparse.ArgumentParser:
    """The arguments of `vllm serve` that are used here; others end the program, as there."""
    made = argparse.ArgumentParser("vllm", allow_abbrev=False)
    made.add_argument("action", choices=["serve"])
    made.add_argument("model")
    made.add_argument("--host", default="0.0.0.0")
    made.add_argument("--port", type=int, default=8000)
    made.add_argument("--served-model-name", default="")
    made.add_argument("--generation-config", default="auto")
    made.add_argument("--dtype", default="auto", choices=["auto", "half", "float16", "bfloat16", "float", "float32"])
    made.add_argument("--max-model-len", type=int, default=2048)
    made.add_argument("--max-num-seqs", type=int, default=128)
    made.add_argument("--enable-lora", action="store_true")
    made.add_argument("--max-loras", type=int, default=1)
    made.add_argument("--max-lora-rank", type=int, default=16, choices=RANKS)
    made.add_argument("--enforce-eager", action="store_true")
    return made


async def _serve(arguments: argparse.Namespace) -> None:
    import uvicorn

    # As there: several processes, which end with the first one when it is asked to end, and not when it is killed.
    worker = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        application = Server(arguments).application()
        config = uvicorn.Config(application, host=arguments.host, port=arguments.port, log_level="warning")
        await uvicorn.Server(config).serve()
    finally:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()


if __name__ == "__main__":
    asyncio.run(_serve(parser().parse_args()))
