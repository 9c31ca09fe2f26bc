"""The training loop against transformers.Trainer: the same model, examples and recipe, as a ratio in one run.

Usage: python benchmarks/training.py [--tokens 6000] [--json]. Prints training tokens per CPU second of both (loading
included), and the loss both reach.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.samples import generator
from resources.models import Models
from resources.trainer import trainer_for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=6000)
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    model = Models(Path(".llmops") / "models").resolve()
    prompt = generator.load_use_case().system_prompt
    rows = [
        {"question": question, "passages": [], "answer": article.answer}
        for article in generator.load_articles()
        for question in article.questions
    ]
    examples, _ = row_tools.encode_rows(row_tools.load_tokenizer(model.folder), prompt, rows, 384)
    total, chosen = 0, []
    for example in examples[::7]:
        total += len(example.ids)
        chosen.append(example)
        if total > arguments.tokens:
            break
    figures: dict[str, float] = {}
    for trainer in ("loop", "huggingface"):
        recipe = Recipe(trainer=trainer, epochs=1.0)
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            result = trainer_for(recipe).train(model, recipe, chosen, [], Path(folder))
            seconds = time.process_time() - started
        figures[f"{trainer}_tokens_per_cpu_second"] = total / seconds
        figures[f"{trainer}_loss_last"] = result.metrics["loss_last"]
    figures["ratio"] = figures["loop_tokens_per_cpu_second"] / figures["huggingface_tokens_per_cpu_second"]
    figures["examples"] = len(chosen)
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
