"""The one chat format of the assistant, used alike in training, evaluation and serving.

A difference between the prompt a model was tuned on and the one it is served with costs accuracy silently.
"""

import re
from collections.abc import Sequence

from llmops_assets.lib.answering.conversation import Said

_MARK = re.compile(r"<\|[\w-]{0,40}\|>")
_LINES = re.compile(r"\s*[\n\r\v\f\x85\u2028\u2029]\s*")


def user_message(question: str, passages: Sequence[str] = ()) -> str:
    """The user turn: the question alone, or the retrieved passages (best first) and the question.

    Neither can end the turn: marks of the template are taken out of both. A passage is one line behind a dash, so that
    none can open a line of its own and pass for a question or an instruction.
    """
    if not passages:
        return unmarked(question)
    listed = "\n".join(f"- {_LINES.sub(' ', unmarked(passage))}" for passage in passages)
    return f"Known answers:\n{listed}\n\nQuestion: {unmarked(question)}"


def unmarked(text: str) -> str:
    """A text without the marks by which a chat template tells turns apart (`<|im_end|>`), also nested ones."""
    while (shorter := _MARK.sub("", text)) != text:
        text = shorter
    return text


def build_messages(
    system_prompt: str, question: str, passages: Sequence[str] = (), history: Sequence[Said] = ()
) -> list[dict[str, str]]:
    """OpenAI-style messages for one question after what was said before it."""
    return [
        {"role": "system", "content": system_prompt},
        *({"role": said.speaker, "content": unmarked(said.text)} for said in history),
        {"role": "user", "content": user_message(question, passages)},
    ]


def render_chat(messages: Sequence[dict[str, str]], answer: str | None = None) -> str:
    """ChatML text as SmolLM2's own chat template renders it, open for the answer or with it.

    Written out so that training, the engine and the tests provably use one template.
    """
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages) + "<|im_start|>assistant\n"
    return text if answer is None else f"{text}{answer}<|im_end|>\n"
