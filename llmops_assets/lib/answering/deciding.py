"""How a turn that was read is answered: with an article, by the engine, by a person, or with a few kind words.

A wrong answer is worse than a handover, and a handover to "thanks!" wastes a colleague's time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llmops_assets.lib.answering.acts import Act
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.knowledge import AnswerPath, Hit, route
from llmops_assets.lib.answering.reading import Turn
from llmops_assets.lib.answering.smalltalk import small_talk, small_talk_language
from llmops_assets.lib.answering.wordings import BUILT_IN
from llmops_assets.lib.answering.wordings import Kind as Wording

Reason = Literal["person", "own_case", "look_up", "language", "negated", ""]
LIKELY = 0.5
"""Likelihood from which a turn does something else than ask, where no article answers it."""
SURELY = 0.9
"""The same for small talk in the form of a question, in another language, or after a question of the assistant's."""
CERTAIN = 0.85
"""The same against an article that answers it as it stands."""
DOUBTED = 0.4
"""The same for one's own case or what is not for support, against an article that is not NEAR a turn that stands
alone."""
NEAR = 0.6
"""Similarity of an article that answers what sounds like one's own case, too."""

_OURS = tuple(text for known in BUILT_IN.values() for text in known.values())
_OFFERS = re.compile(
    r"\b(?:anything else|something else|help you|do for you|noch etwas|autre chose|algo más|nog iets)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Decision:
    """How a turn is answered: `cited` are the articles behind it, the first ones first; `say` is what small talk gets;
    `reason` is why a person must take over, where that is known; `language` the one it is said in, "" for the turn's.
    """

    path: AnswerPath
    cited: tuple[Hit, ...] = ()
    say: Wording | None = None
    reason: Reason = ""
    language: str = ""


def courtesy(question: str, history: Sequence[Said], own: str) -> Decision | None:
    """The answer to a turn that is small talk and nothing else, for the assistant whose language is `own`; None for any
    other.

    A nod to a question of the assistant's is an answer to it, which no phrase can carry on.
    """
    kind = small_talk(question)
    if kind is None:
        return None
    if kind == "nod" and history and history[-1].speaker == "assistant" and _asks_back(history[-1].text):
        return Decision("handover")
    say: Wording = "notice" if kind == "machine" else kind
    return Decision("small_talk", say=say, language=small_talk_language(question, own))


def decide(turn: Turn, history: Sequence[Said], own: str) -> Decision:
    """What follows from a turn after `history` for the assistant whose language is `own`."""
    asked_back = bool(history) and history[-1].speaker == "assistant" and _asks_back(history[-1].text)
    hits, path = turn.found.hits, route(turn.found.hits, turn.found.policy)
    if path != "matched" and _does(
        turn, "chatter", SURELY if turn.asks or turn.language != own or asked_back else LIKELY
    ):
        return Decision("small_talk", say="nod" if history else "greeting")
    if turn.language != own:
        return Decision("handover", tuple(hits[:1]), reason="language")
    if hits and hits[0].kind == "look_up" and hits[0].similarity >= turn.found.policy.hand_over_below:
        return Decision("handover", tuple(hits[:1]), reason="look_up")
    several = {part.hits[0].article: part.hits[0] for part in turn.parts if part.sure}
    matched = path == "matched" or len(several) > 1
    if _does(turn, "own_case", CERTAIN if matched and not turn.told.numbered else LIKELY) and not (
        matched and hits[0].similarity >= NEAR and not turn.told.numbered
    ):
        return Decision("handover", reason="own_case")
    if _does(turn, "elsewhere", CERTAIN if matched else LIKELY) and not (matched and hits[0].similarity >= NEAR):
        return Decision("handover")
    if len(several) > 1:
        return Decision("matched", tuple(several.values()))
    if path != "handover" and not turn.leaning and turn.told.apart >= DOUBTED and hits[0].similarity < NEAR:
        return Decision("handover")
    if turn.wanted is not None and turn.wanted.sure:
        return Decision("matched", tuple(turn.wanted.hits[:1]))
    if _does(turn, "negated", CERTAIN if matched else LIKELY):
        return Decision("handover", reason="negated")
    if path == "matched":
        return Decision(path, tuple(hits[:1]))
    if _does(turn, "person", LIKELY):
        return Decision("handover", reason="person")
    if _does(turn, "sorry", LIKELY) and not turn.asks and not asked_back:
        return Decision("small_talk", say="sorry")
    return Decision(path)


def _does(turn: Turn, act: Act, likely: float) -> bool:
    return turn.told.act == act and turn.told.likely >= likely


def _asks_back(text: str) -> bool:
    """Whether an assistant's turn asks something; an offer of help is none."""
    return text.rstrip().endswith("?") and not text.rstrip().endswith(_OURS) and _OFFERS.search(text) is None
