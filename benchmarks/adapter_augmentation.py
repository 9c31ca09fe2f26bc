"""What augmentation does to an adapter: its loss on held-out questions by slice, with and without variants, over seeds.

Usage: python benchmarks/adapter_augmentation.py [--seeds 3] [--tokens 12000] [--share 1.0] [--json]. The sample's known
phrasings with their answers are learned without passages (what the adapter itself must know), once as they are and once
with a variant of each; all trainings see the same number of tokens and differ by seed. Asked are the held-out
questions: as written, and in slang and with typos of the sample's customers, not the augmentation's own. The figure is
the mean loss per answer token (nats); differences are paired by question, with the 95 % interval of a bootstrap over
questions of their mean over the seeds.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmops_assets.lib import augmentation
from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.lib.training.rows import Example
from llmops_assets.samples import generator
from resources.models import Models, ResolvedModel

SETS = {"none": (), "slang and typos": ("slang", "typos"), "paraphrase": ("paraphrase",)}
MAX_LENGTH = 256
BATCH_TOKENS = 1024


def known_rows() -> list[dict]:
    """A closed-book row for every known phrasing of the sample's articles."""
    return [
        {"row_id": hash_json([a.id, q])[:20], "article": a.id, "question": q, "passages": [], "answer": a.answer}
        for a in generator.load_articles()
        for q in a.questions
    ]


def asked_rows() -> dict[str, list[dict]]:
    """Slice to the held-out questions with their answers, in the same order in every slice."""
    slang = generator.load_phrasebook().slang
    ways = {
        "plain": str,
        "slang": lambda text: generator.slang(text, slang),
        "typos": lambda text: generator.typo(text, random.Random(text)),
    }
    articles = generator.load_articles()
    return {
        name: [{"question": way(q), "passages": [], "answer": a.answer} for a in articles for q in a.held_out]
        for name, way in ways.items()
    }


def losses(model: Any, examples: Sequence[Example]) -> np.ndarray:
    """Mean loss per answer token of each example, in order."""
    import torch

    found = np.zeros(len(examples))
    order = sorted(range(len(examples)), key=lambda place: len(examples[place].ids))
    step = max(1, BATCH_TOKENS // max(len(example.ids) for example in examples))
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), step):
            places = order[start : start + step]
            batch = [examples[place] for place in places]
            logits, targets = loop.answer_logits(model, *loop.collate(batch, model.config.pad_token_id or 0))
            each = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
            counts = [len(example.ids) - example.start for example in batch]
            found[places] = [float(part.mean()) for part in each.split(counts)]
    return found


def trained(model: ResolvedModel, examples: Sequence[Example], seed: int, tokens: int) -> Any:
    """The base model with an adapter that saw about so many tokens of the examples."""
    from peft import PeftModel

    epochs = tokens / sum(len(example.ids) for example in examples)
    with tempfile.TemporaryDirectory() as folder:
        loop.train_lora(
            model.folder, Recipe(epochs=epochs, seed=seed), examples, [], Path(folder), base_name=model.source
        )
        return PeftModel.from_pretrained(loop.load_model(model.folder), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=12_000, help="tokens that every training sees")
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows that get a variant")
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    model = Models(Path(".llmops") / "models").resolve()
    tokenizer = row_tools.load_tokenizer(model.folder)
    prompt = generator.load_use_case().system_prompt
    embedder = CachedEmbedder(Embedder(find_embedder_folder()), Path(".llmops") / "benchmark-embeddings.db")
    asked = {
        name: row_tools.encode_rows(tokenizer, prompt, rows, 10 * MAX_LENGTH)[0] for name, rows in asked_rows().items()
    }
    found: dict[str, dict[str, list[np.ndarray]]] = {name: {part: [] for part in asked} for name in SETS}
    for seed in range(arguments.seeds):
        for name, methods in SETS.items():
            rows = known_rows()
            rows += augmentation.augment(
                rows, share=arguments.share, seed=seed, methods=methods, embed=embedder.embed
            ).rows
            examples, _ = row_tools.encode_rows(tokenizer, prompt, rows, MAX_LENGTH)
            adapter = trained(model, examples, seed, arguments.tokens)
            for part, questions in asked.items():
                found[name][part].append(losses(adapter, questions))
            means = "  ".join(f"{part} {found[name][part][-1].mean():.3f}" for part in asked)
            print(f"seed {seed}  {name:16} {len(examples):4} rows  loss {means}", flush=True)
    effects = {
        name: {part: effect(found["none"][part], parts[part]) for part in asked}
        for name, parts in found.items()
        if name != "none"
    }
    for name, parts in effects.items():
        told = "  ".join(f"{part} {e['change']:+.3f} [{e['low']:+.3f}, {e['high']:+.3f}]" for part, e in parts.items())
        print(f"{name:16} change of the loss  {told}")
    if arguments.json:
        print(json.dumps(effects))


def effect(plain: Sequence[np.ndarray], varied: Sequence[np.ndarray]) -> dict[str, float]:
    """The mean change over questions and seeds, with its 95 % bootstrap interval over questions."""
    difference = np.mean(varied, axis=0) - np.mean(plain, axis=0)
    rng = np.random.default_rng(0)
    means = difference[rng.integers(0, len(difference), (2000, len(difference)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"change": float(difference.mean()), "low": float(low), "high": float(high)}


if __name__ == "__main__":
    main()
