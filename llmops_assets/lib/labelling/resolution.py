"""How a conversation ended: resolved, unresolved, handed over, or unknown; from its last turns and what was rated.

Rules in order, so that each outcome has one reason a person can check.
"""

import re
from typing import Literal

Resolution = Literal["resolved", "unresolved", "handed over", "unknown"]
RESOLUTIONS: tuple[Resolution, ...] = ("resolved", "unresolved", "handed over", "unknown")

_HANDOVER = re.compile(
    r"""
    \b(?:pass|forward|escalat\w+|transferr?\w*|hand\w*|refer\w*|rout\w+|connect\w*|put)\b[^.!?]{0,60}
        \b(?:colleagues?|teams?|departments?|specialists?|supervisors?|managers?|(?:human|live)\ agents?|experts?)\b
    | \b(?:colleagues?|specialists?|(?:member|someone)\ (?:of|from)\ (?:our|the)\ \w*\ ?team|supervisors?|agents?)\b
        [^.!?]{0,30}\bwill\ (?:\w+\ )?(?:come\ back|get\ back|contact|call|reach|reply|e-?mail|write|help|be\ in\ touch)
    | \b(?:weiterleit\w+|weitergeleitet|weitergegeben|übergebe|leite\b[^.!?]{0,60}\bweiter|gebe\b[^.!?]{0,60}\bweiter)
    | \b(?:kolleg\w+|mitarbeiter\w*|fachabteilung)\b[^.!?]{0,30}\bmeld(?:et|en)\b
    | \b(?:transmets?|transfère|transmis\w*|transféré\w*)\b[^.!?]{0,60}\b(?:collègues?|équipe|service|conseill\w+)\b
    | \b(?:paso|transfiero|derivo|derivar\w*|remito)\b[^.!?]{0,60}\b(?:compañer\w+|equipo|departamento|agente)\b
    | \b(?:geef|stuur|verbind)\b[^.!?]{0,60}\b(?:collega\w*|afdeling|team)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SOLVED = re.compile(
    r"""
    \b(?:that|it|this|everything)(?:'s|\ is|\ has)?\ (?:\w+\ )?(?:worked|works|fixed|solved|sorted|resolved|helped)\b
    | \b(?:works|working|fixed|solved|sorted)\ (?:\w+\ )?(?:now|again)\b | \bproblem\ (?:is\ )?(?:solved|fixed|gone)\b
    | \b(?:perfect|great|brilliant|awesome|wonderful|thank\ you|thanks|thx|cheers)\b
    | \b(?:danke|super|hat\ geklappt|funktioniert\ (?:jetzt|wieder)|merci|ça\ marche|parfait|gracias|perfecto
        |ya\ funciona|bedankt|dank\ je|werkt\ (?:nu|weer))\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_UNSOLVED = re.compile(
    r"""
    \bstill\b[^.!?]{0,30}\b(?:not|n't|no|waiting|broken|the\ same|wrong|missing|fails?|failing)\b
    | \bstill\ (?:does|do|is|can|has|did|will)(?:n't|\ ?not)
    | \b(?:did|does|do|has)(?:n't|\ not)\ (?:help|work|solve|fix)
    | \bnot\ (?:helpful|working|solved|resolved|fixed|what\ i\ asked|an\ answer) | \b(?:useless|no\ help)\b
    | \b(?:same\ (?:problem|issue|error)|doesn't\ answer|does\ not\ answer|wrong\ answer)\b
    | \b(?:immer\ noch\ (?:nicht|kein\w*)|hilft\ nicht|geht\ nicht|funktioniert\ (?:immer\ noch\ )?nicht)\b
    | \b(?:toujours\ pas|ne\ (?:marche|fonctionne)\ (?:toujours\ )?pas|sigue\ sin|todavía\ no|no\ funciona
        |nog\ steeds\ niet|werkt\ niet)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def hands_over(answer: str, handover: str = "") -> bool:
    """Whether an answer leaves the matter to a person; `handover` is the use case's own sentence for it."""
    own = " ".join(handover.lower().split())
    return bool((own and own in " ".join(answer.lower().split())) or _HANDOVER.search(answer))


def resolution(
    question: str,
    answer: str,
    *,
    follow_up: bool = False,
    rating: int = 0,
    correction: str = "",
    handover: str = "",
) -> Resolution:
    """The outcome of a conversation from its last exchange.

    The customer's words count only in a later turn (`follow_up`): "it still does not work" in a first question says
    nothing about the answer. A thumbs down or a correction outweighs words, words outweigh a thumbs up.
    """
    if hands_over(answer, handover):
        return "handed over"
    if rating < 0 or correction:
        return "unresolved"
    if follow_up and _UNSOLVED.search(question):
        return "unresolved"
    if rating > 0 or (follow_up and _SOLVED.search(question)):
        return "resolved"
    return "unknown"
