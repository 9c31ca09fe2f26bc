"""What the tests of training share: rows and prompts, and the same question to llama.cpp and to transformers."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests

from llmops_assets.lib.answering.prompting import build_messages, render_chat

ROWS = [
    {"question": f"what is number {n}?", "passages": ["it is small", "it is big"][: n % 3], "answer": f"it is {n}"}
    for n in range(8)
]
PROMPTS = [
    render_chat(build_messages("Be brief.", question, passages))
    for question, passages in (
        ("what is it?", []),
        ("when does the other train to the northern harbour leave?", []),
        ("and then, where is the big one?", ["the big one is in the inner town", "the other one is in another place"]),
    )
]


@dataclass(frozen=True)
class EngineServer:
    """llama.cpp's server as the gateway starts it."""

    address: str

    def log_probabilities(self, prompt: str, vocabulary: int) -> np.ndarray:
        """Of every token after the prompt, by id."""
        # What is sampled is a letter, since the server says nothing of half a character; what is told of all tokens is
        # computed before that.
        body = {"prompt": prompt, "n_predict": 1, "n_probs": vocabulary, "logit_bias": [["a", 1000]]}
        answer = requests.post(f"{self.address}/completion", json=body, timeout=30)
        answer.raise_for_status()
        result = np.full(vocabulary, np.nan)
        for token in answer.json()["completion_probabilities"][0]["top_logprobs"]:
            result[token["id"]] = token["logprob"]
        return result

    def greedy(self, prompt: str, count: int) -> list[int]:
        """The `count` likeliest tokens after the prompt, one after the other."""
        body = {"prompt": prompt, "n_predict": count, "temperature": 0, "top_k": 1, "return_tokens": True}
        answer = requests.post(f"{self.address}/completion", json=body | {"ignore_eos": True}, timeout=30)
        answer.raise_for_status()
        return answer.json()["tokens"]


@contextlib.contextmanager
def engine_server(model: Path, adapter: Path | None = None) -> Iterator[EngineServer]:
    """The engine's process on a model and an adapter, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "llmops_assets.gateway.llamacpp", "--model", str(model), "--port", str(port)]
    command += ["--threads", "1", "--slots", "1", "--context", "1536"]
    command += ["--adapter", str(adapter)] if adapter else []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            assert time.monotonic() < deadline, "the engine was not ready"
            time.sleep(0.05)
        yield EngineServer(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def log_probabilities(model, tokenizer, prompt: str) -> np.ndarray:
    """Of every token after the prompt, by transformers."""
    import torch

    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    with torch.no_grad():
        return torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0, -1].double(), -1).numpy()


def greedy(model, tokenizer, prompt: str, count: int) -> list[int]:
    import torch

    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    with torch.no_grad():
        for _ in range(count):
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            logits[model.config.eos_token_id] = -torch.inf
            ids = [*ids, int(logits.argmax())]
    return ids[-count:]
