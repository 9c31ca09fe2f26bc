"""One decision per answer: general, personal or empty, with the reason and the text that may teach."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from llmops_assets.lib.auditing.placeholders import placeholders
from llmops_assets.lib.markup import untagged
from llmops_assets.lib.teaching.cues import personal
from llmops_assets.lib.teaching.cuts import cut_of, without_blocks, words
from llmops_assets.lib.teaching.kinds import Kind
from llmops_assets.lib.teaching.learned import SURE, Example, classifier
from llmops_assets.lib.teaching.sentences import Sentence, joined, sentences
from llmops_assets.lib.teaching.slots import loosened

if TYPE_CHECKING:
    from llmops_assets.lib.answering.embedding import Embeds

_OF_THE_COMPANY = re.compile(
    r"\b(?:call|phone|ring|write|reach|contact|e-?mail|mail|visit|hotline|telephone|tel|address)\b.{0,40}<(?:PHONE"
    r"|EMAIL|ADDRESS|URL)_\d+>",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"^\W*(?:it|it's|its|that|that's|this|they|these|those|he|she|him|them|so|therefore|hence|also|then"
    r"|please\s+(?:use|keep|check)\s+(?:it|this|that)"
    r"|es|sie|das|il|elle|cela|eso|esto|dat|het)\b",
    re.IGNORECASE,
)
"""A sentence that is understood only with the one before it."""
_POLAR = re.compile(r"^\W*(?:yes|no|yep|yup|nope|ja|nein|oui|non|sí|nee)\W*$", re.IGNORECASE)
REST_WORDS = 5
"""Words that a sentence beside personal ones needs to stand for itself: shorter ones are their rest."""
SURER = 2.0
"""How many times the weight of the other one that the classifier needs to make personal out of empty, or empty out of
personal, against a table."""
LEARNED: dict[Kind, str] = {"personal": "reads like one case", "empty": "says nothing of the matter"}
"""Reasons of what the classifier tells where no table knows, or against one."""


@dataclass(frozen=True)
class Decision:
    """What an answer is, why, what of it may teach (only of a general one), and what was cut from it, by reason."""

    kind: Kind
    reason: str
    text: str = ""
    cut: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Verdict:
    """Why a sentence is cut ("": it stays, None: the tables do not know), whether it is of one case, who says so."""

    reason: str | None
    personal: bool = False
    learned: bool = False

    @property
    def weighed(self) -> bool:
        """Whether the classifier is asked too."""
        return self.reason is None or (self.personal and self.reason not in _CERTAIN) or self.reason in _DOUBTFUL


@dataclass(frozen=True)
class Judge:
    """Decides on answers: by the tables of cuts and cues, and with `embedder` by a classifier where they are silent.

    What a table knows is never made general by the classifier; but whether it speaks of one case or says nothing is
    weighed ("I have to ask the workshop" and "I have asked the workshop").
    """

    embedder: "Embeds | None" = None
    known: Sequence[Example] | None = field(default=None, repr=False)

    def decide(self, answers: Sequence[str]) -> list[Decision]:
        """A decision for each redacted answer of an agent.

        Greeting, thanks, sign-off, signature, quoted history, footers, notices, lines of bots, hold lines, rating
        requests, stubs of attachments, questions back and HTML are cut; then sentence by sentence what speaks of one
        case. What remains is general when it says something; without it the answer is personal where such a sentence
        was found, and empty else. A list with a step that is cut is cut as a whole: half a procedure is worse than
        none.
        """
        cleared = [without_blocks(untagged(answer)) for answer in answers]
        split = [[replace(part, text=loosened(part.text)) for part in sentences(body)] for body, _ in cleared]
        ruled = {text: _ruled(text) for text in dict.fromkeys(part.text for parts in split for part in parts)}
        weights = self._weights([text for text, verdict in ruled.items() if verdict.weighed])
        told = {text: _told(verdict, weights.get(text)) for text, verdict in ruled.items()}
        return [_decided(parts, reasons, told) for parts, (_, reasons) in zip(split, cleared, strict=True)]

    def _weights(self, texts: Sequence[str]) -> dict[str, dict[Kind, float]]:
        if not texts or self.embedder is None:
            return {}
        return dict(zip(texts, classifier(self.embedder, self.known).weights(self.embedder, texts), strict=True))


def decide(answer: str) -> Decision:
    """The decision on one answer by the tables alone."""
    return Judge().decide([answer])[0]


def _told(ruled: _Verdict, weights: Mapping[Kind, float] | None) -> _Verdict:
    """What the tables say of a sentence, and where they do not know or may be wrong, what was learned."""
    if weights is None:
        return ruled if ruled.reason is not None else _Verdict("")
    one_case, nothing = weights["personal"], weights["empty"]
    if ruled.reason is None:
        general = weights["general"] >= SURE
        kind: Kind = "general" if general else ("personal" if one_case >= nothing else "empty")
        return _Verdict(LEARNED.get(kind, ""), kind == "personal", learned=True)
    if ruled.personal and nothing > SURER * one_case:
        return _Verdict(LEARNED["empty"], learned=True)
    if not ruled.personal and one_case > SURER * nothing:
        return _Verdict(LEARNED["personal"], personal=True, learned=True)
    return ruled


def _decided(parts: list[Sentence], reasons: list[str], found: dict[str, _Verdict]) -> Decision:
    verdicts = _verdicts(parts, found)
    told = [v.reason for v in verdicts if v.reason and v.personal]
    broken = {part.list for part, v in zip(parts, verdicts, strict=True) if part.list and v.reason}
    # What a list answers to is gone with the line that asks for it: "please send me: - your order number".
    broken |= {
        after.list
        for part, after, v in zip(parts, parts[1:], verdicts, strict=False)
        if after.list and not part.list and part.text.rstrip().endswith(":") and v.reason in _ASKING
    }
    kept = [p for p, v in zip(parts, verdicts, strict=True) if not v.reason and p.list not in broken]
    kept = [p for n, p in enumerate(kept) if not _dangles(p, kept[n + 1 :])]
    text = joined(kept)
    cut = tuple(dict.fromkeys([*reasons, *(v.reason for v in verdicts if v.reason and not v.personal)]))
    least = REST_WORDS if told else 2
    if any(_informs(part.text, least) for part in kept) and not placeholders(text):
        return Decision("general", "holds for every customer", text, (*cut, *dict.fromkeys(told)))
    if told:
        return Decision("personal", told[0], cut=(*cut, *dict.fromkeys(told[1:])))
    return Decision("empty", cut[0] if cut else "nothing said", cut=cut[1:])


def _verdicts(parts: list[Sentence], found: dict[str, _Verdict]) -> list[_Verdict]:
    result: list[_Verdict] = []
    for number, part in enumerate(parts):
        before = result[-1] if result else _Verdict("")
        verdict = found[part.text]
        # A step of a list is read with the others: alone it says too little to be judged.
        step = part.list and (verdict.learned or not (verdict.personal or verdict.reason in _OF_A_STEP))
        if (_POLAR.match(part.text) and number + 1 < len(parts)) or step:
            verdict = _Verdict("")
        elif not verdict.reason and before.personal and _LEANS.match(part.text):
            verdict = before
        result.append(verdict)
    return result


def _ruled(sentence: str) -> _Verdict:
    """What the tables say of a sentence."""
    if _OF_THE_COMPANY.search(sentence):
        return _Verdict("unfilled slot")
    cut = cut_of(sentence)
    if (cut is None or cut in _OUTRANKED) and (reason := personal(sentence)) is not None:
        return _Verdict(reason, personal=True)
    if cut is not None:
        return _Verdict(cut)
    return _Verdict("unfilled slot" if placeholders(sentence) else None)


_OF_A_STEP = frozenset({"unfilled slot", "question back", "attachment"})
"""Cuts that hold of a step too; "Write a review" among steps is one of them and asks for none."""
_ASKING = frozenset({"question back"})
"""Cuts of lines whose list is what the customer shall send."""
_DOUBTFUL = frozenset({"apology", "attachment", "hold line", "notice", "offer of help", "thanks"})
"""Cuts that may hold of a sentence although it tells of one case: "Sorry, your parcel went to another customer"."""
_CERTAIN = frozenset(
    {"one person's data", "an identifier", "an amount of one customer", "goodwill", "something agreed"}
)
"""Cues that are right whatever the sentence sounds like."""
_OUTRANKED = frozenset({"thanks", "apology", "offer of help", "small talk"})
"""Cuts of sentences that may speak of one case beside it: that is what they are then."""


def _informs(sentence: str, least: int) -> bool:
    return not _POLAR.match(sentence) and len(words(sentence)) >= least


def _dangles(part: Sentence, after: list[Sentence]) -> bool:
    """Whether a sentence announces what does not follow, or answers yes or no to what is not said."""
    announces = part.text.rstrip().endswith(":") or bool(_POLAR.match(part.text))
    return announces and not after
