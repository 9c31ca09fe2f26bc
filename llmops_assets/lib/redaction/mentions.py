"""Names of people in the middle of what is written, in any letters: third persons, who signs, initials, small letters.

names.py finds whom a text introduces, greets or closes with by lists of such words; here the form of a sentence or of
a last line tells: "explained it to dermot", "olu from your team", "--\\nkim". A small-letter word counts as a name only
where it is no ordinary English word, and an unknown one only in an English text.
"""

import re
from collections.abc import Collection, Iterator

from llmops_assets.lib.redaction import gazetteer
from llmops_assets.lib.redaction.names import CUED, KNOWN, name_at, recased, words
from llmops_assets.lib.redaction.spans import Folded, Span
from llmops_assets.lib.redaction.vocabulary import misspelt, ordinary
from llmops_assets.lib.redaction.words import (
    ALSO_WORDS,
    AMBIGUOUS_GIVEN_NAMES,
    BRANDS,
    COMMON_WORDS,
    FAMILY_NAMES,
    GIVEN_NAMES,
    MYTHS,
    NEVER_NAMES,
    PARTICLES,
    PLACES,
)

_DEPARTMENTS = frozenset(
    "sales claims returns billing accounts accounting dispatch warehouse reception marketing legal complaints retention"
    " compliance logistics escalations fraud lettings bookings reservations finance purchasing maintenance engineering"
    " head office hq chatbot bot assistant parliament god jesus christmas".split()
)
SMALL_GIVEN = GIVEN_NAMES - AMBIGUOUS_GIVEN_NAMES - COMMON_WORDS - ALSO_WORDS - PLACES - MYTHS
"""Given names that are ones in small letters too."""

# What is done with or to a person: behind it stands one, in whatever letters.
_DONE = re.compile(
    r"(?i)\b(?:(?:spoke|spoken|speak|speaking|talk|talked|talking|chat|chatted|chatting|dealt|deal|dealing|corresponded"
    r"|agreed|arranged|discussed (?:it|this|that)) (?:again )?(?:to|with|w/?)"
    r"|according to|ask(?:ed|ing)? (?:for|after)|on behalf of"
    r"|(?:tell|told|ask|asked|remind|reminded|thank|let|inform|informed|contacted|phoned|emailed|met|texted|messaged)"
    r"|(?:helped|served|signed(?: for| off)?|accepted|collected|taken|received|picked up|answered|handled"
    r"|approved|processed"
    r"|promised|told|written|confirmed|advised|assured|treated|opened|ordered|paid(?: for)?) by"
    r"|(?:explained|gave|given|give|hand|handed|showed|said|promised|mentioned|lent|described|reported|left)"
    r"(?: (?:it|that|this|them|everything|all|the \w+|my \w+|a \w+)){0,4}(?: all| over| back| on| in)? (?:to|with|by)"
    r"|(?:a|some) (?:certain|guy|man|woman|lady|person|girl|boy|gentleman|colleague"
    r"|neighbou?r|friend)(?: from [\w ]{2,20}?)?(?: (?:called|named))?|(?:someone|somebody|one) (?:called|named)"
    r"|goes by|care of"
    r"|(?:thanks|kudos|credit|hats off|greetings|regards|love|hugs) (?:to|from)|not (?:me|you) but|(?:he|she"
    r"|who|they|man|woman|lady|guy|driver|agent|colleague) (?:\w+ )?(?:is|was|were|are)"
    r" (?:called|named)|(?:boss|manager|contact|owner|neighbou?r|partner|colleague|assistant|recipient"
    r"|addressee|helper|landlord"
    r"|husband|wife|son|daughter|brother|sister|friend|mum|mom|dad|name)(?:'s name)? (?:is|was|are)(?: called)?"
    r"|(?:(?:buyer|seller|customer|client|guest|patient|passenger|sender|receiver|tenant|owner|driver|member"
    r"|applicant|me|us)[:]"
    r"|patient|contact|attention|attn\.?|fao|f\.a\.o\.?|z\.? ?hd\.?|c/o|recipient|addressee|deliver|caller|tenant"
    r"|shame on you|not to)[:,]?)\s+['\"(]?"
)
# What is sent somewhere goes to places as often: behind it a common name is asked for.
_SENT = re.compile(
    r"(?i)\b(?:sent|send|sending|passing|handing|forwarding|passed|delivered|forwarded|released|transferred|addressed|shipped|belongs|belong"
    r"|registered|left|made out"
    r"|went|goes|given)(?: (?:it|that|this|them|everything|all|the \w+|my \w+|a \w+)){0,4}(?: over| back"
    r"| on)? (?:to|with|by|for)\s+['\"(]?"
)
_WORD = r"(?<![\w'-])[^\W\d_](?:[^\W\d_]|['-](?=[^\W\d_])){0,30}"
_HERE = re.compile(
    rf"(?i)(?:^\s*|(?<=[\n.!?,]) ?|\b(?:hi|hello|hey|hiya|hallo|hola|bonjour|its|it's|good (?:morning|evening"
    rf"|day)|morning|yes|ok"
    rf"|this is)[,!.]? )(?P<name>{_WORD}(?: {_WORD}){{0,2}}) (?:here|speaking|again here|calling|writing|on the line"
    rf"|am apparat|à l'appareil|al habla)\b"
)
_DOES = re.compile(
    rf"(?P<name>{_WORD}(?: {_WORD})?) (?:(?P<sure>from (?:your|the|customer|tech\w*|it\b|accounts?\b|sales\b"
    rf"|support\b|billing"
    rf"|dispatch|returns\b|logistics|marketing|complaints)|in (?:your|billing|sales|accounts|support|dispatch"
    rf"|returns|customer"
    rf"|logistics|complaints|the (?:shop|office|store|warehouse|chat))|at (?:your|reception"
    rf"|(?:the )?(?:front )?desk|the (?:shop|desk|counter"
    rf"|store|depot|reception)))"
    rf"|(?:said|says|told (?:me|us|him|her)|promised|wrote|answered|explained|assured|confirmed|helped (?:me|us)"
    rf"|hung up"
    rf"|called (?:me|us|back)|rang|phoned|picked up|signed (?:for|it)|has (?:my|the|it)|was (?:very|so|really"
    rf"|rude|kind|nice)"
    rf"|is (?:my|away|ill|on holiday|not (?:in|at home))))\b"
)
_INITIALS = re.compile(
    r"(?<![\w.])(?:[^\W\d_]\.-? ?){1,3}(?:(?:van|de|von|der|den|di|la|le|el|al|ter|ten)"
    r" ){0,3}(?P<last>[^\W\d_][\w'-]{2,})"
)
_CAPITALS = re.compile(r"(?<![\w-])(?P<first>[^\W\d_a-z]{3,}) (?P<last>[^\W\d_a-z]{2,}(?:[-'][^\W\d_a-z]+)?)(?![\w])")
_DRESSING = re.compile(r"[\s~*•–>(-]*")
LONGEST_LINE = 80
_CONTACT = re.compile(r"\d{3}|@|<[A-Z_]+_\d+>|www\.|(?i:\b(?:tel|phone|mobile|e-?mail|customer|order|sent from)\b)")
_FLOURISH = re.compile(r"(?<!\S)(?:--+|~|[-–—]{1,2}|\*) ?(?P<name>[^\n]{2,40})$")
LAST_LINES = 5


def find(text: Folded, allowed: Collection[str], language: str, known: Collection[Span] = ()) -> list[Span]:
    """Names by the form of the sentence, and in the last lines; `language` is that of the conversation.

    `known` are people that were found already: "and olu" behind one of them is a name too.
    """
    read, english = recased(text.text), language in ("en", "")
    spans = [Span(*span, "PERSON", KNOWN, by) for by, span in _in_sentences(read, allowed, english=english)]
    spans += (Span(*span, "PERSON", CUED, "signed") for span in _signed(read, allowed, english=english))
    spans += (Span(*span, "PERSON", KNOWN, "initials") for span in _initials(read, allowed))
    spans += (Span(*span, "PERSON", KNOWN, "small") for span in _small(read, allowed, english=english))
    spans += (Span(*span, "PERSON", KNOWN, "reversed") for span in _reversed(read, allowed))
    # Not for want of a word that tells: "Ihre Bankverbindung?" has none.
    if language == "en":
        spans += (Span(*span, "PERSON", KNOWN, "strange") for span in _strange(read, allowed))
    elif language and not english:
        spans += (Span(*span, "PERSON", KNOWN, "country") for span in _of_the_country(read, allowed, language))
    people = [*spans, *(span for span in known if span.entity == "PERSON")]
    spans += (Span(*span, "PERSON", KNOWN, "beside") for span in _beside(read, people, allowed, english=english))
    return spans


_BESIDE = re.compile(r"(?i),? (?:and|&|or|und|et|y|e|en) ")


_BEFORE = re.compile(rf"(?P<name>{_WORD}) (?:and|&|or|und|et|y) $")


def _beside(
    text: str, people: Collection[Span], allowed: Collection[str], *, english: bool
) -> Iterator[tuple[int, int]]:
    for person in people:
        before = _BEFORE.search(text, max(0, person.start - 40), person.start)
        if before is not None and _nameable(before["name"], english=english) and before["name"].lower() not in allowed:
            yield before.span("name")
        joint = _BESIDE.match(text, person.end)
        span = name_at(text, joint.end(), allowed, small=True) if joint else None
        if span is not None and _nameable(text[slice(*span)], english=english):
            yield span


_HERE_IS = re.compile(
    rf"(?i)(?:^|[\n.!] ?)(?:hallo|moin|hi|hey|servus|guten (?:tag|morgen|abend)|grüß gott|bonjour|salut|hola"
    rf"|ciao),? (?P<name>{_WORD}) "
    r"(?:hier|ici|aquí|qui)(?=[,.!\n]|$| nochmal| wieder)"
)


def _in_sentences(text: str, allowed: Collection[str], *, english: bool) -> Iterator[tuple[str, tuple[int, int]]]:
    """(form of speech, place) of names."""
    for match in _DONE.finditer(text):
        span = name_at(text, match.end(), allowed, small=True)
        if (
            span is not None
            and _nameable(text[slice(*span)], english=english)
            and text[span[1] : span[1] + 4] != " of "
        ):
            yield "done", span
    for match in _SENT.finditer(text):
        span = name_at(text, match.end(), allowed, small=True)
        found = text[slice(*span)] if span is not None else ""
        if span is not None and (_first(found) in SMALL_GIVEN or (found[0].isupper() and _foreign(_first(found)))):
            yield "sent", span
    for match in _HERE.finditer(text):
        span = name_at(text, match.start("name"), allowed, small=True)
        if span is not None and span[1] == match.end("name") and _nameable(match["name"], english=english):
            yield "here", span
    for match in _HERE_IS.finditer(text):
        if match["name"].lower() not in COMMON_WORDS and match["name"].lower() not in allowed:
            yield "here", match.span("name")
    for match in _DOES.finditer(text):
        span = _ending(text, *match.span("name"), allowed)
        if span is None:
            continue
        found = text[slice(*span)]
        known = _first(found) in SMALL_GIVEN or (found[0].isupper() and _first(found) in GIVEN_NAMES & PLACES)
        # Small letters behind "at the shop" are an adverb's as often: they need "from your …".
        said = re.match(r" (?:\w+ )?(?:said|says|told|promised|wrote|answered)\b", text[match.end() :]) is not None
        told = match["sure"] and (found[0].isupper() or said or match["sure"].lower().startswith("from"))
        if known or (told and _nameable(found, english=english, place=True)):
            yield "does", span
    for match in _CAPITALS.finditer(text):
        first, last = match["first"].lower(), match["last"].lower()
        if first in SMALL_GIVEN and last not in COMMON_WORDS - FAMILY_NAMES and last not in allowed:
            yield "capitals", match.span()


_LAST_FIRST = re.compile(
    rf"(?<![\w'-])(?P<last>(?:(?:van|de|von|der|den|di|la|le|el|al|ter) ){{0,3}}{_WORD}), (?P<first>{_WORD})(?=$"
    rf"|[.;,\n)]"
    rf"| (?:born|geb|\*))"
)


_LISTED = re.compile(
    r"(?<![\w'-])(?P<last>[^\W\d_a-z][^\W\d_]{2,}), (?P<first>[^\W\d_a-z][^\W\d_]{2,})(?![\w'-])"
    r"(?!,? (?:and|or|und|&) )"
)


def _foreign(lower: str) -> bool:
    """Whether a lower-case word is a given name of some country and no word of English, misspelt or not."""
    return gazetteer.telling(lower) and not ordinary(lower) and not misspelt(lower)


def _reversed(text: str, allowed: Collection[str]) -> Iterator[tuple[int, int]]:
    """A family name before a given name: Keller, Anna."""
    for match in _LAST_FIRST.finditer(text):
        first, last = match["first"], match["last"].split()[-1]
        capital = (
            first[0].isupper() and last[0].isupper() and first.lower() not in PLACES and last.lower() not in PLACES
        )
        surname = last.lower() in FAMILY_NAMES - COMMON_WORDS or not ordinary(last.lower())
        if capital and surname and first.lower() in SMALL_GIVEN and last.lower() not in GIVEN_NAMES | set(allowed):
            yield match.span()
    for match in _LISTED.finditer(text):
        first, last = match["first"].lower(), match["last"].lower()
        family = (last in FAMILY_NAMES or last in gazetteer.names().family) and last not in COMMON_WORDS | PLACES
        if family and not {first, last} & set(allowed) and (_foreign(first) or first in SMALL_GIVEN):
            yield match.span()


_TO_A_PLACE = re.compile(
    r"(?i)\b(?:in|to|from|at|near|via|of|through|around|into|towards|outside|for|on|by|the|a|an|your|our|my)\s+$"
)


def _strange(text: str, allowed: Collection[str]) -> Iterator[tuple[int, int]]:
    """Capital words in the middle of English sentences that are no words, wares or places one knows; and a text that
    begins or ends with two such words in small letters."""
    for word in words(text):
        lower = word.text.lower()
        inside = text[max(0, word.start - 1) : word.start] + text[word.end : word.end + 1]
        if (
            not word.text[0].isupper()
            or not word.text[1:].islower()
            or len(lower) < 3
            or re.search(r"[\w@/._<>&=#+-]", inside.replace(".", ""))
        ):
            continue
        before = text[max(0, word.start - 40) : word.start]
        if not re.search(r"[^\W\d_] $|\b[a-z']{2,}, $", before) or _TO_A_PLACE.search(before):
            continue
        if lower in PLACES or lower in MYTHS or lower in allowed or (lower not in SMALL_GIVEN and ordinary(lower)):
            continue
        span = name_at(text, word.start, allowed)
        if span is not None:
            yield span
    opening = re.match(rf"\s*(?P<name>{_WORD} {_WORD})(?=[.,\n])", text)
    closing = re.search(rf"[.!?,]\s+(?P<name>{_WORD} {_WORD})[.!]?\s*$", text)
    for match in (opening, closing):
        if match is not None and match["name"].islower():
            parts = match["name"].split()
            if not any((ordinary(part) or misspelt(part)) and part not in SMALL_GIVEN for part in parts):
                yield match.span("name")


_SMALL_NOUNS = frozenset({"es", "fr", "it", "nl", "pl", "pt"})
"""Languages that write nouns in small letters: a capital given name of any country in a sentence is a person."""


def _of_the_country(text: str, allowed: Collection[str], language: str) -> Iterator[tuple[int, int]]:
    """Capital given names of the language's countries, inside a sentence or before a family name."""
    for word in words(text):
        if not word.text[0].isupper() or not word.text[1:].islower() or word.text.lower() in allowed:
            continue
        around = text[max(0, word.start - 1) : word.start] + text[word.end : word.end + 1]
        if re.search(r"[\w@/_<>&=#+-]", around):
            continue
        span = name_at(text, word.start, allowed)
        if span is None:
            continue
        whole = [part.lower() for part in text[slice(*span)].split()]
        if len(whole) > 1 and word.text.lower() in gazetteer.names().given:
            known = whole[-1] in FAMILY_NAMES or whole[-1] in gazetteer.names().family
            if known and whole[-1] not in COMMON_WORDS | PLACES and whole[0] not in COMMON_WORDS:
                yield span
        elif gazetteer.telling(word.text, "" if language in _SMALL_NOUNS else language) and re.search(
            r"[^\W\d_],? $", text[: word.start]
        ):
            yield word.start, word.end


def _ending(text: str, start: int, end: int, allowed: Collection[str]) -> tuple[int, int] | None:
    """The name that ends at a place: of two words the whole, else the second."""
    for at in (start, start + (re.match(rf"{_WORD} ?", text[start:end]) or [""])[0].__len__()):
        span = name_at(text, at, allowed, small=True) if at < end else None
        if span is not None and span[1] == end:
            return span
    return None


def _first(found: str) -> str:
    return re.split(r"[ .]", found)[0].lower().split("-")[0]


def _nameable(found: str, *, english: bool, place: bool = False) -> bool:
    """Whether what stands where a name stands is one: a common given name, or words that are no ordinary ones."""
    parts = [part.strip(".").lower() for part in found.split() if part.lower() not in PARTICLES]
    if not parts or any(part in NEVER_NAMES - FAMILY_NAMES for part in parts[:1]):
        return False
    if parts[0] in SMALL_GIVEN or parts[0].split("-")[0] in SMALL_GIVEN:
        return True
    if parts[0] in PLACES and place and found[0].isupper():
        return parts[0] not in COMMON_WORDS
    if parts[0] in PLACES or parts[0] in MYTHS:
        return False
    if found[0].isupper() and parts[0] in GIVEN_NAMES and parts[0] not in ALSO_WORDS - AMBIGUOUS_GIVEN_NAMES:
        return True
    if not english or len(parts[0]) < 3 or (found.isupper() and len(found) < 4):
        return False
    if found[0].isupper() and not found.isupper():
        # No sentence begins here: a capital word is a name, a maker or a department.
        return not any(part in COMMON_WORDS - FAMILY_NAMES or part in _DEPARTMENTS or part in BRANDS for part in parts)
    return not any(ordinary(part) and part not in FAMILY_NAMES for part in parts)


def _signed(text: str, allowed: Collection[str], *, english: bool) -> Iterator[tuple[int, int]]:
    """The name in the last lines of a text of several, or behind dashes at its end."""
    lines = [match for match in re.finditer(r"[^\n]+", text) if match[0].strip()]
    for number in range(len(lines) - 1, max(0, len(lines) - LAST_LINES), -1):
        line, before = lines[number], lines[number - 1][0].strip()
        span = _whole(text, line.start(), line.end(), allowed)
        if span is not None:
            closing = len(before.split()) <= 7 and before[-1:] not in ".?!:"
            if _signs(text[slice(*span)], sure=closing or english, closing=closing):
                yield span
                return
        if _CONTACT.search(line[0]) is None and len(line[0].split()) > 6:
            return
    if match := _FLOURISH.search(text, max(0, len(text) - 60)):
        span = _whole(text, *match.span("name"), allowed)
        if span is not None and _signs(text[slice(*span)], sure=english, closing=False):
            yield span


def _whole(text: str, start: int, end: int, allowed: Collection[str]) -> tuple[int, int] | None:
    """The name that is all of a line, but for dashes, kisses and full stops."""
    line = text[start:end]
    if len(line) > LONGEST_LINE:
        return None
    opening = _DRESSING.match(line)
    assert opening is not None
    bare = re.sub(r"(?:\s+x{1,3}|[\s!)(:;*~–-]|(?<!\b\w)\.)*$", "", line[opening.end() :])
    first = start + opening.end()
    if not bare or len(bare.split()) > 4 or re.search(r"\d", bare):
        return None
    span = name_at(text, first, allowed, small=True)
    return span if span is not None and span[1] >= first + len(bare) else None


def _signs(found: str, *, sure: bool, closing: bool) -> bool:
    """Whether the words of a line are a name: a common one, or none ordinary; behind a closing any in capitals."""
    parts = [part.strip(".").lower() for part in found.split() if part.lower() not in PARTICLES]
    if not parts or any(part in NEVER_NAMES - FAMILY_NAMES - GIVEN_NAMES for part in parts):
        return False
    if any(
        part in GIVEN_NAMES or part.split("-")[0] in GIVEN_NAMES or part in FAMILY_NAMES - COMMON_WORDS
        for part in parts
    ):
        return True
    if closing and found[0].isupper() and not any(part in COMMON_WORDS for part in parts):
        return True
    return sure and not any(ordinary(part) for part in parts if len(part) > 1)


def _initials(text: str, allowed: Collection[str]) -> Iterator[tuple[int, int]]:
    for match in _INITIALS.finditer(text):
        last = match["last"]
        if not last[0].isupper() or not match[0][0].isupper() or last.lower() in allowed:
            continue
        if last.lower() in FAMILY_NAMES or not ordinary(last.lower()):
            yield match.start(), match.end() - (2 if last.endswith("'s") else 0)


def _small(text: str, allowed: Collection[str], *, english: bool) -> Iterator[tuple[int, int]]:
    """Common given names in small letters: of four letters and more, or before a family name."""
    found = words(text)
    end = 0
    for number, word in enumerate(found):
        lower = word.text
        if word.start < end or not lower.islower() or lower in allowed:
            continue
        if lower not in SMALL_GIVEN and not (english and len(lower) > 4 and _foreign(lower)):
            continue
        if (word.start and text[word.start - 1] in "@./_-&=") or text[word.end : word.end + 1] in ("@", "/", "_", "-"):
            continue
        span = name_at(text, word.start, allowed, small=True)
        following = found[number + 1].text.lower() if number + 1 < len(found) else ""
        if span is None:
            continue
        if not english and following not in FAMILY_NAMES:
            # A word of another language: only as a full name.
            span = (word.start, word.end) if len(lower) > 4 else None
        if span is not None and (len(lower) > 3 or following in FAMILY_NAMES - COMMON_WORDS):
            end = span[1]
            yield span
