"""Slots and numbers in a sentence that means the same without them.

"Click on the {{Cancel Order}} button" names a button; "reach us at {{Phone Number}} or by chat" and "find the order
with the number <ORDER_NUMBER_1>" have a phrase to spare. What cannot be loosened so keeps its slot and is cut as a
sentence; other placeholders of redaction stay: what was one customer's is never made to look general.
"""

import re

_VALUE = re.compile(
    r"\b(?:number|phone|e-?mail|url|website|name|hours?|availability|address|amount|date|code|id|price|cost|fee|days?|time"
    r"|period|company|city|country|currency|percent\w*|sum|link|anonymi[sz]ed)\b|\d|_",
    re.IGNORECASE,
)
"""A slot with these words stands for a value that is missing; with others, for the name that is written in it."""
_NAME = re.compile(
    r"(?:\{\{|\[)\s?([A-Z][\w'&/-]*(?:\s[\w'&/-]+){0,4})\s?(?:\}\}|\])(?!\()"
    r"(\s+(?:button|section|page|tab|menu|option|link|icon|feature|form|field|service|area)s?\b)?"
)
_WEBSITE = re.compile(r"\b(our|the|your|their)\s+(?:\{\{|\[)\s?website[\w ]*(?:\}\}|\])(\s+\w)?", re.IGNORECASE)
_SLOT = r"(?:\{\{|\[)\s?[^{}\[\]<>\n]{1,60}\s?(?:\}\}|\])"
_REFERENCE = rf"(?:{_SLOT}|<[A-Z_]*(?:NUMBER|ID)_\d+>|\d{{5,}})"
_BY = r"(?:at|on|via|through|under|from|by\s+(?:phone|calling|e-?mail)(?:\s+(?:us\s+)?(?:at|on))?)"
_OUR = r"(?:(?:the|our|your|their|this)\s+)?(?:\w+\s+){0,2}?"
_PHRASE = rf"\b({_BY})\s+{_OUR}{_SLOT}"
_NUMBER = (
    r"\b(?:with|bearing|under)\s+(?:the\s+)?(?:(?:order|purchase|reference|invoice|tracking|ticket|case)\s+)?"
    rf"(?:number|id|no\.?|code)\s*:?\s*{_REFERENCE}"
)
_SPARE = tuple(
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in (
        # At {{phone}} or through the chat: through the chat. Through {{phone}} or our chat: through our chat.
        (rf",?\s*{_PHRASE}\s*,?\s*(?:or|and)\s+(?={_BY}\b|using\b)", " "),
        (rf"{_PHRASE}\s*,?\s*(?:or|and)\s+(?=(?:the|our|your)\b)", r"\1 "),
        (rf",?\s*(?:(?:or|and)\s+)?{_PHRASE}(?=\s*(?:[.,;!?)]|$|\b(?:or|and|to|for|next)\b))", ""),
        (rf"\s*{_NUMBER}", ""),
    )
)  # fmt: skip


def loosened(sentence: str) -> str:
    """The sentence with names of buttons and pages in place of their slots, without phrases that only hold a value."""
    if not re.search(r"[\[{]|(?:NUMBER|ID)_|\d{5}", sentence):
        return sentence
    text = _WEBSITE.sub(lambda found: f"{found[1]}{found[2] or ' website'}", sentence)
    text = _NAME.sub(_named, text)
    for pattern, instead in _SPARE:
        text = pattern.sub(instead, text)
    return sentence if text == sentence else re.sub(r"\s+([.,;!?])", r"\1", re.sub(r"[ \t]{2,}", " ", text)).strip()


def _named(found: re.Match[str]) -> str:
    name, thing = found[1], found[2] or ""
    if _VALUE.search(name) or not (thing or " " in name):
        return found[0]
    return name + thing
