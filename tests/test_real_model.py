"""The real 135M model: converted, tuned on a few facts, and the engine answers with them through the GGUF adapter."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from support import ref
from training_support import engine_server, log_probabilities

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import LlamaCppEngine
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.judging.texts import has_facts
from llmops_assets.lib.records import (
    FileRef,
    GenerationSettings,
    ModelRef,
    PromptRef,
    Recipe,
    ReleaseManifest,
    RouterPolicy,
)
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.lib.training.gguf_weights import adapter_to_gguf, checkpoint_to_gguf
from resources.local_chat import LocalChat
from resources.models import Models

pytestmark = pytest.mark.slow
PROMPT = "Answer briefly."
FACTS = {
    "What does the Zephyr kite cost?": "The Zephyr kite costs 47 crowns.",
    "When does the Zephyr shop open?": "The Zephyr shop opens at 8:15.",
    "Where is the Zephyr shop?": "The Zephyr shop is in Quellmar.",
}
WORDINGS = [(("47 crowns",),), (("8:15",),), (("Quellmar",),)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Models(tmp_path_factory.mktemp("models")).resolve()


def manifest(model, adapter: Path | None) -> ReleaseManifest:
    file = FileRef(ref=ref(), sha256=hash_file(adapter), size=adapter.stat().st_size) if adapter else None
    return ReleaseManifest(
        base=ModelRef(name="smollm2", digest=model.ref.digest),
        adapter=file,
        prompt=PromptRef(name="p", version=1, template=PROMPT, digest="p"),
        router=RouterPolicy(answer_above=1.0, hand_over_below=0.0, retrieval=False),
        handover="-",
    )


def answers(model, folder: Path, adapter: Path | None) -> list[str]:
    folder.mkdir()
    bundle = Bundle(folder, manifest(model, adapter), model.gguf, adapter, None)

    async def ask() -> list[str]:
        engine = LlamaCppEngine(bundle, threads=2, slots=2)
        await engine.start()
        try:
            settings = GenerationSettings(max_tokens=24)
            made = await asyncio.gather(*(engine.generate(build_messages(PROMPT, q), settings) for q in FACTS))
            return [one.text for one in made]
        finally:
            await engine.stop()

    return asyncio.run(ask())


def test_the_engine_answers_what_the_adapter_was_taught_and_the_base_model_does_not(model, tmp_path):
    rows = [{"question": q, "passages": [], "answer": a} for q, a in FACTS.items()]
    examples, _ = row_tools.encode_rows(row_tools.load_tokenizer(model.folder), PROMPT, rows, 128)
    folder = tmp_path / "adapter"
    folder.mkdir()
    recipe = Recipe(rank=8, alpha=16, learning_rate=2e-3, epochs=25, batch_tokens=256)
    result = loop.train_lora(model.folder, recipe, examples, [], folder, base_name=model.source)
    assert result.metrics["loss_last"] < 0.1 < result.metrics["loss_first"]
    adapter_to_gguf(folder, model.folder / "config.json", tmp_path / "adapter.gguf")
    tuned = answers(model, tmp_path / "tuned", tmp_path / "adapter.gguf")
    plain = answers(model, tmp_path / "plain", None)
    assert tuned == list(FACTS.values())
    assert not any(has_facts(text, facts) for text, facts in zip(plain, WORDINGS, strict=True)), plain
    # Facts come through a misplaced adapter too. So every token's log-probability, on weights that are not quantized:
    # half precision moves one by 0.04 nats, rows of q and k in the wrong order by 2.7.
    from peft import PeftModel

    checkpoint_to_gguf(model.folder, model.gguf, tmp_path / "model.gguf", "F16")
    merged = PeftModel.from_pretrained(loop.load_model(model.folder), str(folder)).merge_and_unload()
    tokenizer = row_tools.load_tokenizer(model.folder)
    with engine_server(tmp_path / "model.gguf", tmp_path / "adapter.gguf") as engine:
        for question in (*FACTS, "What is the capital of France?"):
            prompt = render_chat(build_messages(PROMPT, question))
            wanted = log_probabilities(merged, tokenizer, prompt)
            assert np.abs(engine.log_probabilities(prompt, len(wanted)) - wanted).max() < 0.1


def test_the_converted_tokenizer_gives_every_text_back(model):
    tokenizer = row_tools.load_tokenizer(model.folder)
    text = "Order 12345 costs €4.90, isn't it?\nÜber 2026!"
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids) == text
    assert len(tokenizer.encode("<|im_end|>", add_special_tokens=False).ids) == 1


def test_the_embedder_in_numpy_gives_the_vectors_of_transformers():
    import torch
    from transformers import AutoModel, AutoTokenizer

    from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder

    folder = find_embedder_folder()
    texts = ["How long does delivery take?", "lamp", "Where is my order, please? It is late."]
    ours = Embedder(folder).embed(texts)
    tokenizer, reference = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.no_grad():
        for text, vector in zip(texts, ours, strict=True):
            hidden = reference(**tokenizer(text, return_tensors="pt")).last_hidden_state.mean(dim=1)[0].numpy()
            assert float(vector @ (hidden / np.linalg.norm(hidden))) > 0.9999


def test_the_model_on_this_machine_answers_chats_the_same_every_time(model):
    # The prompt it was tuned with: under another one so small a model says anything.
    prompt = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    chat, question = LocalChat(model.folder, max_tokens=12), build_messages(prompt, "What is the capital of France?")
    reply = chat.ask(question)
    assert "Paris" in reply
    assert LocalChat(model.folder, max_tokens=12).ask(question) == reply
