"""One decision per answer: general, personal or empty, with the reason and the text that may teach."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from llmops_assets.lib.auditing.placeholders import placeholders
from llmops_assets.lib.teaching.cues import personal
from llmops_assets.lib.teaching.cuts import cut_of, without_blocks, words
from llmops_assets.lib.teaching.markup import plain
from llmops_assets.lib.teaching.sentences import Sentence, joined, sentences

Kind = Literal["general", "personal", "empty"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_REDACTED = re.compile(r"<[A-Z][A-Z_]*_\d+>")
_OF_THE_COMPANY = re.compile(
    r"\b(?:call|phone|ring|write|reach|contact|e-?mail|mail|visit|hotline|telephone|tel|address)\b.{0,40}<(?:PHONE|EMAIL|ADDRESS|URL)_\d+>",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"^\W*(?:it|it's|its|that|that's|this|they|these|those|he|she|him|them|so|therefore|hence|also|then|please\s+(?:use|keep|check)\s+(?:it|this|that)"
    r"|es|sie|das|il|elle|cela|eso|esto|dat|het)\b",
    re.IGNORECASE,
)
"""A sentence that is understood only with the one before it."""
REST_WORDS = 5
"""Words that a sentence beside personal ones needs to stand for itself: shorter ones are their rest."""
_POLAR = re.compile(r"^\W*(?:yes|no|yep|yup|nope|ja|nein|oui|non|sí|nee)\W*$", re.IGNORECASE)


@dataclass(frozen=True)
class Decision:
    """What an answer is, why, what of it may teach (only of a general one), and what was cut from it, by reason."""

    kind: Kind
    reason: str
    text: str = ""
    cut: tuple[str, ...] = ()


def decide(answer: str) -> Decision:
    """Judge one redacted answer of an agent.

    Greeting, thanks, sign-off, signature, quoted history, footers, notices, lines of bots, hold lines, rating requests,
    stubs of attachments, questions back and HTML are cut; then sentence by sentence what speaks of one case. What
    remains is general when it says something; without it the answer is personal where such a sentence was found, and
    empty else. A list with a step that is cut is cut as a whole: half a procedure is worse than none.
    """
    body, reasons = without_blocks(plain(answer))
    found = sentences(body)
    judged = _judged(found)
    told = [r for r, mine in judged if mine]
    broken = {part.list for part, (reason, _) in zip(found, judged, strict=True) if part.list and reason is not None}
    kept = [p for p, (r, _) in zip(found, judged, strict=True) if r is None and not (p.list and p.list in broken)]
    kept = [p for n, p in enumerate(kept) if not _dangles(p, kept[n + 1 :])]
    text = joined(kept)
    cut = tuple(dict.fromkeys([*reasons, *(r for r, mine in judged if r is not None and not mine)]))
    least = REST_WORDS if told else 2
    if any(_informs(part.text, least) for part in kept) and not placeholders(text):
        return Decision("general", "holds for every customer", text, (*cut, *dict.fromkeys(told)))
    if told:
        return Decision("personal", told[0], cut=(*cut, *dict.fromkeys(told[1:])))
    return Decision("empty", cut[0] if cut else "nothing said", cut=cut[1:])


def _judged(found: list[Sentence]) -> list[tuple[str | None, bool]]:
    """For each sentence why it is cut (None: it stays), and whether that is because it speaks of one case."""
    result: list[tuple[str | None, bool]] = []
    for number, part in enumerate(found):
        before = result[-1] if result else (None, False)
        if _POLAR.match(part.text) and number + 1 < len(found):
            result.append((None, False))
            continue
        reason, mine = _reason(part.text)
        if reason is None and before[1] and _LEANS.match(part.text):
            reason, mine = before
        result.append((reason, mine))
    return result


def _reason(sentence: str) -> tuple[str | None, bool]:
    if _OF_THE_COMPANY.search(sentence):
        return "unfilled slot", False
    cut = cut_of(sentence)
    if cut in _OUTRANKED and (reason := personal(sentence)) is not None:
        return reason, True
    if cut is not None:
        return cut, False
    if (reason := personal(sentence)) is not None:
        return reason, True
    if placeholders(sentence):
        return "unfilled slot", False
    return None, False


_OUTRANKED = frozenset({"thanks", "apology", "offer of help", "attachment", "small talk"})
"""Cuts of sentences that may speak of one case beside it: that is what they are then."""


def _informs(sentence: str, least: int) -> bool:
    return not _POLAR.match(sentence) and len(words(sentence)) >= least


def _dangles(part: Sentence, after: list[Sentence]) -> bool:
    """Whether a sentence announces what does not follow, or answers yes or no to what is not said."""
    if part.text.rstrip().endswith(":"):
        return not after
    return bool(_POLAR.match(part.text)) and not after
