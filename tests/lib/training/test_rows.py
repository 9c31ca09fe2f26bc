"""Training rows as the chats of serving."""

from types import SimpleNamespace

import pytest

from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.training.rows import encode_rows


class Letters:
    """A tokenizer whose tokens are characters."""

    def encode(self, text, add_special_tokens):
        assert not add_special_tokens
        return SimpleNamespace(ids=[ord(letter) for letter in text])


@pytest.mark.parametrize("history", [[], ["is it blue?", "Yes, it is."]])
def test_a_row_is_taught_in_the_chat_that_serving_shows_the_engine(history):
    row = {"question": "and green?", "passages": ["It comes in two colours."], "answer": "No.", "history": history}
    [example], dropped = encode_rows(Letters(), "Be brief.", [row], 10_000)
    served = [Said(("user", "assistant")[n % 2], text) for n, text in enumerate(history)]
    prompt = render_chat(build_messages("Be brief.", "and green?", ["It comes in two colours."], served))
    assert "".join(map(chr, example.ids[: example.start])) == prompt
    assert "".join(map(chr, example.ids[example.start :])) == "No.<|im_end|>"
    assert dropped == 0


def test_a_row_of_an_older_dataset_has_no_history():
    row = {"question": "blue?", "passages": [], "answer": "Yes."}
    [example], _ = encode_rows(Letters(), "Be brief.", [row], 10_000)
    assert "assistant\nYes" not in "".join(map(chr, example.ids[: example.start]))
