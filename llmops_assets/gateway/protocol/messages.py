"""Messages of a conversation as they come in, and the question in them.

The release's prompt alone instructs the model. A system or developer message of a caller is a text about the
conversation, so it is not followed, and said not to be; the question is the last user message that holds text.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from llmops_assets.gateway.errors import RequestError

MOST_MESSAGES = 2000
MOST_CHARACTERS = 8000
"""Characters of a question. The tokens that fit are fewer for most texts: `gateway/budget.py` counts those."""
ONLY_TEXT = "only parts of type text are read: images, audio and files are not"
_UNSEEN = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Control characters and marks that show nothing, but split words and turn texts around. Joiners of scripts and emoji
(U+200C, U+200D) stay."""
_HIDDEN = re.compile(f"[{_UNSEEN}]")
SEEN = rf"[^\s{_UNSEEN}]"
"""Pattern of a text that shows something."""


class TextPart(BaseModel):
    """A part of a message: text, by any of the names that clients give it."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "input_text", "output_text"]
    text: str


class RefusalPart(BaseModel):
    """A part of an earlier answer that said no."""

    model_config = ConfigDict(strict=True)

    type: Literal["refusal"]
    refusal: str

    @property
    def text(self) -> str:
        """What it says."""
        return self.refusal


def _part_kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return {"text": "<text>", "input_text": "<text>", "output_text": "<text>", "refusal": "<refusal>"}.get(
        kind if isinstance(kind, str) else "", ""
    )


Part = Annotated[
    Annotated[TextPart, Tag("<text>")] | Annotated[RefusalPart, Tag("<refusal>")],
    Discriminator(_part_kind, custom_error_type="unsupported_content", custom_error_message=ONLY_TEXT),
]


def _content_kind(value: Any) -> str:
    return "<parts>" if isinstance(value, list) else "<text>"


Content = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[Part], Field(max_length=MOST_MESSAGES), Tag("<parts>")],
    Discriminator(_content_kind),
]


Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class Turn(BaseModel):
    """One turn; what else it carries (names, calls of tools) is a record of the past and not read."""

    model_config = ConfigDict(strict=True, extra="allow")

    content: Content | None = None

    @property
    def speaker(self) -> Role | None:
        """Who says it, where it is said by somebody."""
        return None

    @property
    def text(self) -> str:
        """What it says: its text, or its text parts one below the other."""
        return readable(self.content)


class Message(Turn):
    """A turn whose speaker is known."""

    role: Role

    @property
    def speaker(self) -> Role:
        """Who says it."""
        return self.role


def readable(content: str | Sequence[TextPart | RefusalPart] | None) -> str:
    """The visible text of a content, parts joined, without white space around it."""
    parts = [content] if isinstance(content, str) else [part.text for part in content or ()]
    return _HIDDEN.sub("", "\n".join(part for part in parts if part)).strip()


QUESTION: dict[str, Any] = {
    "contains": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {"const": "user"},
            "content": {
                "anyOf": [
                    {"type": "string", "pattern": SEEN},
                    {
                        "type": "array",
                        "contains": {
                            "type": "object",
                            "required": ["type", "text"],
                            "properties": {
                                "type": {"enum": ["text", "input_text", "output_text"]},
                                "text": {"type": "string", "pattern": SEEN},
                            },
                        },
                    },
                ]
            },
        },
    }
}
"""In JSON Schema: one of the messages is the user's and holds text."""


def question(messages: Sequence[Turn], param: str = "messages") -> str:
    """The last user message that holds text; RequestError where there is none, or it is too long."""
    texts = (message.text for message in reversed(messages) if message.speaker == "user")
    text = next((text for text in texts if text), "")
    if not text:
        raise RequestError(400, f"{param} need a user message with text", code="invalid_value", param=param)
    return bounded(text, param)


def bounded(text: str, param: str) -> str:
    """A question that is not too long to be looked through for personal data; RequestError otherwise."""
    if len(text) > MOST_CHARACTERS:
        said = f"the question has {len(text)} characters, at most {MOST_CHARACTERS} are read: shorten it"
        raise RequestError(400, said, code="string_above_max_length", param=param)
    return text


def unused(messages: Sequence[Turn], asked: str, param: str = "messages") -> tuple[str, ...]:
    """What of a conversation changes nothing: instructions of callers, and turns other than the question."""
    instructing = any(m.speaker in ("system", "developer") and m.text for m in messages)
    others = [m for m in messages if m.speaker not in ("system", "developer")]
    earlier = len(others) > 1 or any(m.speaker != "user" or m.text != asked for m in others)
    told = ((f"{param}.system", instructing), (f"{param}.history", earlier))
    return tuple(name for name, holds in told if holds)
