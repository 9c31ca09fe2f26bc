"""Messages of a conversation as they come in, the question in them, and what was said before it.

The release's prompt alone instructs the model. A system or developer message of a caller is a text about the
conversation, so it is not followed, and said not to be; the question is the last user message that holds text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from llmops_assets.gateway.errors import RequestError
from llmops_assets.lib.answering.conversation import Said

MOST_MESSAGES = 2000
MOST_CHARACTERS = 8000
"""Characters of a question. The tokens that fit are fewer for most texts: `gateway/budget.py` counts those."""
MOST_TURNS = 16
"""Turns before the question that are read."""
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


@dataclass(frozen=True)
class Conversation:
    """The question of a request, the turns before it that are read, oldest first, how many questions came before it,
    and what of its messages changes nothing."""

    question: str
    history: tuple[Said, ...]
    turn: int
    ignored: tuple[str, ...]


def conversation_of(messages: Sequence[Turn], param: str = "messages") -> Conversation:
    """The last user message that holds text, after at most MOST_TURNS turns of at most MOST_CHARACTERS, the newest.

    RequestError where no user message holds text, or the last one is too long.
    """
    place = next(
        (n for n in reversed(range(len(messages))) if messages[n].speaker == "user" and messages[n].text), None
    )
    if place is None:
        raise RequestError(400, f"{param} need a user message with text", code="invalid_value", param=param)
    asked = bounded(messages[place].text, param)
    before = [Said(m.speaker, m.text) for m in messages[:place] if m.speaker in ("user", "assistant") and m.text]
    kept = newest(before)
    instructing = any(m.speaker in ("system", "developer") and m.text for m in messages)
    # Results of tools, and what stands after the question: an answer that somebody has begun.
    beside = any(m.speaker not in ("system", "developer", "user", "assistant") for m in messages[:place])
    after = any(m.text for m in messages[place + 1 :] if m.speaker not in ("system", "developer"))
    told = (("system", instructing), ("tool", beside), ("history", len(kept) < len(before)), ("after", after))
    turn = sum(said.speaker == "user" for said in before)
    return Conversation(asked, kept, turn, tuple(f"{param}.{name}" for name, holds in told if holds))


def newest(turns: Sequence[Said]) -> tuple[Said, ...]:
    """The last turns, as many as are read; a turn is taken whole or not at all."""
    room, kept = MOST_CHARACTERS, list[Said]()
    for turn in reversed(turns[-MOST_TURNS:]):
        room -= len(turn.text)
        if room < 0:
            break
        kept.append(turn)
    return tuple(reversed(kept))


def bounded(text: str, param: str) -> str:
    """A question that is not too long to be looked through for personal data; RequestError otherwise."""
    if len(text) > MOST_CHARACTERS:
        said = f"the question has {len(text)} characters, at most {MOST_CHARACTERS} are read: shorten it"
        raise RequestError(400, said, code="string_above_max_length", param=param)
    return text
