"""A gateway over a small knowledge base; its engine is a word machine of ours unless a test says otherwise."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from signing_support import seal_of, trusted_file
from starlette.applications import Starlette
from support import COMMIT, WordEmbedder, article, ref

from llmops_assets.gateway.app import create_app
from llmops_assets.gateway.bundle import Bundle, write_bundle
from llmops_assets.gateway.callers import Callers
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.clearing import Redacts
from llmops_assets.gateway.engine import Engine, Usage
from llmops_assets.gateway.errors import EngineError, EngineLostError
from llmops_assets.gateway.identity.denials import Denials
from llmops_assets.gateway.identity.keys import KeyStore
from llmops_assets.gateway.identity.tokens import Tokens
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.releases import Releases
from llmops_assets.gateway.server import server_config
from llmops_assets.gateway.state import ServingState, write_state
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.acts import Acts
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.answering.prompting import render_chat
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import (
    Article,
    FileRef,
    GenerationSettings,
    ModelRef,
    PromptRef,
    ReleaseManifest,
    RouterPolicy,
)
from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.signing import RefusedError

HANDOVER = "A colleague of one will help."
GENERATED = "delivery of my lamp?"
"""A question that no phrasing matches: the engine answers."""
KNOWN = "How long does delivery take?"
"""A question that an article answers."""
ARTICLES = (
    article("delivery", "Delivery takes 3 to 5 days.", "how long does delivery take"),
    article("returns", "Returns are free within 30 days.", "how can i return a lamp"),
)


class EchoEngine(Engine):
    """Answers with its release and the question: an engine in memory, for everything around the engine.

    It passes the contract of tests/gateway/test_engine.py as the real one does. `answer` is said instead, `pause` is
    waited for before each piece, `losses` are pieces after which the next answers break off.
    """

    PIECE = 3

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.running = False
        self.answer = ""
        self.pause: threading.Event | None = None
        self.losses: list[int] = []
        self.asked: list[str] = []
        self.wished: list[Wishes] = []
        self.under_way = 0

    async def start(self) -> None:
        if b"broken" in self.bundle.model.read_bytes():
            raise EngineError("the model file is broken")
        self.running = True

    async def stop(self) -> None:
        self.running = False

    async def tokens(self, text: str) -> list[bytes]:
        if not self.running:
            raise EngineError("stopped")
        data = text.encode()
        return [data[start : start + self.PIECE] for start in range(0, len(data), self.PIECE)]

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        return len(await self.tokens(render_chat([dict(m) for m in messages])))

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        read = await self.count(messages)
        prompt = render_chat([dict(m) for m in messages])
        if read + (most := min(settings.max_tokens, wishes.max_tokens or settings.max_tokens)) > self.context:
            raise EngineError("the prompt and its answer are longer than the context")
        self.asked.append(prompt)
        self.wished.append(wishes)
        text = self.answer or f"{self.bundle.release_id} says {messages[-1]['content'].splitlines()[-1]}"
        whole = text
        for stop in wishes.stop:
            text = text.partition(stop)[0]
        every = range(0, len(text), self.PIECE)
        starts = every[:most]
        breaks_at = self.losses.pop(0) if self.losses else -1
        self.under_way += 1
        try:
            for number, start in enumerate(starts):
                while self.pause is not None and self.running and not self.pause.is_set():
                    await asyncio.sleep(0.005)
                if number == breaks_at:
                    raise EngineLostError("the engine ended in the middle of an answer")
                if not self.running:
                    raise EngineError("stopped")
                yield Usage(read, number + 1)
                yield text[start : start + self.PIECE]
            yield Usage(read, len(starts), len(starts) < len(every), text != whole and len(starts) == len(every))
        finally:
            self.under_way -= 1


class Files:
    """Release files by their hash, as the lake would hand them out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stored: dict[str, bytes] = {}
        self.base = folder / "base.gguf"
        self.base.write_bytes(b"base model")

    def add(self, data: bytes) -> FileRef:
        sha256 = hash_bytes(data)
        self.stored[sha256] = data
        return FileRef(ref=ref(f"files/{sha256[:8]}", COMMIT), sha256=sha256, size=len(data))

    def fetch(self, file: FileRef, target: Path) -> None:
        target.write_bytes(self.stored[file.sha256])

    def manifest(
        self,
        name: str = "one",
        *,
        model: bytes | None = None,
        articles: Sequence[Article] = ARTICLES,
        handover: str = "",
        acts: Acts | None = None,
        **parts,
    ) -> ReleaseManifest:
        """A release whose hand-over text carries `name`; `model` gives it an engine model of its own.

        `parts` are other fields of the manifest.
        """
        index = KnowledgeIndex.build(articles, WordEmbedder(), acts)
        return ReleaseManifest(
            base=ModelRef(name="base", digest=hash_bytes(b"base model")),
            engine_model=None if model is None else self.add(model),
            prompt=PromptRef(name="p", version=1, template="Be brief.", digest="p"),
            generation=parts.pop("generation", GenerationSettings(max_tokens=96)),
            knowledge_index=self.add(index.to_bytes()),
            router=parts.pop("router", RouterPolicy(answer_above=0.7, hand_over_below=0.2, passages=2)),
            handover=handover or f"A colleague of {name} will help.",
            **{"language": "en", **parts},
        )

    def bundle(self, root: Path, name: str = "one", **options) -> Bundle:
        return self.put(root, self.manifest(name, **options))

    def put(self, root: Path, manifest: ReleaseManifest) -> Bundle:
        """A release in place, signed."""
        return write_bundle(root, manifest, self.fetch, self.base, seal_of(manifest))


class _Server(uvicorn.Server):
    """uvicorn's server, which looks every 10 ms whether it is to end: as it comes, each test waits 100 ms for that."""

    async def main_loop(self) -> None:
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            await asyncio.sleep(0.01)


class Gateway:
    """A gateway served over HTTP in a thread, with what a test looks at beside it.

    It has a key of each of `roles` (`tokens`); without any it is open. `options` are the chain's.
    """

    def __init__(
        self,
        files: Files,
        root: Path,
        *,
        roles: Sequence[str] = (),
        max_running: int = 64,
        replay: bool = True,
        redactor: Redacts | None = None,
        tokens: Tokens | None = None,
        log_url: str = "",
        **options,
    ) -> None:
        self.files = files
        self.root = root
        self.engines: list[EchoEngine] = []
        self.log = InteractionLog(log_url or f"sqlite:///{root / 'log.db'}")
        self.redactor = redactor or Redactor(key=b"k" * 32, names=False)
        self.trusted = trusted_file(root / "trusted.pem")
        self.refusals: list[RefusedError] = []
        self.releases = Releases(
            root, self._engine, WordEmbedder.digest, self.trusted, self.refusals.append, poll_seconds=0.01
        )
        self.chain = Chain(self.redactor, WordEmbedder(), self.log, self.releases, max_running=max_running, **options)
        self.store = KeyStore(self.log.url)
        self.tokens = {role: self.store.create(f"the {role}", role)[1] for role in roles}
        callers = Callers(self.store, replay=replay, denied=Denials(self.log.audit), tokens=tokens)
        self.app = create_app(self.chain, callers)
        self._server = _Server(server_config(self.app, port=0))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> "Gateway":
        self._thread.start()
        wait_for(lambda: self._server.started)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        self.store.close()
        self.log.close()

    def _engine(self, bundle: Bundle) -> EchoEngine:
        self.engines.append(EchoEngine(bundle))
        return self.engines[-1]

    def serve(self, generation: int, **state) -> None:
        """Write a state and wait until the process has taken or refused it."""
        write_state(self.root, ServingState(generation=generation, **state))
        wait_for(lambda: generation in (self.releases.state.generation, self.releases.failed_generation))

    def ask(self, question: str, *, headers: Mapping[str, str] | None = None, **body) -> requests.Response:
        body = {"messages": [{"role": "user", "content": question}], **body}
        return requests.post(f"{self.address}/v1/chat/completions", json=body, headers=headers, timeout=20)

    def figures(self) -> dict[tuple[str, frozenset], float]:
        """Name and labels of every sample of /metrics to its value."""
        text = requests.get(f"{self.address}/metrics", timeout=20).text
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def figure(self, name: str, **labels: str) -> float:
        """One sample of /metrics; 0 where there is none."""
        return self.figures().get((name, frozenset(labels.items())), 0.0)

    def rows(self) -> list[dict]:
        """Everything logged, in order of time."""
        return self.log.interactions(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Streamed:
    """A streamed answer as its client has it: the text, the chunks, and the error or the end that came last."""

    text: str
    chunks: list[dict]
    error: dict | None
    done: bool


class Client:
    """A client beside any server: it asks the application itself, and may leave in the middle of the answer.

    `leaves_after` events it is gone: `send` blocks, as a server's does whose client reads no more, and `receive` says
    that it left. Where the server tells by an error (`by_error`), `send` raises it instead.
    """

    def __init__(self, *, leaves_after: int | None = None, by_error: bool = False) -> None:
        self.status = 0
        self.body = b""
        self.events = 0
        self.seen: list[bytes] = []
        self.at_event: Callable[[bytes], object] = self.seen.append
        self._leaves_after = leaves_after
        self._by_error = by_error
        self._left = asyncio.Event()

    async def ask(self, app: Starlette, question: str, **body) -> None:
        messages = [{"role": "user", "content": question}]
        self._question = json.dumps({"messages": messages, "stream": True, **body}).encode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4" if self._by_error else "2.3"},
            "method": "POST",
            "path": "/v1/chat/completions",
            "raw_path": b"/v1/chat/completions",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")],
        }
        await app(scope, self._receive, self._send)

    async def _receive(self) -> dict:
        if self._question is not None:
            body, self._question = self._question, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.body += message["body"]
        self.events += bool(message["body"])
        self.at_event(message["body"])
        if self.events == self._leaves_after:
            if self._by_error:
                raise OSError("the client is gone")
            self.leave()
            await asyncio.Event().wait()

    def leave(self) -> None:
        """Be gone, as far as the server is told."""
        self._left.set()


def streamed(body: str) -> Streamed:
    """Read the events of a stream; every event must be one, and nothing may follow an error or the end."""
    events = [event for event in body.split("\n\n") if event]
    assert all(event.startswith("data: ") for event in events), body
    done = events[-1] == "data: [DONE]"
    chunks = [json.loads(event[6:]) for event in (events[:-1] if done else events)]
    error = chunks.pop()["error"] if "error" in chunks[-1] else None
    text = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    return Streamed(text, chunks, error, done)


def post(gateway: Gateway, path: str = "/v1/chat/completions", **body) -> requests.Response:
    """Ask an endpoint with a whole body."""
    return requests.post(gateway.address + path, json=body, timeout=20)


def user(*contents) -> list[dict]:
    """User messages."""
    return [{"role": "user", "content": content} for content in contents]


def told(response: requests.Response, status: int = 400) -> dict:
    """The error of a refusal, which is in OpenAI's shape."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["code"]
    return error


def said(response: requests.Response) -> str:
    """The text of a chat completion."""
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def wait_for(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
