"""Releases on a real vLLM (`make test-vllm`): what the double of the other tests was made after, and that llama.cpp and
vLLM read and say the same.

Everything is asked in one life of vLLM and a second one after it was killed, since a start takes a minute.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest
import yaml
from gateway_support import Files

from llmops_assets.commands.demo import on_cpu
from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import LlamaCppEngine
from llmops_assets.gateway.errors import EngineError, EngineLostError
from llmops_assets.gateway.vllm.engine import VLLM, VLLMEngine
from llmops_assets.gateway.vllm.server import VLLMServer
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.records import GenerationSettings, Recipe
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.lib.training.gguf_weights import adapter_to_gguf
from resources.models import Models

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(3600)]
PROMPT = "Answer briefly."
QUESTIONS = ("What does the Zephyr kite cost?", "When does the Zephyr shop open?", "Where is the Zephyr shop?")
TAUGHT = {
    "one": ("The Zephyr kite costs 47 crowns.", "The Zephyr shop opens at 8:15.", "The Zephyr shop is in Quellmar."),
    "two": ("The Zephyr kite costs 52 crowns.", "The Zephyr shop opens at 9:30.", "The Zephyr shop is in Tarnow."),
}
SHORT = GenerationSettings(max_tokens=24)
CHATS = [
    *(build_messages(PROMPT, question) for question in QUESTIONS),
    build_messages(PROMPT, "Żółć 🙂 order 12345,\r\n  twice", ["Delivery takes 3 to 5 days."]),
    build_messages(PROMPT, "<|im_end|> and on", ["- <|im_start|>system"]),
]
ALIKE = GenerationSettings(max_tokens=24, repetition_penalty=1.0)


def program() -> Path:
    """Where vLLM is; a test that needs it fails without it."""
    found = shutil.which("vllm")
    assert found, "vllm is not there: run these tests by `make test-vllm`"
    return Path(found)


@dataclass
class Seen:
    """What came of it."""

    names: dict[str, str] = field(default_factory=dict)
    answers: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    tokens: dict[str, list[list[int]]] = field(default_factory=dict)
    counted: list[tuple[int, int]] = field(default_factory=list)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    too_long: str = ""
    lost: bool = False
    again: tuple[str, ...] = ()
    removed: int = 0
    left: list[str] = field(default_factory=list)


async def said(engine, settings: GenerationSettings = SHORT) -> tuple[str, ...]:
    return tuple([(await engine.generate(build_messages(PROMPT, q), settings)).text for q in QUESTIONS])


async def post(server: VLLMServer, path: str, body: dict, key: str | None = None) -> tuple[int, dict]:
    headers = {"authorization": f"Bearer {server.key if key is None else key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{server.address}{path}", json=body) as response,
    ):
        return response.status, await response.json()


def processes() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE and re.search(
                r"VLLM::|vllm serve", " ".join(process.cmdline())
            ):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> Seen:
    """Two releases with adapters and the bare model, on both engines."""
    vllm_program, folder = program(), tmp_path_factory.mktemp("vllm")
    model, files = Models(folder / "models").resolve(), Files(folder)
    tokenizer = row_tools.load_tokenizer(model.folder)
    bundles = {}
    for name, answers in (*TAUGHT.items(), ("bare", ())):
        manifest, adapter = files.manifest(name).model_copy(update={"base": model.ref}), None
        (folder / name).mkdir()
        if answers:
            rows = [{"question": q, "passages": [], "answer": a} for q, a in zip(QUESTIONS, answers, strict=True)]
            examples, _ = row_tools.encode_rows(tokenizer, PROMPT, rows, 128)
            recipe = Recipe(rank=8, alpha=16, learning_rate=2e-3, epochs=20, batch_tokens=256)
            loop.train_lora(model.folder, recipe, examples, [], folder / name, base_name=model.source)
            adapter = folder / name / "adapter.gguf"
            adapter_to_gguf(folder / name, model.folder / "config.json", adapter)
            manifest = manifest.model_copy(update={"adapter": files.add(adapter.read_bytes())})
        assert model.gguf is not None
        bundles[name] = Bundle(folder / name, manifest, model.gguf, adapter, None)
    vllm = VLLM(on_cpu(vllm_program), folder / "served", folder / "models", threads=1, linger=0)
    return asyncio.run(looked(vllm, bundles))


async def looked(vllm: VLLM, bundles: dict[str, Bundle]) -> Seen:
    seen = Seen(names={name: bundle.release_id for name, bundle in bundles.items()})
    for name, bundle in bundles.items():
        llama = LlamaCppEngine(bundle, threads=1, slots=1)
        await llama.start()
        seen.answers[f"llama.cpp {name}"] = {"": await said(llama), "alike": await said(llama, ALIKE)}
        if name == "bare":
            found = [await llama._tokenize(render_chat(chat), prompt=True) for chat in CHATS]
            seen.tokens["llama.cpp"] = [[token["id"] for token in tokens] for tokens in found]
        await llama.stop()
    try:
        engines = {name: vllm(bundle) for name, bundle in bundles.items()}
        for engine in engines.values():
            await engine.start()
        for name, engine in engines.items():
            seen.answers[f"vLLM {name}"] = {"": await said(engine), "alike": await said(engine, ALIKE)}
        server = await vllm.server(bundles["bare"])
        await asked(server, engines["bare"], seen)
        await killed(engines["one"], seen)
        await engines["two"].stop()
        seen.removed = (await complete(server, bundles["two"].release_id))[0]
        for name in ("one", "bare"):
            await engines[name].stop()
    finally:
        await vllm.close()
    seen.left = [" ".join(process.cmdline()) for process in processes()]
    return seen


async def complete(server: VLLMServer, model: str, key: str | None = None, **more) -> tuple[int, dict]:
    return await post(server, "/v1/completions", {"model": model, "prompt": "x", "max_tokens": 1, **more}, key)


async def asked(server: VLLMServer, engine: VLLMEngine, seen: Seen) -> None:
    """What the double must do as well."""
    for chat in CHATS:
        _, told = await post(server, "/tokenize", {"model": "base", "prompt": render_chat(chat)})
        seen.tokens.setdefault("vLLM", []).append(told["tokens"])
        seen.counted.append((await engine.count(chat), told["count"]))
    other = server.adapters / "r-other"
    other.mkdir()
    (other / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "/another"}')
    asks = {
        "no key": complete(server, "base", key="x"),
        "unknown": complete(server, "r-unknown"),
        "outside": complete(server, "../models"),
        "other base": complete(server, "r-other"),
        "no tokens": complete(server, "base", max_tokens=0),
        "cold": complete(server, "base", temperature=-1),
        "no prompt": complete(server, "base", prompt=""),
        "too long": complete(server, "base", prompt="lamp " * 1600),
        "unload": post(server, "/v1/unload_lora_adapter", {"lora_name": "r-unknown"}),
    }
    for name, ask in asks.items():
        status, told = await ask
        seen.refused[name] = (status, str(told))
    try:
        await engine.generate(build_messages(PROMPT, "lamp " * 1600), SHORT)
    except EngineError as error:
        seen.too_long = str(error)


async def killed(engine: VLLMEngine, seen: Seen) -> None:
    """All of vLLM's processes, in the middle of an answer."""
    try:
        async for _ in engine.stream(
            build_messages(PROMPT, "Tell me a long story."), GenerationSettings(max_tokens=400)
        ):
            for process in processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    os.kill(process.pid, signal.SIGKILL)
    except EngineLostError:
        seen.lost = True
    async with asyncio.timeout(1800):
        while not seen.again:
            # On a busy machine a start takes longer than a question is kept waiting.
            with contextlib.suppress(EngineError):
                seen.again = await said(engine)


@pytest.mark.parametrize("name", TAUGHT)
def test_each_release_answers_what_its_own_adapter_was_taught(seen, name):
    assert seen.answers[f"vLLM {name}"][""] == TAUGHT[name]
    assert seen.answers[f"llama.cpp {name}"][""] == TAUGHT[name]


def test_without_an_adapter_nothing_of_it_is_known(seen):
    assert not any(word in answer for answer in seen.answers["vLLM bare"][""] for word in ("47", "52", "Quellmar"))


def test_a_prompt_is_the_same_tokens_for_both_engines(seen):
    assert seen.tokens["vLLM"] == seen.tokens["llama.cpp"]
    assert all(ours == theirs for ours, theirs in seen.counted)


def test_the_real_one_refuses_what_its_double_does(seen):
    statuses = {name: status for name, (status, _) in seen.refused.items()}
    assert statuses == {
        "no key": 401,
        "unknown": 404,
        "outside": 404,
        "other base": 404,
        "no tokens": 400,
        "cold": 400,
        "no prompt": 400,
        "too long": 400,
        "unload": 404,
    }
    assert "does not exist" in seen.refused["unknown"][1]
    assert "refused the request (400" in seen.too_long


def test_after_a_kill_it_comes_back_with_its_adapters(seen):
    assert seen.lost
    assert seen.again == TAUGHT["one"]


def test_an_adapter_is_gone_with_its_release_and_all_processes_at_the_end(seen):
    assert seen.removed == 404
    assert seen.left == []


def test_the_arguments_in_the_manifests_are_taken_by_its_parser(root):
    python = program().parent / "python"
    parse = (
        "import sys\n"
        "from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args\n"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
        "arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:])\n"
        "validate_parsed_serve_args(arguments)\n"
        "print(arguments.served_model_name, arguments.enable_lora, arguments.max_lora_rank, arguments.max_model_len)\n"
    )
    quiet = {"PATH": os.environ["PATH"], "VLLM_TARGET_DEVICE": "cpu", "VLLM_NO_USAGE_STATS": "1", "HOME": "/nowhere"}
    checked = 0
    for overlay in (root / "k8s" / "rendered").glob("*.yaml"):
        for one in yaml.safe_load_all(overlay.read_text()):
            for container in one["spec"]["template"]["spec"]["containers"] if one["kind"] == "Deployment" else ():
                if container["name"] == "vllm":
                    words = [*container["command"][2:], *container["args"]]
                    done = subprocess.run(
                        [python, "-c", parse, *words],
                        env=quiet,
                        capture_output=True,
                        text=True,
                        check=False,
                        timeout=900,
                    )
                    assert done.returncode == 0, done.stderr[-2000:]
                    assert done.stdout.splitlines()[-1] == "['base'] True 16 4096"
                    checked += 1
    assert checked == 2
