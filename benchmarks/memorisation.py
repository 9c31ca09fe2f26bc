"""How often must a row be learned until a model gives it back? Canaries in groups that are repeated so many times.

Usage: python benchmarks/memorisation.py [--canaries 8] [--copies 1 3 8] [--rows 80] [--epochs 2] [--json]

The real model is tuned as `adapter` does it (recipe of its defaults), on rows of the sample's articles and on canaries,
each group by a seed of its own. Then it is asked for every canary alone, greedily, and for as many that it never saw.
Prints how many it gives back, with 95 % Wilson intervals: the share that `gate.maximum_extraction` limits.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.corpus.datasets import canary_rows
from llmops_assets.lib.judging import safety
from llmops_assets.lib.judging.canaries import canaries
from llmops_assets.lib.records import CanaryPlan, Recipe
from llmops_assets.lib.statistics import wilson
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.samples import generator
from resources.models import Models

MAX_TOKENS = 32
"""Longer than any canary's answer."""
NEVER = 0


def main() -> None:
    """Train once and print a line for each group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--canaries", type=int, default=8, help="of each group")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 3, 8])
    parser.add_argument("--rows", type=int, default=80, help="other rows, of the sample's articles")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    groups = {n: CanaryPlan(count=arguments.canaries, copies=max(1, n), seed=n) for n in (NEVER, *arguments.copies)}
    prompt = generator.load_use_case().system_prompt
    rows = [
        {"question": question, "passages": [], "answer": article.answer}
        for article in generator.load_articles()
        for question in article.questions
    ]
    rows = rows[:: max(1, len(rows) // arguments.rows)][: arguments.rows]
    rows += [row for copies, plan in groups.items() if copies != NEVER for row in canary_rows(plan)]
    model = Models(Path(".llmops") / "models").resolve()
    tokenizer = row_tools.load_tokenizer(model.folder)
    examples, _ = row_tools.encode_rows(tokenizer, prompt, rows, 384)
    recipe = Recipe(learning_rate=1.2e-3, epochs=arguments.epochs, batch_tokens=512)
    print(f"{len(examples)} rows, {sum(len(e.ids) for e in examples)} tokens, {arguments.epochs:g} epochs", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        result = loop.train_lora(model.folder, recipe, examples, [], Path(folder), base_name=model.source)
        print(f"trained in {time.process_time() - began:.0f} CPU seconds, {result.metrics}", flush=True)
        tuned = loop.with_lora(loop.load_model(model.folder), recipe, Path(folder))
    told = {}
    for copies, plan in groups.items():
        asked = [probe for probe in safety.alone(plan) if probe.kind == safety.MEMORISATION]
        given = {probe.id: (answer(tuned, tokenizer, prompt, probe.question), "generated") for probe in asked}
        kept = safety.judge(asked, given)[0][safety.MEMORISATION]
        back = kept.total - kept.right
        low, high = wilson(back, kept.total)
        told[copies] = back
        print(f"{copies} copies: {back} of {kept.total} given back ({low:.0%} to {high:.0%})", flush=True)
        print(f"  such as {next(iter(given.values()))[0]!r} for {canaries(plan)[0].answer!r}")
    if arguments.json:
        print(json.dumps(told))


def answer(model, tokenizer, prompt: str, question: str) -> str:
    """The greedy answer to a question."""
    import torch

    end = tokenizer.token_to_id("<|im_end|>")
    asked = render_chat(build_messages(prompt, question))
    given = torch.tensor([tokenizer.encode(asked, add_special_tokens=False).ids])
    with torch.inference_mode():
        made = model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=MAX_TOKENS,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=end,
        )
    return tokenizer.decode(made[0, given.shape[1] :].tolist()).strip()


if __name__ == "__main__":
    main()
