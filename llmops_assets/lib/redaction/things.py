"""What speaks against a name: wares and places that are called as people are, and words that begin a sentence.

"The Victoria sofa", "two Oscar chairs", "Apollo 3" and "San Antonio" are nobody. What a cue named ("my name is …") is
not judged here.
"""

import re
from collections.abc import Sequence

from llmops_assets.lib.redaction.spans import Span
from llmops_assets.lib.redaction.vocabulary import ordinary
from llmops_assets.lib.redaction.words import (
    AMBIGUOUS_GIVEN_NAMES,
    COMMON_WORDS,
    FAMILY_NAMES,
    GIVEN_NAMES,
    MAKERS,
    MYTHS,
    PLACES,
    SAINTS,
)

_DETERMINER = re.compile(
    r"(?i)(?:^|[^\w'])(?:the|a|an|this|that|these|those|each|every|another|any|some|which|your|our|my"
    r"|their|his|her"
    r"|new|old|one|two|three|four|five|six|ten|\d{1,3} ?x?|both|no|replacement|spare|broken|faulty|second|third"
    r"|model|colou?r|ein(?:e[nmrs]?)?|das|dem|den|des|zwei|drei|welche[rsn]?|un|une|le|les|cette|ce|deux|el|los"
    r"|las|unos?|dos"
    r"|esta|este|lo|gli|het|een|twee|de|nowa|nowy|dwie|dwa) $"
)
_WARE = (
    r"lamps?|lights?|bulbs?|chairs?|sofas?|couch(?:es)?|tables?|desks?|beds?|mattress(?:es)?|shelf|shelves"
    r"|rugs?|mirrors?|stools?"
    r"|cabinets?|wardrobes?|cushions?|curtains?|vases?|clocks?|stands?|lampshades?|apps?|plans?|models?"
    r"|versions?|editions?"
    r"|series|collections?|range|colou?rs?|themes?|phones?|cases?|routers?|printers?|watch(?:es)?|speakers?|headphones?"
    r"|earbuds|bikes?|scooters?|strollers?|prams?|shoes?|boots?|sneakers?|dress(?:es)?|jackets?|coats?|jeans"
    r"|shirts?|bags?"
    r"|backpacks?|wallets?|rings?|necklaces?|perfumes?|creams?|teas?|coffees?|machines?|kettles?|mixers?|ovens?|grills?"
    r"|heaters?|fans?|vacuums?|robots?|cameras?|drones?|consoles?|keyboards?|mice|monitors?|tablets?|laptops?|chargers?"
    r"|cables?|adapters?|batter(?:y|ies)|sensors?|thermostats?|locks?|tents?|toys?|dolls?|puzzles?|games?|books?|cards?"
    r"|vouchers?|bundles?|sets?|kits?|packages?|subscriptions?|memberships?|tariffs?|service|support|team|app"
    r"|period|assistant"
    r"|software|platform|engine|update|font|template|paint|fabric|wallpapers?|tiles?|curtain|doorbells?"
    r"|dimmers?|remotes?"
    r"|lampen?|leuchten?|stühle?|stuhl|sessel|tische?|betten?|bett|teppiche?|regale?|schr[aä]nke?|modelle?"
    r"|lampes?|chaises?"
    r"|canapés?|tables?|lits?|tapis|modèles?|lámparas?|sillas?|sofás?|mesas?|camas?|alfombras?|modelos?|lampada"
    r"|sedia|divano"
    r"|tavolo|letto|stoel(?:en)?|bank|tafel|lampy|krzesło|stół"
)
_WARE_AFTER = re.compile(
    rf"(?i)(?:'s)? (?:(?:mini|pro|max|plus|lite|ultra|xl|xxl|ii|iii|iv|v\d|go|air|smart|classic|deluxe|led"
    rf"|floor|wall|desk|table"
    rf"|bedside|dining|corner|office|kids|outdoor|wireless|premium|basic|grey|gray|white|black|green|blue|red"
    rf"|oak|walnut|brass"
    rf"|leather|velvet|double|single|large|small)\b|(?:{_WARE})\b|\d{{1,4}}\b(?! (?:of|january|february|march"
    rf"|april|may|june|july)))"
)
_WARE_BEFORE = re.compile(rf"(?i)\b(?:{_WARE}|colou?r|shade|finish|farbe|couleur|color) ?[:\"']? ?$")
_SIZE = re.compile(r"(?i)(?:mini|pro|max|plus|lite|ultra|xl|xxl|ii|iii|iv|air|smart|classic|deluxe|led)$")
_CALLED = re.compile(
    rf"(?i:\b(?:the|a|an|this|that|two|three|your|our|new|der|die|das|la|le|el|il|het|de) )"
    rf"(?P<name>[^\W\d_a-z][^\W\d_]{{2,}})"
    rf"(?={_WARE_AFTER.pattern.removeprefix('(?i)')})"
)
_WARE_NAMED = re.compile(rf"(?i:\b(?:{_WARE}) )(?P<name>[^\W\d_a-z][^\W\d_]{{2,}})(?! [^\W\d_a-z])")
_PLACE_BEFORE = re.compile(
    r"(?i)\b(?:in|to|from|near|at|via|through|around|across|within|outside|into|towards|between|toward|ship(?:s"
    r"|ping)? to|of"
    r"|nach|aus|bei|à|en|de|a|da|naar|uit|w|do|z|en|hasta|desde|hacia|vers|depuis|city of|downtown|region) (?:the )?$"
)
_STATED = re.compile(
    r"(?i) (?:said|says|told|tells|promised|wrote|answered|signed|explained|helped|confirmed|assured|mentioned"
    r"|called|calls"
    r"|rang|phoned|asked|took|accepted|collected|picked|lives|works|is (?:my|a|the|on|in|at|not|very|nice|away"
    r"|still|supposed)|was|has|had|will"
    r"|from your|from the|from customer|from support|and i\b|and me\b|hat|sagte|est|a dit|dijo|ha detto)\b"
)
_PERIOD = re.compile(r"(?i)(?:grace (?:period|day|note)|pat on|frank (?:answer|question|word|feedback|reply"
                     r"|opinion)|mark (?:as|my|the)"
                     r"|bill (?:me|is|was|for|says)|rich (?:text|colou?r)|hope (?:this|that|you|it|to)|may (?:i|we|be)"
                     r"|will (?:it|the|you|this|that|there|my)|grant (?:me|access)|art (?:no|nr|work|icle)"
                     r"|chip (?:in|is|set)"
                     r"|penny (?:for|less)|joy (?:to|of)|faith in|summer (?:sale|time)|sunny|max(?:imum)? "
                     r"|page \\d|norm |miles )")  # fmt: skip


_MAKER = re.compile(
    rf"(?i)(?<![\w'-])(?:{'|'.join(map(re.escape, sorted(MAKERS, key=len, reverse=True)))})(?:'s)?(?![\w-])"
)


def without(text: str, people: Sequence[Span], cued: float) -> list[Span]:
    """The people without those that are wares or places; what scores `cued` or more stays."""
    kept = []
    makers = [match.span() for match in _MAKER.finditer(text)] if people else []
    for span in people:
        if span.score < cued and any(start <= span.start and span.end <= end for start, end in makers):
            continue
        if span.score < cued:
            verb = _VERB.match(text, span.start, span.end)
            if verb is not None and _begins_sentence(text, span.start):
                span = span._replace(start=verb.end())
        if span.score >= cued or not _is_thing(text, span):
            kept.append(span)
    return kept


def speaks_against(text: str, span: Span) -> tuple[str, ...]:
    """What says of a name that it is a ware's or a place's: "maker", "thing"."""
    against = ["thing"] if _is_thing(text, span) else []
    if any(match.start() <= span.start and span.end <= match.end() for match in _MAKER.finditer(text)):
        against.append("maker")
    return tuple(against)


def called(text: str) -> frozenset[str]:
    """Lower-case words that a text uses as names of wares: "the Stella lamp", "Lampe Klara", "two Oscars"."""
    found = {match["name"].lower() for match in _CALLED.finditer(text)}
    found |= {match["name"].lower() for match in _WARE_NAMED.finditer(text)}
    return frozenset(found - COMMON_WORDS)


_VERB = re.compile(r"(?:Will|May|Can|Mark|Grant|Bill|Hope|Chase|Drew|Sue|Pat|Rob|Is|Does|Has|Did) (?=[^\W\d_])")


def _begins_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 20) : start].rstrip(" \"'(")
    return not before or before[-1] in ".!?\n:"


def _is_thing(text: str, span: Span) -> bool:
    found = text[span.start : span.end]
    parts = [part.lower().strip(".") for part in re.findall(r"[^\W\d_][\w'.-]*", found)]
    before, after = text[max(0, span.start - 40) : span.start], text[span.end : span.end + 40]
    if not parts:
        return True
    if parts[0] in SAINTS or re.search(rf"(?i)\b(?:{'|'.join(sorted(SAINTS))})\.? $", before):
        return True
    if _PERIOD.match(found + after):
        return True
    place = all(part in PLACES or part in SAINTS for part in parts) and not _STATED.match(after)
    if place and (_PLACE_BEFORE.search(before) or _listed(before, after)):
        return True
    if len(parts) > 1 and (_SIZE.match(parts[-1]) or re.fullmatch(_WARE, parts[-1])):
        return parts[-1] not in FAMILY_NAMES
    if _WARE_AFTER.match(after) or _WARE_BEFORE.search(before):
        return not _is_full_name(parts)
    if len(parts) > 1:
        return False
    if _DETERMINER.search(before):
        return True
    if re.search(r"[^\W\d_]{3,}, $", before) and re.match(r"[.!?]?\s*$", after) and parts[0] not in MYTHS:
        # Somebody is spoken to: "I am sorry, Madison."
        return False
    return parts[0] in AMBIGUOUS_GIVEN_NAMES | MYTHS and not _STATED.match(after)


def _is_full_name(parts: list[str]) -> bool:
    return len(parts) > 1 and parts[0] in GIVEN_NAMES - MYTHS and (parts[-1] in FAMILY_NAMES or not ordinary(parts[-1]))


def _listed(before: str, after: str) -> bool:
    """Whether a place stands in a list of places."""
    first = re.search(r"([^\W\d_]+),? (?:and |or |und |et |y |e )?$", before)
    next_ = re.match(r",? (?:and |or |und |et |y |e )?([^\W\d_]+)", after)
    return any(
        m is not None and m[1].lower() in PLACES and m[1].lower() not in COMMON_WORDS - PLACES for m in (first, next_)
    )
