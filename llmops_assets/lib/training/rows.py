"""Training rows to tokens: the chat of serving, with labels on the answer only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.prompting import build_messages, render_chat

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Example:
    """Tokens of one chat; the answer (with its end mark) begins at `start`."""

    ids: tuple[int, ...]
    start: int


def load_tokenizer(folder: Path) -> "Tokenizer":
    """The tokenizer of a model folder."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def encode(tokenizer: "Tokenizer", prompt: str, answer: str, max_length: int) -> Example | None:
    """One chat as tokens; None when it is longer than `max_length` (a cut answer would teach stopping early)."""
    prefix = tokenizer.encode(prompt, add_special_tokens=False).ids
    target = tokenizer.encode(f"{answer}<|im_end|>", add_special_tokens=False).ids
    if len(prefix) + len(target) > max_length:
        return None
    return Example((*prefix, *target), len(prefix))


def encode_rows(
    tokenizer: "Tokenizer", system_prompt: str, rows: Iterable[Mapping[str, Any]], max_length: int
) -> tuple[list[Example], int]:
    """Examples of rows with `question`, `passages`, `answer` and maybe `history` (customer, assistant, …), and how many
    were too long."""
    examples, dropped = [], 0
    for row in rows:
        history = [
            Said("assistant" if number % 2 else "user", text) for number, text in enumerate(row.get("history") or ())
        ]
        prompt = render_chat(build_messages(system_prompt, row["question"], list(row["passages"]), history))
        example = encode(tokenizer, prompt, row["answer"], max_length)
        if example is None:
            dropped += 1
        else:
            examples.append(example)
    return examples, dropped


def batches(examples: Sequence[Example], batch_tokens: int) -> list[list[Example]]:
    """Length-sorted batches of at most `batch_tokens` padded tokens (one example always fits)."""
    result: list[list[Example]] = []
    longest = 0
    for example in sorted(examples, key=lambda e: (len(e.ids), e.ids)):
        longest = max(longest, len(example.ids))
        if result and longest * (len(result[-1]) + 1) <= batch_tokens:
            result[-1].append(example)
        else:
            result.append([example])
            longest = len(example.ids)
    return result
