"""A base model on this machine that answers chats, through transformers: for work on data, not for serving."""

import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.answering.prompting import render_chat


class LocalChat:
    """Greedy answers of a model folder, so that the same text gives the same reply. Loads on first use (seconds)."""

    def __init__(self, folder: Path, *, max_tokens: int = 64) -> None:
        self.folder = folder
        self.max_tokens = max_tokens
        self._lock = threading.Lock()

    def ask(self, messages: Sequence[dict[str, str]]) -> str:
        """The reply to chat messages; safe for several threads, which take turns."""
        import torch

        with self._lock, torch.inference_mode():
            model, tokenizer = self._loaded
            end = tokenizer.token_to_id("<|im_end|>")
            given = torch.tensor([tokenizer.encode(render_chat(messages), add_special_tokens=False).ids])
            made = model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=self.max_tokens,
                do_sample=False,
                eos_token_id=end,
                pad_token_id=end,
            )
            return tokenizer.decode(made[0, given.shape[1] :].tolist()).strip()

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from llmops_assets.lib.training import loop, rows

        return loop.load_model(self.folder), rows.load_tokenizer(self.folder)
