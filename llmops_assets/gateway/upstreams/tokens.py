"""Tokens of a text by rule, where the server that will read it cannot be asked.

Too many rather than too few: up to three letters of the Latin alphabet are one, every other byte is. Tokenizers of
today need fewer for any language, and none needs more than a token a byte.
"""

import re
from collections.abc import Mapping, Sequence

from llmops_assets.lib.answering.prompting import render_chat

_PIECE = re.compile(r" ?[A-Za-z]{1,3}|.", re.DOTALL)


def pieces(text: str) -> list[bytes]:
    """A text in pieces that joined are the text."""
    found: list[bytes] = []
    for piece in _PIECE.findall(text):
        data = piece.encode()
        found += [data] if data.isascii() else [data[place : place + 1] for place in range(len(data))]
    return found


def prompt(messages: Sequence[Mapping[str, str]]) -> int:
    """How many tokens a chat has at most."""
    return len(pieces(render_chat([dict(message) for message in messages])))
