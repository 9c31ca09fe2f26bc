"""What an answer or a sentence of it may be."""

from typing import Literal, get_args

Kind = Literal["general", "personal", "empty"]
KINDS: tuple[Kind, ...] = get_args(Kind)
