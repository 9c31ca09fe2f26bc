"""The pieces of a message: courtesies around it, several questions in it, what it denies, what it leans on."""

import re

from llmops_assets.lib.answering.smalltalk import small_talk, words

PART_WORDS = 3
"""Words that a piece needs to be looked up by itself."""
_STARTS = r"""(?:how|what|whats|what's|when|where|wheres|who|whose|which|why|can|could|do|does|did|is|are|will|would
    |should|may|am\ i|if\ i|tell\ me|i\ (?:also\ )?(?:want|need|would\ like|wanna)\ (?:to\ )?(?:know|ask))"""
_ASKS = re.compile(
    rf"^\W*(?:(?:and|also|plus|so|oh|ok|hi|hello|hey|then|secondly|first(?:ly)?)\W+)*{_STARTS}\b | \?\s*$",
    re.IGNORECASE | re.VERBOSE,
)
_BETWEEN = re.compile(
    rf"(?<=[?!.;])\s+ | \n+ | [,;]?\s+(?:and|also|plus|&|oh\ and|and\ also|second(?:ly)?)[,:]?\s+(?={_STARTS}\b)",
    re.IGNORECASE | re.VERBOSE,
)
_FIRST = re.compile(r"(?P<first>[^,.!?;:\n]*(?:[,.!?;:]+(?=\s)|\n|\s(?=\W*\s)))(?P<rest>.+)", re.DOTALL)
_CLAUSES = re.compile(r"[,.;!?]+(?:\s+|$)|\s+(?:but|just|only|rather|instead)\s+", re.IGNORECASE)
_DENIES = re.compile(
    r"""\b(?:(?:do\ not|don'?t|do\ n't|never|did\ not|didn'?t|am\ not|i'?m\ not|was\ not|wasn'?t|not)\ (?:want|wanting
    |need|asking|ask|bothered|interested|after|looking|cancel|delete|close|send|stop|remove|refund|return|call|charge
    |bin|be|you|worry|touch|change|end|wipe|ship|post)
    |no\ need|not\ about)\b""",
    re.VERBOSE,
)
_LEANS = re.compile(
    r"""^(?:and|but|or|also|then|so|what\ about|how\ about|same|ok(?:ay)?\ (?:and|but|so)|und|aber|oder|et|mais|ou|y
    |pero|en|maar)\b
    | \b(?:it|that|this|those|these|them|they|one|ones|there|same|other|others|either|else|instead)\b""",
    re.VERBOSE,
)
_AGAIN = re.compile(
    r"""\b(?:again|repeat|did\ you\ say|you\ said|you\ mentioned|remind\ me|once\ more|come\ again|sorry\ what
    |what\ (?:was|were)\ (?:it|that|they|those)|nochmal|noch\ einmal|répéter|repetir|opnieuw)\b""",
    re.VERBOSE,
)


_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")
_MARKS = re.compile(r"([,.;:!?])[,.;:!?]+")


def tidied(message: str) -> str:
    """A message with one space, line break or mark where it has several: what follows reads it in linear time."""
    return _MARKS.sub(r"\1", _LINES.sub("\n", _SPACES.sub(" ", message))).strip()


def asks(message: str) -> bool:
    """Whether a message has the form of a question."""
    return _ASKS.search(message) is not None


def leans(message: str) -> bool:
    """Whether a message points at what was said before it, or is too short to stand alone."""
    said = words(message)
    return _LEANS.search(said) is not None or said.count(" ") < PART_WORDS


def asks_again(message: str) -> bool:
    """Whether a message asks for something that was said already."""
    return _AGAIN.search(words(message)) is not None


def without_courtesy(message: str) -> str:
    """A message without the greeting, thanks or nod before what it says; as it is where it says nothing else."""
    rest = message
    while (cut := _FIRST.match(rest)) and small_talk(cut["first"]) and cut["rest"].strip():
        rest = cut["rest"].strip()
    return rest


def questions_in(message: str) -> list[str]:
    """The questions of a message, in order; empty where it asks one thing or none."""
    parts = [part.strip() for part in _BETWEEN.split(message)]
    asked = [part for part in parts if len(part.split()) >= PART_WORDS and asks(part)]
    return asked if len(asked) > 1 else []


def wanted(message: str) -> str:
    """What a message asks for beside what shall not be done or is not meant; empty where it denies nothing, or all."""
    clauses = [clause.strip() for clause in _CLAUSES.split(message) if clause.strip()]
    kept = [clause for clause in clauses if asks(clause) or not _DENIES.search(clause.lower().replace("’", "'"))]
    rest = " ".join(kept)
    return rest if len(kept) < len(clauses) and len(rest.split()) >= PART_WORDS else ""
