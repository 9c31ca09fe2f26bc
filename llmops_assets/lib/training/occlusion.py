"""What of a prompt a generated answer rests on: parts of it are left out, one at a time, and the answer's likelihood is
computed again.

Feature ablation (occlusion, Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901), as captum's `FeatureAblation`
does it over segments of a prompt: what is left out is really gone, so it needs no gradient, no baseline and no library.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def log_likelihood(model: Any, tokenizer: "Tokenizer", prompt: str, answer: str) -> float:
    """Log-probability of an answer with its end mark after a prompt, in nats."""
    from llmops_assets.lib.training.loop import mean_loss
    from llmops_assets.lib.training.rows import encode

    example = encode(tokenizer, prompt, answer, model.config.max_position_embeddings)
    if example is None:
        raise ValueError("the prompt with its answer is longer than the model reads")
    return -mean_loss(model, [example], len(example.ids)) * (len(example.ids) - example.start)


def effects(
    model: Any, tokenizer: "Tokenizer", parts: Sequence[str], prompt_of: Callable[[Sequence[str]], str], answer: str
) -> list[float]:
    """By how many nats each part makes an answer likelier: with all of them, less without it.

    `prompt_of` makes the prompt out of the parts, an empty text for what is left out. ValueError for a prompt that is
    longer than the model reads.
    """
    whole = log_likelihood(model, tokenizer, prompt_of(parts), answer)
    without = ([*parts[:n], "", *parts[n + 1 :]] for n in range(len(parts)))
    return [whole - log_likelihood(model, tokenizer, prompt_of(left), answer) for left in without]
