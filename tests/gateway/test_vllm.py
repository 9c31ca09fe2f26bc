"""vLLM as the embedded engine: what a release becomes for it, and the life of its process. The double of
tests/vllm_server.py stands for it; test_real_vllm.py asks the real one what is told of it here."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest
from gateway_support import Files, wait_for
from pydantic import ValidationError
from signing_support import publish_seal, trusted_file
from support import tiny_lora
from vllm_server import fingerprint, program

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.errors import EngineError, EngineLostError
from llmops_assets.gateway.vllm import child
from llmops_assets.gateway.vllm.engine import VLLM, VLLMEngine
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import FileRef, GenerationSettings, ModelRef, ReleaseManifest, RouterPolicy
from resources.deployment_target import Ask, LocalTarget, TargetReply
from resources.lake.embedded import EmbeddedLake
from resources.models import Models

MESSAGES = build_messages("Be brief.", "How long does delivery take?", ["Żółć."])
SHORT = GenerationSettings(max_tokens=40)
LONG = GenerationSettings(max_tokens=1200)


@dataclass(frozen=True)
class Stand:
    """Releases of the tiny model, and vLLM's double for them. `vllm(…)` takes settings."""

    folder: Path
    files: Files
    gguf: Path
    digest: str
    adapter: Path

    def vllm(self, *, linger: float = 0, **settings) -> VLLM:
        given = {"command": program(self.folder), "environment": {"PIECE_SECONDS": "0.001"}, "start_seconds": 120}
        made = VLLMSettings.model_validate({**given, **settings})
        return VLLM(made, self.folder / "served", self.folder.parent / "converted", threads=1, linger=linger)

    def bundle(self, name: str, *, adapted: bool = True) -> Bundle:
        folder = self.folder / name
        folder.mkdir()
        manifest = self.files.manifest(name).model_copy(
            update={
                "base": ModelRef(name="tiny", digest=self.digest),
                "adapter": self.files.add(self.adapter.read_bytes()) if adapted else None,
            }
        )
        return Bundle(folder, manifest, self.gguf, self.adapter if adapted else None, None)


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory) -> Path:
    return tiny_lora(tiny_model, tmp_path_factory.mktemp("adapter") / "lora")


@pytest.fixture
def stand(tmp_path, tiny_model, adapter) -> Stand:
    return Stand(tmp_path, Files(tmp_path), tiny_model.gguf, tiny_model.ref.digest, adapter)


def run(asked: Coroutine, *vllms: VLLM):
    """What a coroutine gives; nothing of vLLM is left running."""

    async def bounded():
        try:
            return await asked
        finally:
            for vllm in vllms:
                await vllm.close()

    result = asyncio.run(bounded())
    assert servers() == []
    return result


def servers() -> list[psutil.Process]:
    """Processes of the double that this test started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "serve" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


async def said(engine: VLLMEngine) -> str:
    return (await engine.generate(MESSAGES, SHORT)).text


async def status_of(vllm: VLLM, model: str) -> int:
    """What the one server of a gateway answers who asks for a model."""
    (server,) = vllm._servers.values()
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {server.key}"}) as session:
        body = {"model": model, "prompt": "x", "max_tokens": 1}
        async with session.post(f"{server.address}/v1/completions", json=body) as response:
            return response.status


# -- what is asked ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_releases_of_one_model_share_a_server_and_each_is_asked_by_its_own_name_with_the_prompt_of_training(stand):
    vllm = stand.vllm()
    one, two, bare = (stand.bundle("one"), stand.bundle("two"), stand.bundle("bare", adapted=False))

    async def ask():
        engines = [vllm(bundle) for bundle in (one, two, bare)]
        for engine in engines:
            await engine.start()
        answers = await asyncio.gather(*(said(engine) for engine in engines))
        running = len(servers())
        await asyncio.gather(*(engine.stop() for engine in engines))
        return answers, running

    answers, running = run(ask(), vllm)
    # What llama.cpp is sent as a prompt (engine.py) is what vLLM read, byte for byte.
    read = fingerprint(render_chat(MESSAGES))
    assert [answer.partition(".")[0] for answer in answers] == [
        f"{name} read {read}" for name in (one.release_id, two.release_id, "base")
    ]
    assert running == 1


@pytest.mark.slow
def test_an_adapter_is_gone_with_its_release_and_the_server_with_the_last_one(stand):
    vllm = stand.vllm()
    one, two = stand.bundle("one"), stand.bundle("two")

    async def ask():
        first, second = vllm(one), vllm(two)
        await first.start()
        await second.start()
        before = await status_of(vllm, one.release_id)
        await first.stop()
        after = await status_of(vllm, one.release_id), await status_of(vllm, two.release_id), len(servers())
        again = vllm(one)
        await again.start()
        back = await status_of(vllm, one.release_id)
        await again.stop()
        await second.stop()
        return before, after, back, len(servers())

    assert run(ask(), vllm) == (200, (404, 200, 1), 200, 0)


@pytest.mark.slow
def test_a_server_without_a_release_is_kept_a_while_for_the_next_one(stand):
    vllm = stand.vllm(linger=0.2)
    one, two = stand.bundle("one"), stand.bundle("two")

    async def ask():
        pids = []
        for bundle in (one, two):
            engine = vllm(bundle)
            await engine.start()
            pids.append(servers()[0].pid)
            await engine.stop()
        await asyncio.to_thread(wait_for, lambda: not servers())
        return pids

    first, second = run(ask(), vllm)
    assert first == second


def test_adapters_of_an_earlier_life_are_removed(stand):
    left = stand.folder / "served" / "adapters" / "r-old"
    left.mkdir(parents=True)
    stand.vllm()
    assert not left.exists()


# -- when it dies -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hangs"])
def test_a_server_that_dies_or_hangs_is_started_again_with_its_adapters(stand, number, monkeypatch):
    monkeypatch.setattr("llmops_assets.gateway.vllm.server.HEALTH_SECONDS", 2.0)
    monkeypatch.setattr("llmops_assets.gateway.vllm.engine.ANSWER_SECONDS", 5.0 if number == signal.SIGSTOP else 60.0)
    vllm = stand.vllm()
    one = stand.bundle("one")

    async def ask():
        engine = vllm(one)
        await engine.start()
        before = await said(engine)
        with pytest.raises(EngineLostError):
            async for _ in engine.stream(MESSAGES, LONG):
                for process in servers():
                    with contextlib.suppress(psutil.NoSuchProcess):
                        os.kill(process.pid, number)
        # A collected answer waits for the new server: nothing of it was sent yet.
        after = await said(engine)
        await engine.stop()
        return before, after

    before, after = run(ask(), vllm)
    assert before == after
    assert before.startswith(one.release_id)


@pytest.mark.slow
def test_all_its_processes_end_with_it(stand):
    vllm = stand.vllm()

    async def ask():
        engine = vllm(stand.bundle("one"))
        await engine.start()
        (server,) = servers()
        workers = server.children()
        await engine.stop()
        return [server, *workers]

    processes = run(ask(), vllm)
    assert len(processes) == 2
    assert not any(process.is_running() for process in processes)


def test_it_ends_when_its_gateway_is_killed():
    command = [sys.executable, child.__file__, "/bin/sleep", "60"]
    gateway = f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", gateway], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        wait_for(lambda: process.cmdline()[:1] == ["/bin/sleep"])
        parent.kill()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


# -- what cannot be served ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_adapter_of_a_higher_rank_than_vllm_takes_is_told_and_leaves_nothing_behind(stand):
    vllm = stand.vllm(rank=8)
    one = stand.bundle("one")

    async def ask():
        engine = vllm(one)
        with pytest.raises(EngineError, match=r"its rank is 16: set `rank` of `vllm`"):
            await engine.start()
        await engine.stop()

    run(ask(), vllm)
    assert list((stand.folder / "served" / "adapters").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"command": "/nowhere/vllm"}, r"/nowhere/vllm cannot be run: No such file"),
        ({"arguments": ["--no-such-argument"]}, "unrecognized arguments: --no-such-argument"),
        ({"start_seconds": 0.01}, r"did not answer within 0 s"),
    ],
    ids=["program", "argument", "slow"],
)
def test_a_server_that_does_not_start_is_told_with_its_last_words(stand, settings, told):
    vllm = stand.vllm(**settings)

    async def ask():
        engine = vllm(stand.bundle("one"))
        with pytest.raises(EngineError, match=told):
            await engine.start()
        await engine.stop()

    run(ask(), vllm)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"command": "vllm"}, "the whole path"),
        ({"arguments": ["--host=0.0.0.0"]}, "--host is the gateway's to say"),
        ({"arguments": ["--max_loras", "9"]}, "--max-loras is the gateway's to say"),
        ({"arguments": ["--enable-log-requests"]}, "--enable-log-requests is the gateway's to say"),
        ({"environment": {"VLLM_API_KEY": "x"}}, "VLLM_API_KEY is the gateway's to say"),
        ({"environment": {"PYTHONPATH": "x"}}, "PYTHONPATH is the gateway's to say"),
        ({"rank": 17}, "rank"),
    ],
    ids=str,
)
def test_settings_that_are_the_gateways_to_say_are_refused(settings, told):
    with pytest.raises(ValidationError, match=told):
        VLLMSettings.model_validate({"command": "/srv/vllm/bin/vllm", **settings})


@pytest.mark.slow
def test_nothing_of_the_gateways_python_reaches_vllm(stand, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("VLLM_API_KEY", "somebody else's")
    vllm = stand.vllm(environment={"VLLM_CPU_KVCACHE_SPACE": "2"})

    async def ask():
        server = await vllm.server(stand.bundle("one"))
        try:
            return server.environment, server.key
        finally:
            await server.stop()

    environment, key = run(ask(), vllm)
    assert "PYTHONPATH" not in environment
    assert environment["VLLM_API_KEY"] == key
    assert environment["VLLM_CPU_KVCACHE_SPACE"] == "2"


# -- the whole gateway --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_gateway_on_vllm_rolls_out_and_back_under_load_and_outlives_a_kill(stand, tiny_gguf, tiny_model):
    """The real process, through its deployment target: no request fails but what was being written when all died."""
    lake = EmbeddedLake(stand.folder / "lake")

    def stored(name: str) -> FileRef:
        data = stand.adapter.read_bytes()
        with lake.transaction("put", {}, name="put") as transaction:
            transaction.put(f"{name}.gguf", data)
        assert transaction.merged is not None
        return FileRef(ref=lake.uri(transaction.merged, f"{name}.gguf"), sha256=hash_bytes(data), size=len(data))

    def release(name: str) -> ReleaseManifest:
        return stand.files.manifest(
            name,
            adapter=stored(name),
            router=RouterPolicy(answer_above=2.0, hand_over_below=0.0, retrieval=False),
            generation=GenerationSettings(max_tokens=40),
        ).model_copy(update={"base": ModelRef(name="tiny", digest=stand.digest), "knowledge_index": None})

    target = LocalTarget(
        stand.folder / "gateway",
        lake=lake,
        models=Models(tiny_model.folder.parent),
        base_model=str(tiny_gguf),
        log_url=f"sqlite:///{stand.folder / 'log.db'}",
        subject_key=stand.folder / "key",
        trusted=trusted_file(stand.folder / "trusted.pem"),
        port=8793,
        vllm=VLLMSettings(command=program(stand.folder), start_seconds=120),
    )
    one, two = release("one"), release("two")
    for manifest in (one, two):
        publish_seal(lake, manifest)
    replies: list[TargetReply] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            place = len(replies)
            replies.extend(target.ask_many([Ask("What about lamps?", conversation=f"c-{place}")]))

    def answered_by(*manifests: ReleaseManifest) -> None:
        start, wanted = len(replies), {manifest.release_id for manifest in manifests}
        wait_for(lambda: {reply.release_id for reply in replies[start + 2 :]} >= wanted, 60)

    customers = threading.Thread(target=load)
    try:
        target.apply(one, "live")
        customers.start()
        target.apply(two, "canary", share=0.5)
        answered_by(one, two)
        target.apply(two, "live")
        answered_by(two)
        target.rollback()
        answered_by(one)
        assert {reply.status for reply in replies} == {200}
        assert all(reply.answer.startswith(f"{reply.release_id} read ") for reply in replies)
        for process in doubles(target.root):
            process.kill()
        answered_by(one)
    finally:
        done.set()
        if customers.is_alive():
            customers.join()
        target.stop()
    assert {reply.status for reply in replies} == {200}, "an answer is collected, so it was asked for again"
    assert doubles(target.root) == []


def doubles(folder: Path) -> list[psutil.Process]:
    """Processes of the double under a gateway's folder, of whichever parent."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            line = process.cmdline()
            if "serve" in line and process.environ()["VLLM_LORA_RESOLVER_CACHE_DIR"].startswith(str(folder)):
                found.append(process)
    return found
