"""What every engine keeps: llama.cpp on a tiny model, vLLM's process (a double of it), an upstream behind HTTP, several
of them together, and the one in memory that other tests use."""

import asyncio
import contextlib
import subprocess
import sys

import psutil
import pytest
from gateway_support import EchoEngine, Files
from upstream_server import UpstreamServer
from vllm_server import program

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import Engine, LlamaCppEngine, Usage
from llmops_assets.gateway.errors import EngineError, EngineLostError
from llmops_assets.gateway.upstreams.health import Healths
from llmops_assets.gateway.upstreams.pool import Member, Pool
from llmops_assets.gateway.upstreams.remote import RemoteEngine
from llmops_assets.gateway.upstreams.settings import Upstream, UpstreamPolicy
from llmops_assets.gateway.vllm.engine import VLLM, VLLMEngine
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.records import GenerationSettings, ModelRef

pytestmark = pytest.mark.slow

MESSAGES = build_messages("Be brief.", "How long does delivery take?")
SHORT = GenerationSettings(max_tokens=12)
LONG = GenerationSettings(max_tokens=1200)


def llama(folder, tiny_gguf) -> LlamaCppEngine:
    bundle = Bundle(folder, Files(folder).manifest(), tiny_gguf / "tiny.gguf", None, None)
    return LlamaCppEngine(bundle, threads=1, slots=1)


def vllm(folder, tiny_model) -> VLLMEngine:
    environment = {"PIECE_SECONDS": "0.0005"}
    settings = VLLMSettings(command=program(folder), slots=1, environment=environment, start_seconds=120)
    base = ModelRef(name="tiny", digest=tiny_model.ref.digest)
    manifest = Files(folder).manifest().model_copy(update={"base": base})
    bundle = Bundle(folder, manifest, tiny_model.gguf, None, None)
    return VLLM(settings, folder / "served", tiny_model.folder.parent, threads=1, linger=0)(bundle)


def upstream(server: UpstreamServer, **parts) -> Upstream:
    return Upstream(**{"name": "one", "url": server.url, "models": {"*": "assistant"}, "context": 1536, **parts})


def pool(engines) -> Pool:
    policy = UpstreamPolicy()
    entries = [upstream(server, name=f"upstream-{n}", order=n) for n, server in enumerate(engines)]
    healths = Healths(entries, policy)
    return Pool([Member(RemoteEngine(one, "assistant"), healths[one.name]) for one in entries], policy)


@pytest.fixture(params=["memory", "llama.cpp", "vllm", "upstream: chat", "upstream: completions", "upstreams"])
def engine(request, tmp_path, tiny_gguf, tiny_model):
    if request.param in ("llama.cpp", "vllm"):
        yield llama(tmp_path, tiny_gguf) if request.param == "llama.cpp" else vllm(tmp_path, tiny_model)
        return
    if request.param != "memory":
        with UpstreamServer() as server, UpstreamServer() as another:
            # Answers take long enough that what happens in the middle of one does.
            server.piece_seconds = another.piece_seconds = 0.0005
            api = request.param.removeprefix("upstream: ")
            yield (
                pool([server, another]) if api == "upstreams" else RemoteEngine(upstream(server, api=api), "assistant")
            )
        return
    files = Files(tmp_path)
    made = EchoEngine(files.bundle(tmp_path))
    made.answer = "So much is to be said about lamps. " * 200
    yield made


def counts_by_rule(engine: Engine) -> bool:
    """Whether it counts tokens by a rule of ours instead of asking who will read them."""
    return isinstance(engine, RemoteEngine | Pool)


@contextlib.asynccontextmanager
async def started(engine: Engine):
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def collected(engine: Engine, settings: GenerationSettings) -> list[str | Usage]:
    return [piece async for piece in engine.stream(MESSAGES, settings)]


def test_a_stream_ends_with_the_tokens_and_generate_is_the_collected_stream(engine):
    async def ask():
        async with started(engine):
            first = await collected(engine, SHORT)
            return first, await engine.generate(MESSAGES, SHORT)

    (*items, usage), made = asyncio.run(ask())
    pieces = [item for item in items if isinstance(item, str)]
    assert all(pieces)
    assert made.text == "".join(pieces).strip() != ""
    assert made.usage == usage
    assert usage.input_tokens > 5
    assert usage.output_tokens == SHORT.max_tokens


def test_who_asks_right_after_an_answer_is_answered(engine):
    async def ask():
        async with started(engine):
            before = await engine.count(MESSAGES)
            await collected(engine, SHORT)
            counted = await engine.count(MESSAGES)
            await collected(engine, SHORT)
            return before, counted, await collected(engine, SHORT)

    before, counted, pieces = asyncio.run(ask())
    assert counted == before
    assert isinstance(pieces[-1], Usage)


def test_what_an_answer_has_taken_is_told_before_each_piece(engine):
    heard: list[Usage] = []

    async def ask():
        async with started(engine):
            counted = await engine.count(MESSAGES)
            items = await collected(engine, SHORT)
            made = await engine.generate(MESSAGES, SHORT, NONE, heard.append)
            with contextlib.suppress(EngineError):
                async for _ in engine.stream(MESSAGES, LONG):
                    await engine.stop()
            return items, made, counted

    items, made, counted = asyncio.run(ask())
    assert [isinstance(item, str) for item in items[:-1]] == [False, True] * (len(items) // 2)
    written = [item.output_tokens for item in items if isinstance(item, Usage)]
    assert written == sorted(written)
    assert written[0] > 0
    assert all(0 < item.input_tokens <= counted for item in items if isinstance(item, Usage))
    assert heard[-1] == made.usage
    assert len(heard) == len(written)


def test_the_tokens_of_a_text_are_the_text_and_those_of_a_prompt_are_what_is_read(engine):
    texts = ["Delivery takes 3 to 5 days.", " Zażółć gęślą – jaźń 🙂", "<|im_end|>\n", ""]

    async def ask():
        async with started(engine):
            pieces = [await engine.tokens(text) for text in texts]
            longer = build_messages("Be brief.", "Żółć? " * 50)
            counted = [await engine.count(MESSAGES), await engine.count(longer)]
            read = [(await engine.generate(chat, SHORT)).usage.input_tokens for chat in (MESSAGES, longer)]
            with pytest.raises(EngineError):
                await engine.stop()
                await engine.tokens("x")
            return pieces, counted, read, [len(render_chat(chat).encode()) for chat in (MESSAGES, longer)]

    pieces, counted, read, sizes = asyncio.run(ask())
    assert [b"".join(found).decode() for found in pieces] == texts
    if counts_by_rule(engine):
        assert all(many >= few for many, few in zip(counted, read, strict=True))
    else:
        assert counted == read
    assert all(count <= size for count, size in zip(counted, sizes, strict=True))


def test_an_answer_says_whether_a_limit_cut_it_and_a_caller_may_want_less(engine):
    async def ask():
        async with started(engine):
            whole = await engine.generate(MESSAGES, SHORT)
            fewer = await engine.generate(MESSAGES, SHORT, Wishes(max_tokens=3))
            more = await engine.generate(MESSAGES, SHORT, Wishes(max_tokens=300))
            first = whole.text[0]
            stopped = await engine.generate(MESSAGES, SHORT, Wishes(stop=(first,)))
            return whole, fewer, more, stopped, first

    whole, fewer, more, stopped, first = asyncio.run(ask())
    assert (whole.usage.cut, fewer.usage.cut, fewer.usage.output_tokens) == (True, True, 3)
    assert whole.text.startswith(fewer.text)
    assert more == whole
    assert (stopped.usage.cut, stopped.text) == (False, whole.text.partition(first)[0].strip())


def test_what_fills_the_context_is_answered_and_what_is_longer_refused(engine):
    async def ask(words: int):
        chat = build_messages("Be brief.", "lamp " * words)
        return await engine.count(chat), chat

    async def both():
        async with started(engine):
            words = 1
            while (await ask(words + 1))[0] + SHORT.max_tokens <= engine.context:
                words += 1
            _, chat = await ask(words)
            full = await engine.count(chat)
            made = await engine.generate(chat, SHORT)
            with pytest.raises(EngineError):
                await engine.generate(build_messages("Be brief.", "lamp " * 4 * words), SHORT)
            return made, await engine.generate(MESSAGES, SHORT), full

    made, after, full = asyncio.run(both())
    assert full > engine.context - 20 - SHORT.max_tokens
    assert full == made.usage.input_tokens or counts_by_rule(engine)
    assert made.usage.output_tokens == after.usage.output_tokens == SHORT.max_tokens


def test_a_callers_sampling_is_repeatable_by_its_seed(tmp_path, tiny_gguf):
    engine = llama(tmp_path, tiny_gguf)

    async def ask():
        async with started(engine):

            async def said(**wishes) -> str:
                return (await engine.generate(MESSAGES, SHORT, Wishes(**wishes))).text

            greedy = [await said(), await said(seed=5), await said(temperature=0.0)]
            warm = [await said(temperature=2.0, seed=seed) for seed in (1, 1, -1, 2**62)]
            free = [await said(temperature=2.0) for _ in range(4)]
            return greedy, warm, free

    greedy, warm, free = asyncio.run(ask())
    assert len(set(greedy)) == 1
    assert warm[0] == warm[1]
    assert len(set(warm)) == 3
    assert len(set(free)) > 1


def test_an_engine_that_is_not_running_refuses(engine):
    async def ask():
        with pytest.raises(EngineError):
            await engine.generate(MESSAGES, SHORT)
        async with started(engine):
            await engine.generate(MESSAGES, SHORT)
        with pytest.raises(EngineError):
            await engine.generate(MESSAGES, SHORT)

    asyncio.run(ask())


def test_stopping_fails_what_is_being_answered_and_starts_nothing(engine):
    async def ask():
        async with started(engine):
            with pytest.raises(EngineError):
                async for _ in engine.stream(MESSAGES, LONG):
                    await engine.stop()
            assert children() == []

    asyncio.run(ask())


def test_a_stream_that_is_closed_early_leaves_its_place_to_the_next(engine):
    async def ask():
        async with started(engine):
            async with contextlib.aclosing(engine.stream(MESSAGES, LONG)) as stream:
                await anext(stream)
            async with asyncio.timeout(5):
                return await engine.generate(MESSAGES, SHORT)

    assert asyncio.run(ask()).usage.output_tokens == SHORT.max_tokens


def test_an_engine_that_does_not_come_back_leaves_its_answer_to_an_upstream(tmp_path, tiny_gguf):
    model = tmp_path / "model.gguf"
    model.write_bytes((tiny_gguf / "tiny.gguf").read_bytes())
    llama_cpp = LlamaCppEngine(Bundle(tmp_path, Files(tmp_path).manifest(), model, None, None), threads=1, slots=1)

    async def ask(server):
        entries = [Upstream(name="here", url="embedded"), upstream(server, order=1)]
        healths = Healths(entries, policy := UpstreamPolicy())
        both = [Member(llama_cpp, healths["here"]), Member(RemoteEngine(entries[1], "assistant"), healths["one"])]
        async with started(Pool(both, policy)) as pooled:
            asked = asyncio.create_task(pooled.generate(MESSAGES, LONG))
            await asyncio.sleep(0.05)
            model.unlink()
            for child in children():
                child.kill()
            return await asked

    with UpstreamServer("Lamps.") as server:
        assert asyncio.run(ask(server)).text == "Lamps."


def test_a_child_that_is_killed_in_the_middle_is_replaced_and_asked_again(tmp_path, tiny_gguf):
    engine = llama(tmp_path, tiny_gguf)

    async def ask():
        async with started(engine):
            whole = await engine.generate(MESSAGES, LONG)
            with pytest.raises(EngineLostError):
                async for _ in engine.stream(MESSAGES, LONG):
                    for child in children():
                        child.kill()
            again = asyncio.create_task(engine.generate(MESSAGES, LONG))
            await asyncio.sleep(0.05)
            (child,) = children()
            child.kill()
            result = await again
            assert [fresh.pid for fresh in children()] != [child.pid]
            assert len(children()) == 1
            return whole, result

    whole, again = asyncio.run(ask())
    assert again == whole
    assert children() == []


def test_the_engines_process_imports_nothing_that_a_release_would_wait_for():
    code = "import sys, llmops_assets.gateway.llamacpp; print(sorted(n for n in sys.modules if n.startswith('llmops')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "['llmops_assets', 'llmops_assets.gateway', 'llmops_assets.gateway.llamacpp']\n"


def children() -> list[psutil.Process]:
    """The engines that are running; other tests' children may have ended without having been waited for."""
    running = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "llmops_assets.gateway.llamacpp" in child.cmdline():
                running.append(child)
    return running
