"""Which rows are not worth learning from, and why: a filter is a function from a row to a reason, or None to keep it.

A row has `question` and may have `answer` and `language`; dropped rows are kept with the reason of the first filter
that spoke. Filters look at one row, so their order and the rows' order do not matter to what is kept.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llmops_assets.lib.corpus.facts import PLACEHOLDER

Row = Mapping[str, Any]
Filter = Callable[[Row], str | None]

MINIMUM_LETTERS = 3
LETTERS_OF_A_LANGUAGE = 20
_MOJIBAKE = re.compile(r"(?:Ã[\u0080-\u00bf\u0152-\u2122]|â€[\u0080-\uffff]|Â[\u00a0-\u00bf]|ï»¿)")
_AUTO_REPLY = re.compile(
    r"out of (?:the )?office|automatic(?:ally)? (?:generated|reply|response)|auto[- ]?reply|do[- ]not[- ]reply|noreply"
    r"|this (?:mailbox|inbox) is not monitored|delivery status notification|undeliverable"
    r"|we (?:have )?received your (?:request|message|e-?mail|ticket)\b",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"^(?:sent from my \w+|(?:kind|best|warm|many)?\s*regards|sincerely|cheers|thanks?|thank you|best|greetings"
    r"|get outlook for \w+|this e-?mail (?:and|is|may)\b.*|confidential.*|[-_=*~]{2,}.*|tel|phone|www\S*|https?://\S+"
    r"|hi|hello|hey|dear (?:sir|madam|team|customer)|good (?:morning|afternoon|evening))?[\s,.!:]*$",
    re.IGNORECASE,
)
_EMPTY_MACRO = re.compile(
    r"(?:(?:thanks?|thank you)(?: (?:you|for|so much)[^.!?]*)?"
    r"|(?:i|we) (?:will|'ll|have|am going to) (?:pass|forward(?:ed)?|hand|get back|come back|look into)[^.!?]*"
    r"|let me (?:forward|pass|hand|check|look)[^.!?]*"
    r"|a (?:colleague|member of (?:our|the) team|specialist|representative) will [^.!?]*"
    r"|(?:we|i) (?:apologi[sz]e|are sorry|am sorry)[^.!?]*|sorry for [^.!?]*"
    r"|is there anything else[^.!?]*|have a (?:nice|great|good) [^.!?]*|please (?:hold|wait|stand by)[^.!?]*"
    r"|happy to help|you(?:'re| are) welcome|hi|hello|dear \w+)[\s.!?,]*",
    re.IGNORECASE,
)

_SLURS = frozenset(
    """
    05a68caa 06df17c2 0a68d9cc 0d67ef00 104d70a3 142de53d 222379e2 2b813759 3894a0eb 3957dc7f 3c49c944 4939636d
    4c2a9037 4fad2498 56c13dea 57596162 65162331 6dfec160 6e4a62e2 7155d165 785df7c0 7913ba81 7ce33163 88ec9de3
    890d51e8 8bb85765 95978713 96264586 984365cd 98b53b67 9ad4c48d 9c142f2f b3128e4f b3689c5c bf2b645d c738174c
    c7c2800f caea805a cf419a5f d4975010 d62ed8e3 db57ae19 dc215589 dfa23195 e207f9c9 f03005e7 f3cde82b f3d591bb
    fba33e1b fcda0955 fcf485a2
    """.split()
)
"""blake2b (4 bytes) of slurs and of the strongest insults: nobody has to read them here."""
_INSULT = (
    r"(?:idiots?|morons?|imbeciles?|cretins?|fools?|losers?|scum(?:bags?)?|vermin|parasites|pigs?"
    r"|animals|filth|trash|garbage|stupid|dumb|pathetic|worthless|disgusting|inferior|subhuman)"
)
_GROUP = (
    r"(?:you|them|him|her|girls|gays?|lesbians?|muslims?|jews?|christians?|immigrants?|foreigners|refugees|blacks?|whites?"
    r"|(?:\w+ )?(?:men|women|people))"
)
_ABUSE = re.compile(
    rf"\byou(?:'re|’re| are| r)?(?: all| both)?(?: such)?(?: an?| bunch of)?(?: \w+)? {_INSULT}\b"
    rf"|\b(?:hate|despise|loathe|detest)s? (?:all |every |these |those |you )?{_GROUP}\b"
    rf"|\b{_GROUP}(?: are| is|'re)(?: all| just| nothing but| such| so)* (?:an? )?{_INSULT}\b"
    rf"|\b(?:kill|murder|shoot|hang|burn|beat up|strangle|hurt|rape) (?:all |every |these |those )?{_GROUP}\b"
    rf"|\b{_GROUP} (?:should|must|deserve to|ought to)(?: all)? (?:be )?(?:die|killed|shot|hanged|burned|raped|hurt)\b"
    r"|\b(?:kill yourself|drop dead|go to hell|go die|shut up|screw you|f[u*]ck (?:you|off)|piss off)\b",
    re.IGNORECASE,
)


def too_short(row: Row) -> str | None:
    """Fewer than three letters outside of placeholders: nothing to learn from."""
    letters = sum(c.isalpha() for c in PLACEHOLDER.sub(" ", row["question"]))
    return "too short" if letters < MINIMUM_LETTERS else None


def broken(row: Row) -> str | None:
    """Wrongly decoded text, replacement or control characters, or hardly a letter among its signs."""
    text = row["question"]
    if "\ufffd" in text or _MOJIBAKE.search(text):
        return "broken: wrongly decoded"
    if any(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\n\r\t" for c in text):
        return "broken: control characters"
    signs = [c for c in PLACEHOLDER.sub("", text) if not c.isspace()]
    words = sum(unicodedata.category(c)[0] in "LM" for c in signs)
    return "broken: digits and marks only" if signs and words < 0.2 * len(signs) else None


def boilerplate(row: Row) -> str | None:
    """An automatic reply, a signature or greeting alone, or an agent's macro that answers nothing."""
    if _AUTO_REPLY.search(row["question"]):
        return "boilerplate: automatic reply"
    if all(_SIGNATURE.match(line.strip()) for line in row["question"].splitlines()):
        return "boilerplate: greeting or signature alone"
    answer = (row.get("answer") or "").strip()
    if answer and not _EMPTY_MACRO.sub("", answer).strip(" .!?,"):
        return "boilerplate: the answer says nothing"
    return None


def toxic(row: Row) -> str | None:
    """A slur, or abuse of people in so many words, in English; strong words about a product are none.

    It finds open hate and insults, no innuendo, no irony and no spelling that hides them.
    """
    text = f"{row['question']}\n{row.get('answer') or ''}"
    words = re.findall(r"[a-z]+", text.lower())
    slur = any(hashlib.blake2b(word.encode(), digest_size=4).hexdigest() in _SLURS for word in set(words))
    return "toxic" if slur or _ABUSE.search(text) else None


def other_language(row: Row, expected: Iterable[str]) -> str | None:
    """The row's `language` (two letters) is none of the expected ones, and there is enough text to tell."""
    letters = sum(c.isalpha() for c in PLACEHOLDER.sub(" ", row["question"]))
    found = row.get("language") or ""
    if not found or found in expected or letters < LETTERS_OF_A_LANGUAGE:
        return None
    return f"wrong language: {found}"


def expected_languages(rows: Iterable[Row], stated: Iterable[str] = (), share: float = 0.05) -> frozenset[str]:
    """The stated languages and those that at least `share` of the rows are in: so many are no mistake."""
    counted = Counter(row.get("language") or "" for row in rows)
    return frozenset(stated) | {name for name, count in counted.items() if name and count >= share * counted.total()}


FILTERS: dict[str, Filter] = {
    "too_short": too_short,
    "broken": broken,
    "boilerplate": boilerplate,
    "toxic": toxic,
}
"""Name to filter. One of your own is a function and an entry here."""


def sort_out(rows: Iterable[Row], filters: Mapping[str, Filter] = FILTERS) -> tuple[list[Row], list[dict[str, str]]]:
    """The rows that no filter speaks against, and the others as row_id, question and reason."""
    kept, dropped = [], []
    for row in rows:
        reason = next((found for check in filters.values() if (found := check(row)) is not None), None)
        if reason is None:
            kept.append(row)
        else:
            dropped.append({"row_id": row["row_id"], "question": row["question"], "reason": reason})
    return kept, dropped


def by_reason(dropped: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Rows by reason, most frequent first, without the row or the group that a reason points to."""
    counted = Counter(re.sub(r"(?: of|:) \S+ \(.*$", "", row["reason"]) for row in dropped)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
