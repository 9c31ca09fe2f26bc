"""Postal addresses: runs of capital words, numbers and street words that hold what an address holds.

A run is an address when it has a street word with a number, or a house number and a postcode apart by a comma. Behind
a cue ("my address is", "ship it to") less is asked of it and small letters may stand in it.
"""

import bisect
import functools
import re
from collections.abc import Iterator, Sequence

from llmops_assets.lib.redaction.identifiers import DATE
from llmops_assets.lib.redaction.spans import Folded, Span
from llmops_assets.lib.redaction.vocabulary import ordinary
from llmops_assets.lib.redaction.words import COMMON_WORDS, NEVER_NAMES, PLACES

SCORE = 0.92
LONGEST = 160
"""Characters an address may have: what is longer is prose in which an address stands."""

_STREET_WORDS = frozenset(
    """
    street st road rd avenue ave av lane ln drive dr way court ct boulevard blvd bd square sq place pl terrace
    crescent close gardens grove mews parkway pkwy highway hwy alley row circle cir trail trl plaza quay esplanade
    expressway straße strasse str weg platz allee gasse ring ufer damm rue chemin impasse allée quai cours calle
    avenida avda plaza paseo camino carretera ronda travesía glorieta acceso alameda callejón cuesta pasaje rambla
    urbanización cañada vial pasadizo via viale piazza corso strada vicolo largo piazzale borgo contrada straat laan
    plein gracht kade singel dijk ulica ul aleja al aleje osiedle os plac rua travessa praça estrada marg nagar chowk
    gali colony enclave vihar gade vej gatan gata vägen katu tie utca út tér ulice náměstí apo fpo dpo psc
    """.split()
)
_STREET_ENDINGS = (
    "straße", "strasse", "str.", "gasse", "allee", "platz", "ufer", "damm", "straat", "laan", "gracht", "plein",
    "singel", "kade", "dijk", "steeg", "gatan", "vägen", "gata", "gade", "vej", "veien", "gaten", "katu", "kuja",
    "tie", "utca",
    "-weg", "weg",
)  # fmt: skip
_UNIT_WORDS = frozenset(
    """
    apt apartment flat suite unit studio floor fl room rm building bldg block house no nr h.no box po p.o p.o. piso
    puerta bajo esc escalera interno int scala app appartamento appartement app. bis ter bus lok m lokal plot door
    sector near whg wohnung etage og hinterhaus c/o bp cedex dept department km
    """.split()
)
_PARTICLES = frozenset(
    "de la le les los las du des del della delle dei degli di da do dos das the of and y et e und op aan van der den "
    "ten ter het 's"
    " sur sous en lès am an im bei in zu zur zum ob upon on l d".split()
)
_PROSE = (
    COMMON_WORDS
    - PLACES
    - _STREET_WORDS
    - _UNIT_WORDS
    - _PARTICLES
    - frozenset(
        "new old royal water spring summer winter gold silver black hotel hospital house university center centre "
        "library museum school post station bridge state long live west market english french german american"
        " lady victoria"
        " general crescent united uk usa us big bank prime union student college".split()
    )
) | frozenset(
    "i you he she we they my your our his her their is are was were be been it this that these those ring rings mark"
    " buzz buzzer bell klingel klingeln klingelt sonnette sonnez interphone citofono suonare timbre llamar aanbellen"
    " domofon dzwonek odbierze odbiera sąsiad sąsiadka dostawy serial modell modèle modello baujahr fehler"
    " gleis abfahrt ankunft abflug platform gate miles display"
    " din iso iec ral ean article articolo artículo error erreur art".split()
)
"""Words, capital or small, that no address goes on with: they end a run."""
_UNIT_NUMBER = re.compile(r"\d{1,5}[A-Za-z]?$|\d{1,4}[A-Za-z]?[/-]\d{1,4}[A-Za-z]?$|[A-Za-z]\d{1,4}$")
_POSTCODE = re.compile(
    r"(?<![\w/.])(?:\d{4,6}|\d{5}-\d{3,4}|\d{2}-\d{3}|\d{3} ?\d{2,3}|\d{4}-\d{3}|[A-Z]{1,2}\d[A-Z\d]? "
    r"?\d[A-Z]{2}|\d{4} ?[A-Z]{2}"
    r"|[A-Z]\d[A-Z] ?\d[A-Z]\d)(?![\w/.]\d|\w)"
)
_HOUSE = re.compile(r"(?<![\w.])(?:\d{1,5}[A-Za-z]?|\d{1,4}[A-Za-z]?[/-]\d{1,4}[A-Za-z]?|\d{1,3}[A-Z])(?![\w])")
_TOKEN = re.compile(
    r"(?:[hH]\.? ?[nN]o\.?|[Pp]\.? ?[Oo]\.?(?= [Bb]ox)|\d[\w]*(?:[/-]\w+)*|[^\W\d_][\w'./-]*[\w]|[^\W\d_])\.?"
)
_GAP = re.compile(r" ?,? ?\n? {0,8}| ?[-/] ?|\.? ?, ?")
_ABBREVIATION = re.compile(
    r"(?i)(?<!\w)(?:[^\W\d]|st|ste|str|apt|no|nr|av|ave|avda|blvd|bd|pl|pza|dr|rd|ln|ct|sq|fl|rm|bldg|ul|al|os|dept"
    r"|mt|ft|jr|sr|h\.no|h\. ?no|p\.o|c|gen|ing|prof|[\w-]+str|app|dpto|ctra|urb|gral|sta|sto)\.$"
)
_ELSE = (
    r"(?<![\d.,])\d{1,3}[.,]\d{1,2} ?m\b|(?<!\d)\d{1,2} ?h ?[0-5]\d\b|\brow [a-z]\b"
    r"|\bsquare (?:feet|foot|met(?:er|re)s?|miles?|inch(?:es)?)\b"
    r"|(?<!\d)\d{1,2}(?:st|nd|rd|th)? (?:of )?(?:january|february|march|april|may|june|july|august|september|october"
    r"|november|december)\b"
)
"""Heights, hours, areas, seats and days that are written with a street's words."""
_NO_STREET = re.compile(f"(?i){_ELSE}")
_BARRIER = re.compile(
    rf"(?i)(?<!\d){DATE}|\d{{1,2}}:\d{{2}}|(?<![\d-])(?:19|20)\d\d (?:0[1-9]|1[0-2]) (?:0[1-9]|[12]\d|3[01])(?!\d)"
    r"|(?<!\d)\d[\d ]{0,10}(?: ?- ?\d[\d ]{0,10})? ?(?:km|kg|kwh|kw|w|v|hz|khz|mhz|ghz|lm|mm|cm|ml|mah|gb|mb|tb"
    r"|jpy|chf|yen|hours?|hrs"
    r"|days?|weeks?|months?|years?|minutes?|mins?|stunden|tage|heures|jours|horas|días)\b"
    rf"|{_ELSE}"
    r"|(?<!\d)\d{1,3}(?: \d{3}){2,4}(?!\d)|(?:[01]?\d|2[0-4])[0-5]0 ?- ?(?:[01]?\d|2[0-4])[0-5]0\b"
    r"|[€$£]\s?\d[\d.,]*|(?<![\d.,])\d[\d.,]{0,15}\s?(?:[€$£%]|eur\b|euros?\b|usd\b|gbp\b|pln\b)"
)
_GERMAN_PLACE = ("am", "im", "zum", "zur")
"""How streets begin that have no street word: Am Mühlbach 7."""
_CUE = re.compile(
    r"(?i)(?:\b(?:address|adresse|anschrift|lieferadresse|dirección|indirizzo|adres|endereço|domicilio|wohnort"
    r"|morada)(?: \w+){0,4}? ?(?:is|to|was|:|=|ist|lautet|est|es|è|jest|é|,)|\b(?:address|adresse|adres"
    r"|indirizzo):?"
    r"|\b(?:live|lives|living|reside|resides|residing|located|stay|staying|based|meet me) (?:at|in|on)|\bmoved "
    r"to|\bmoving to|\brelocated to"
    r"|\b(?:send|sent|ship|shipped|deliver|delivered|post|mail|forward|dispatch|redirect|return|route|come|go"
    r"|bring|courier|replacement|delivery|parcel|package|order|it|collect|collection)"
    r"(?: \w+){0,4}? (?:to|at|from)(?: my (?:new )?(?:address|home|place|house|flat))?(?: at)?[:,]?"
    r"|\bwohne(?:n)?(?: \w+){0,2}? (?:in|an)(?: der| dem)?|\bj'habite(?: au)?|\bhabite|\bvivo en|\babito (?:in"
    r"|a)|\bik woon (?:op|aan|in)|\bmieszkam przy"
    r"|\b(?:nach|an|à|a|naar|pod|para)(?: folgende adresse| l'adresse)?:|\bsure, it's|\bit's|\bit is)\s+"
)


def find(text: Folded, *, asked: bool = False, towns: bool = False, prefilter: bool = True) -> list[Span]:
    """Addresses in a text; every address holds a digit.

    `asked`: it answers a question for one. `towns`: a town with its postcode is one already.
    """
    if prefilter and not text.has_digit:
        return []
    spans = [s for s in (_judged(text.text, *run) for run in _runs(text.text)) if s is not None]
    spans += _written(text.text)
    starts = {match.end() for match in _CUE.finditer(text.text)} | ({0} if asked else set())
    for start in sorted(starts):
        span = _behind_cue(text.text, start, asked=asked)
        if span is not None:
            spans.append(span)
    spans += _towns(text.text, sure=not (asked or towns or _AT.search(text.text)))
    return _united([s for s in spans if s.end - s.start <= LONGEST])


# A street as people type it, in whatever letters: a number and a street word with one to four words between them.
_ENGLISH_STREET = (
    r"street|st|road|rd|avenue|ave|lane|ln|drive|dr|way|court|ct|boulevard|blvd|square|sq|terrace|crescent"
    r"|close|gardens"
    r"|grove|mews|parkway|pkwy|highway|hwy|row|circle|trail|quay|hill|place|pl|rise|walk|park|green|view"
)
_FIRST_WORD = r"rue|avenue|av\.?|boulevard|bd\.?|place|impasse|allée|chemin|quai|cours|route|square|passage"
_WITH_NUMBER_LAST = (
    r"calle|c/|avenida|avda\.?|paseo|plaza|camino|carretera|ronda|via|viale|corso|piazza|vicolo|largo|rua"
    r"|travessa|praça"
    r"|ul\.?|ulica|al\.|aleja|os\.|osiedle|plac|straße|strasse"
)
_HOUSE_NUMBER = r"\d{1,5} ?(?:[A-Za-z]\b)?(?:[-/]\d{1,4}[A-Za-z]?)?"
_NAME_WORD = r"[^\W\d_][\w.'-]{0,30}"
_PLACE_WORD = r"[^\W\d_][^\W\d_.'-]{0,30}(?:[.'-][^\W\d_]{1,30}){0,4}(?!\w)\.?"
_TWO_LETTERS = (
    r"(?:a[mnst]|b[ey]|cm|d[aeo]|e[lnt]|eu|g[ob]|h[ez]|i[fmnst]|k[gm]|l[ae]|m[belmy]|n[do]|o[fnr]|pm|rd|s[ot]|t[ho]"
    r"|u[mnps]|we|zu)"
)
"""Words and units that stand behind a number of four digits; in capitals they may be the end of a Dutch code."""
_CODE = (
    r"(?:[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}|\d{2}-\d{3}|\d{5}(?:-\d{4})?|(?-i:\d{4} ?[A-Z]{2})"
    rf"|(?-i:\d{{4}} ?(?!{_TWO_LETTERS}\b)[a-z]{{2}})"
    r"|\d{4}(?:-\d{3})?|[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d)"
)
_UNIT = r"(?:flat|apt\.?|apartment|unit|suite|room|house|piso|bâtiment|bat\.?|wohnung|lokal|m\.) ?#?\d{1,4}[A-Za-z]?"
_SHAPES = (
    re.compile(
        rf"(?i)(?<![\w.,/-])(?:{_UNIT},? )?(?P<number>{_HOUSE_NUMBER}),? (?P<words>(?:(?:{_NAME_WORD}"
        rf"|\d{{1,3}}(?:st|nd|rd|th)) ){{1,4}}?)"
        rf"(?P<street>{_ENGLISH_STREET})\b\.?(?: (?:north|south|east|west|[NSEW]{{1,2}})\b)?"
    ),
    re.compile(
        rf"(?i)(?<![\w.,/-])(?P<number>\d{{1,4}} ?(?:bis|ter|quater|[A-Z]\b)?),? (?P<street>{_FIRST_WORD}) "
        rf"(?P<words>(?:(?:de|du|des|la|le|les|l'|d')[ ]?){{0,3}}{_NAME_WORD}(?: (?!à|a|et|pour|s'il|svp"
        rf"|merci){_NAME_WORD}){{0,2}})"
    ),
    re.compile(
        rf"(?i)(?<![\w.-])(?P<street>{_WITH_NUMBER_LAST}) (?P<words>(?:{_NAME_WORD} ){{0,4}}?{_NAME_WORD}),? "
        rf"(?:n[°ºr]?\.? ?)?(?P<number>{_HOUSE_NUMBER})(?![\w.,]\d|\w)"
    ),
    re.compile(
        rf"(?i)(?<![\w.-])(?P<words>(?P<street>am|an der|auf der|im|in der|zum|zur) {_NAME_WORD}(?: {_NAME_WORD})?) "
        rf"(?P<number>{_HOUSE_NUMBER})(?=,? ?\n?\d{{5}} [^\W\d_])"
    ),
    re.compile(
        r"(?i)(?<![\w.-])(?P<words>(?:(?:(?-i:Am|An der|Auf der|Im|In der|Zum|Zur)|alte|neue"
        r"|lange) )?[^\W\d_][\w-]{2,30}"
        r"(?P<street>straße|strasse|str\.|gasse|allee|platz|ufer|damm|ring|weg|straat|laan|gracht|plein|kade"
        r"|dijk|weg|singel"
        rf"|steeg|gatan|gata|vej|veien|gade|katu|utca)),? (?P<number>{_HOUSE_NUMBER})(?![\w.,]\d|\w)"
    ),
)
_ONWARD = r"(?:(?<![.])|(?<=\b[Ss]t\.)|(?<=\b[Ss]te\.)|(?<=\b[Bb]ad\.))[ -]"
"""Between two words of a town's name: no sentence ends there."""
_GOES_ON = re.compile(
    rf"(?i)(?: ?,? ?\n? ?| - )(?:(?P<code>{_CODE})(?![\w-])(?: (?P<town>(?:{_NAME_WORD})(?:{_ONWARD}(?:am|an der|sur"
    rf"|de|la|sous|im)\b)?"
    rf"(?:{_ONWARD}{_NAME_WORD})?))?|(?<=,)(?P<place>[ \n]?(?:{_PLACE_WORD})(?: {_PLACE_WORD}){{0,2}})"
    rf"|(?P<state>[A-Z]{{2}}|(?<=, )[a-z]{{2}})(?= \d{{5}}\b)|(?P<unit>{_UNIT})"
    # "7 chapel hill penzance tr18 4ae".
    rf"|(?P<between>(?<= ){_PLACE_WORD}(?: {_PLACE_WORD})?)(?= (?:[A-Za-z]{{1,2}}\d[A-Za-z\d]? ?\d[A-Za-z]{{2}}"
    rf"|\d{{5}})(?!\w)))"
)
_NO_STREET_NAME = frozenset(
    "minutes minute hours hour days day weeks week months month years year euros euro dollars pounds times lamps items"
    " pieces km miles percent of in on at the a an for to more other different per star way ways best right"
    " wrong my your"
    " bedroom people persons users email mail post tage stunden tag arbeitsplatz parkplatz stellplatz"
    " steckplatz".split()
)


_SHORT = frozenset("st rd ave ln dr ct blvd sq pkwy hwy pl".split())


def _written(text: str) -> list[Span]:
    """Streets with their number in any letters, with the town and the postcode that follow."""
    found = []
    others = list(_NO_STREET.finditer(text))
    for shape in _SHAPES:
        for match in shape.finditer(text):
            words = [w.lower().strip(".,") for w in match["words"].split()]
            if not words or not _named(words, match["street"].lower(), match[0]):
                continue
            if any(other.start() < match.end() and match.start() < other.end() for other in others):
                continue
            end = match.end()
            if match[0].endswith(".") and (match["street"].lower() not in _SHORT or not text[end:].strip()):
                end -= 1
            for _ in range(5):
                more = _GOES_ON.match(text, end)
                if more is None:
                    break
                stop = _until(more)
                if stop <= end:
                    break
                end = stop
            found.append(Span(match.start(), end, "ADDRESS", SCORE))
    return found


def _named(words: list[str], street: str, whole: str) -> bool:
    """Whether the words between number and street word can name a street."""
    if any(word in _NO_STREET_NAME for word in words if word not in _PARTICLES):
        return False
    if whole != whole.lower() and any(w[0].isupper() for w in re.findall(_NAME_WORD, whole)):
        inner = [w for w in re.findall(_NAME_WORD, whole) if w.lower() not in _PARTICLES]
        if all(w[0].isupper() or _is_street(w) for w in inner):
            return True
    if any(word[0].isdigit() for word in words):
        return True
    # In small letters: short street words ("st", "way", "place") are words of sentences too.
    if street in (
        "way",
        "place",
        "close",
        "drive",
        "court",
        "park",
        "green",
        "view",
        "row",
        "walk",
        "rise",
        "hill",
        "pl",
        "dr",
        "via",
        "largo",
        "route",
        "cours",
        "passage",
        "square",
        "circle",
        "place",
    ):
        named = [word for word in words if word not in _PARTICLES]
        return len(named) <= 2 and not any(word in COMMON_WORDS for word in named)
    return not any(word in _PROSE - _DESCRIBING and word not in PLACES for word in words)


_DESCRIBING = frozenset(
    "long high low upper lower little great big small short broad wide fair good far back front".split()
)
"""Words that streets are called by: 14 long acre road."""


MOST_WORDS_OF_A_REPLY = 6
_NUMBER_FIRST = re.compile(r"(?:^|(?<=\s))#?\d{1,5}[A-Za-z]?, ?$")


def completed(text: str, found: list[Span]) -> list[Span]:
    """The addresses of a reply that was asked for one, with what is told of it alone: "174, 89566 Lecce", "12 Mill",
    "Lane, Leeds" (people give it in two halves)."""
    if found:
        first = found[0]
        number = _NUMBER_FIRST.search(text[: first.start])
        return [first._replace(start=number.start()), *found[1:]] if number else found
    tokens = [match for match in _TOKEN.finditer(text) if match[0].lower().strip(".") not in _PROSE]
    if not tokens or len(text.split()) > MOST_WORDS_OF_A_REPLY or "?" in text:
        return []
    told = any(_is_street(match[0]) or match[0].lower() in _FIRST_WORDS for match in tokens)
    number = any(match[0][0].isdigit() for match in tokens) and any(
        match[0][0].isupper() or (match[0][0].isalpha() and not ordinary(match[0].lower().strip(".")))
        for match in tokens
    )
    return [Span(tokens[0].start(), tokens[-1].end(), "ADDRESS", SCORE)] if len(tokens) > 1 and (told or number) else []


_FIRST_WORDS = frozenset(
    "via viale corso piazza vicolo rua calle avenida paseo plaza ulica ul al os am im zum zur".split()
)
_JOINING = frozenset("and y e et und oder or i".split())
_BEFORE_CODE = re.compile(rf",? (?:[A-Za-z]{{2}} )?{_CODE}(?!\w)")


def _until(more: re.Match[str]) -> int:
    """Where an address goes on to: as far as its words are no sentence's, or -1."""
    if more["between"]:
        return -1 if any(word.lower() in _PROSE for word in more["between"].split()) else more.end()
    name = "town" if more["town"] else "place"
    if more[name] is None:
        return more.end()
    end = more.end("code") if more["code"] else -1
    for word in re.finditer(_NAME_WORD, more[name]):
        lower = word[0].lower().strip(".")
        if lower in _PROSE or lower in _JOINING:
            break
        if lower in _PARTICLES:
            continue
        if (
            word[0].islower()
            and name == "place"
            and re.search(r"[^\W\d_a-z][^\W\d_]", more.string[: more.start()][-40:])
        ):
            # The address is written with capitals: its town is too.
            break
        doubtful = word[0].islower() and name == "place" and lower not in PLACES and ordinary(lower)
        # WordNet knows some towns: they are ones where a postcode follows.
        if doubtful and not _BEFORE_CODE.match(more.string, more.start(name) + word.end()):
            break
        end = more.start(name) + len(more[name][: word.end()].rstrip("."))
        if word[0].islower() and name == "town":
            break
    return end


def _of_prose(word: str) -> bool:
    lower = word.lower().strip(".,")
    return lower in _PROSE or (word.islower() and lower not in PLACES | _PARTICLES and ordinary(lower))


_AT = re.compile(
    r"(?i)\b(?:i am|i'm|we are|live|living|lives|located|based|staying|moved|delivered|wohne|wohnen|habite|vivo"
    r"|abito|woon|mieszkam)"
    r" (?:now )?(?:at|in|near|to|à|en|a|w)\b"
    r"|\b(?:ship|send|deliver|bring|post|collect|forward|return)(?:ed|ing)?(?: (?:it|them|this|that"
    r"|everything))? (?:to|from|in)\b"
)
_STATE = re.compile(
    r" (?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT"
    r"|V[AIT]|W[AIVY]) $"
)
"""An American state before its five digits."""
# Codes that are hardly anything else: British, Dutch, Polish, with a state, Canadian.
_SURE_CODE = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{4} ?[A-Z]{2}|\d{2}-\d{3}|[A-Z]\d[A-Z] ?\d[A-Z]\d")


def _towns(text: str, *, sure: bool) -> list[Span]:
    """A town with its postcode alone; `sure`: only where the code is hardly anything else."""
    pattern = re.compile(
        rf"(?i)(?<![\w.'-])(?:(?P<before>{_NAME_WORD}(?:[ -]{_NAME_WORD}){{0,2}}),? (?:[A-Z]{{2}} )?)?(?<!\w)"
        rf"(?P<code>{_CODE})(?!\w)(?:,? (?P<after>{_NAME_WORD}(?:[ -]{_NAME_WORD}){{0,2}}))?"
    )
    found = []
    for match in pattern.finditer(text):
        start, end = match.span("code")
        state = len(match["code"]) >= 5 and _STATE.search(text[match.start() : start]) is not None
        if sure and not state and not _SURE_CODE.fullmatch(match["code"]):
            continue
        if match["before"]:
            words = list(re.finditer(_NAME_WORD, match["before"]))
            while words and (_of_prose(words[0][0]) or words[0][0] in _PARTICLES or (sure and words[0][0].islower())):
                words.pop(0)
            if any(_of_prose(word[0]) for word in words):
                words = []
            if words:
                start = match.start("before") + words[0].start()
        if match["after"]:
            words = list(re.finditer(_NAME_WORD, match["after"]))
            kept = []
            for word in words:
                if _of_prose(word[0]) or word[0].lower() in _JOINING or (word[0].islower() and (sure or kept)):
                    break
                kept.append(word)
            while kept and kept[-1][0].lower() in _PARTICLES:
                kept.pop()
            if words := kept:
                end = match.start("after") + words[-1].start() + len(words[-1][0].rstrip("."))
        if (start, end) != match.span("code"):
            found.append(Span(start, end, "ADDRESS", SCORE))
    return found


def _united(spans: list[Span]) -> list[Span]:
    """Overlapping addresses as one."""
    united: list[Span] = []
    for span in sorted(spans):
        if united and span.start < united[-1].end:
            last = united[-1]
            united[-1] = last._replace(end=max(last.end, span.end))
        else:
            united.append(span)
    return united


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Runs of address words: capital words, numbers, particles, street and unit words, commas and line breaks."""
    barriers = _barriers(text)
    start = end = last = -1
    for match in _TOKEN.finditer(text):
        token_end = match.end()
        token = match[0]
        if token.endswith(".") and not _ABBREVIATION.search(token):
            token, token_end = token[:-1], token_end - 1
        blocked = _blocked(barriers, match.start(), token_end) or _NEXT_CLAUSE.match(text, match.start()) is not None
        belongs = not blocked and _belongs(token)
        joined = start >= 0 and _GAP.fullmatch(text, last, match.start()) is not None
        if start >= 0 and not (joined and belongs):
            yield start, end
            start = -1
        if belongs and start < 0 and _begins(token):
            # A particle may begin a run ("Am Mühlbach 7") but is no address by itself.
            start = end = match.start()
        if belongs and start >= 0:
            last = token_end
            if token.lower().strip(".") not in _PARTICLES:
                end = token_end
        if match[0] != token and start >= 0 and not _ABBREVIATION.search(match[0]):
            yield start, end
            start = -1
    if start >= 0:
        yield start, end


@functools.lru_cache(maxsize=16)
def _barriers(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(match.span() for match in _BARRIER.finditer(text))


def _blocked(barriers: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether a day, an hour, an amount or a measure stands in [start, end)."""
    at = bisect.bisect_left(barriers, (end, -1))
    return at > 0 and barriers[at - 1][1] > start


def _belongs(token: str) -> bool:
    lower = token.lower().rstrip(".")
    if token[0].isdigit():
        return sum(c.isdigit() for c in token) <= 10
    if lower in _PROSE:
        return False
    if token[0].isupper():
        return True
    return lower in _PARTICLES or lower in _STREET_WORDS or lower in _UNIT_WORDS or _street(lower)


def _begins(token: str) -> bool:
    lower = token.lower().rstrip(".")
    return token[0].isdigit() or lower in _STREET_WORDS or lower in _UNIT_WORDS or token[0].isupper() or _street(lower)


def _street(lower: str) -> bool:
    return len(lower) > 6 and lower.endswith(_STREET_ENDINGS)


def _judged(text: str, start: int, end: int) -> Span | None:
    """The run as an address, cut to where it begins, or None."""
    run = text[start:end]
    # A table of a thousand words is no address; the streets in it are found by their shape.
    if end - start > 3 * LONGEST or not re.search(r"\d", run):
        return None
    chunks = [(m.start(), m[0]) for m in re.finditer(r"[^,\n]+", run)]
    tokens = [m[0].lower().rstrip(".") for m in _TOKEN.finditer(run)]
    # "The Dr. Loosen 2021", "the drive 20": a title and a word of its own are no street.
    own = [token for token in tokens if token not in _PARTICLES]
    if own and own[0] in ("dr", "st") and not re.search(r"[\w.'-]+, ", run):
        return None
    street = [t for t in tokens if t in _STREET_WORDS or _street(t) or (re.search(r"str$", t) and len(t) > 5)]
    capital = any(
        t[0].isupper() and t.lower().rstrip(".") not in NEVER_NAMES - _STREET_WORDS
        for t in re.findall(r"[^\W\d_][\w'.-]*", run)
    )
    if not capital:
        return None
    # The first chunk that belongs: one with a number, or a street or unit word; names and greetings stand before it.
    first = 0
    while first < len(chunks) - 1 and not (
        re.search(r"\d", chunks[first][1]) or any(_is_street(t) for t in _TOKEN.findall(chunks[first][1]))
    ):
        first += 1
    body_start = start + chunks[first][0]
    while text[body_start].isspace():
        body_start += 1
    body = text[body_start:end]
    numbers = list(_HOUSE.finditer(body))
    postcodes = list(_POSTCODE.finditer(body))
    apart = any(
        p.start() != n.start() and re.search(r"[,\n]|- ?\d{6}", body[min(p.start(), n.start()) : max(p.end(), n.end())])
        for p in postcodes
        for n in numbers
        if not (p.start() <= n.start() < p.end())
    )
    words = len(re.findall(r"[^\W\d_]{2,}", body))
    if street and (numbers or postcodes) and words >= 2 and _street_beside_number(body):
        return Span(body_start, end, "ADDRESS", SCORE)
    if street and words == 1 and any(_street(t) for t in street) and numbers:
        return Span(body_start, end, "ADDRESS", SCORE)
    if apart and words >= 2:
        return Span(body_start, end, "ADDRESS", SCORE)
    return None


def _is_street(token: str) -> bool:
    lower = token.lower().rstrip(".")
    return lower in _STREET_WORDS or lower in _UNIT_WORDS or _street(lower)


def _street_beside_number(body: str) -> bool:
    """Whether number and street word stand as `12 Mill Lane`, `Lane 12` or `rue de Fleury, 97378 Lévy` do."""
    return (
        re.match(r"(?:\d|[^\W\d_][\w.]*(?: [^\W\d_][\w'.-]*){0,6},? \d|[^,\n]*,)", body) is not None
        or _POSTCODE.search(body) is not None
    )


_NEXT_CLAUSE = re.compile(r"(?:and|und|et|y|e|en|i) (?:the|a|an|it|my|our|der|die|das|le|la|les|el|il|lo|de|het|to) ")
"""How a sentence goes on behind an address: "5 Rose Lane and the box"."""


def _behind_cue(text: str, start: int, *, asked: bool) -> Span | None:
    """What stands between a cue and the end of the sentence, as far as its words can belong to an address."""
    barriers = _barriers(text)
    end = at = start
    small = False
    if asked:
        opening = re.compile(
            r"(?i)(?:(?:yes|yeah|sure|ok|okay|of course|it is|it's|its|hi|hello|please|the|new|address|my|is|:"
            r"|,|\.|!)[\s,.!:]*)*"
        ).match(text, start)
        assert opening is not None
        start = end = at = opening.end()
    while match := _TOKEN.match(text, at):
        token = match[0]
        lower = token.lower().rstrip(".")
        stop = token.endswith(".") and not _ABBREVIATION.search(token)
        if _blocked(barriers, match.start(), match.end()) or match.end() - start > LONGEST:
            break
        if lower in _PROSE or _NEXT_CLAUSE.match(text, match.start()):
            break
        if token[0].islower() and lower not in _PARTICLES and not _is_street(token):
            if lower in COMMON_WORDS or (not asked and lower not in PLACES and ordinary(lower)):
                break
            small = True
        if lower not in _PARTICLES:
            end = match.end() - (1 if stop else 0)
        if stop:
            break
        gap = _GAP.match(text, match.end())
        if gap is None or (gap.end() == match.end()):
            break
        at = gap.end()
    found = text[start:end]
    if not re.search(r"\d", found) or len(re.findall(r"[^\W\d_]{2,}", found)) < 2 or len(found) < 8:
        return None
    tokens = list(_TOKEN.findall(found))
    if small and not asked and not any(_is_street(t) for t in tokens) and tokens[0].lower() not in _GERMAN_PLACE:
        return None
    if not ("," in found or "\n" in found or any(_is_street(t) for t in tokens) or tokens[0].lower() in _GERMAN_PLACE):
        return None
    if not _HOUSE.search(found) and not _POSTCODE.search(found):
        return None
    return Span(start, end, "ADDRESS", SCORE)
