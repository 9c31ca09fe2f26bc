"""Names of people: behind cues (introductions, greetings, signatures, titles, relations), by common given and family
names, and what of the language model's findings can be a name at all.

A cue says how much it proves: behind "my name is" nearly everything is a name, behind "I am" hardly anything is.
"""

import functools
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from llmops_assets.lib.redaction import gazetteer
from llmops_assets.lib.redaction.spans import PLACEHOLDER, Folded, Span
from llmops_assets.lib.redaction.vocabulary import ordinary
from llmops_assets.lib.redaction.words import (
    ALSO_WORDS,
    AMBIGUOUS_GIVEN_NAMES,
    COMMON_WORDS,
    FAMILY_NAMES,
    GIVEN_NAMES,
    NEVER_NAMES,
    PARTICLES,
)

SHOUTED = 0.8
"""Share of capitals among the letters of a text that is written in capitals."""
CUED, KNOWN, MODEL = 0.9, 0.7, 0.5
MOST_WORDS = 5
"""Words of a name that a reader may tell of."""
"""Scores: named by a cue; a common name; found by the language model only."""

_TITLE = (
    r"(?:mr|mrs|ms|miss|mx|dr|prof|sir|lady|herrn?|frau|monsieur|madame|mme|mlle|señora?|señorita|sra?|don"
    r"|doña|signora?"
    r"|sig|sig\.ra|dott|dhr|mevr|mevrouw|meneer|mw|pan|pani|panie|senhora?|dona|shri|smt)\b\.?"
)
_RELATION = (
    r"wife|husband|partner|fianc[ée]e?|boyfriend|girlfriend|spouse|son|daughter|mother|father|mum|mom|dad"
    r"|brother|sister"
    r"|neighbou?r|mate|buddy|pal|ex|lodger|carer|concierge|porter|caretaker|doorman|gardener|lawyer|accountant"
    r"|employee|trainee"
    r"|intern|teacher|doctor|nurse|customer|tenant|visitor|guest|witness|client|tutor|nanny|cleaner|technician"
    r"|fitter|plumber"
    r"|electrician|salesman|saleswoman|postman|postwoman|supervisor|in-laws?|godmother|godfather|grandson"
    r"|granddaughter|gran"
    r"|grandma|grandpa|nan|stepson|stepdaughter|twin|sis|bro|hubby|missus|colleague|flatmate|roommate|housemate"
    r"|landlord|landlady|boss|assistant|secretary|grandmother"
    r"|grandfather"
    r"|aunt|uncle|cousin|nephew|niece|friend|kid|child|agent|advisor|driver|courier|representative|manager"
    r"|tenant|pupil|student|passenger|minor|buyer|seller|grandchild|godson|goddaughter|housekeeper|minder"
    r"|schwager|schwägerin|schwiegermutter|schwiegervater|schwiegersohn|schwiegertochter|oma|opa|enkel(?:in)?|neffe|nichte"
    r"|onkel|chefin|chef|mieterin?|vermieterin?|mitbewohnerin?"
    r"|zwager|schoonzus|schoonmoeder|schoonvader|neef|nicht|oom|huurder|verhuurder|kleinzoon|kleindochter"
    r"|beau-frère|belle-sœur|belle-mère|beau-père|grand-mère|grand-père|tante|oncle|cousine|neveu|nièce|propriétaire"
    r"|cuñad[oa]|suegr[oa]|abuel[oa]|tí[oa]|prim[oa]|sobrin[oa]|jef[ea]|inquilin[oa]|niet[oa]"
    r"|cognat[oa]|suocer[oa]|nonn[oa]|zi[oa]|cugin[oa]|nipote"
    r"|frau|mann|ehefrau|ehemann|tochter|sohn|mutter|vater|bruder|schwester|nachbarn?|nachbarin|freundin?|kollegin?"
    r"|femme|mari|épouse|époux|compagne|compagnon|fille|fils|mère|père|frère|sœur|voisine?|amie?|collègue"
    r"|mujer|marido|esposa|esposo|pareja|hija|hijo|madre|padre|hermana|hermano|vecina|vecino|amiga|amigo"
    r"|moglie|marito|compagna|compagno|figlia|figlio|fratello|sorella|vicina|vicino|amica|amico"
    r"|vrouw|man|dochter|zoon|moeder|vader|broer|zus|buurman|buurvrouw|vriendin?|collega"
    r"|żona|żonę|mąż|córka|syn|matka|ojciec|brat|siostra|sąsiad|sąsiadka"
)
# Behind these a name follows in whatever case.
_STRONG = (
    r"\b(?:my|her|his|their|our|the|full|first|last|family|legal|account|real|customer|maiden|billing)(?: "
    r"\w+)? names? (?:is|was|should be)"
    r"|(?<=\d, )name|\bname's|\bi(?:'m| am) called|\bi go by|\bcall me|(?<!user)(?<!user )(?<!nick)(?<!screen "
    r")(?<!file)(?<!brand )(?<!product )\bname ?[:=]"
    r"|\b(?:under|in|on|to|has|by|with) (?:the|my(?: \w+)?) names?(?: of)?(?:,|:)?|\bin name of|\bfor the "
    r"attention of|\battn\.?:?|\bc/o"
    r"|\b(?:account|card|policy|ticket|contract) ?holder(?: name)?(?:'s name)?(?: is|:)?|\bcardholder(?: "
    r"name)?(?: is|:)?"
    r"|\b(?:recipient|addressee|beneficiary|payee|passenger|cardholder|customer name|full name|first name|last "
    r"name|surname)(?: is| was|:|'s name is)"
    r"|\bje m'appelle|\bmon nom (?:complet )?est|\bau nom de|\bmein name (?:ist|lautet)|\bich hei(?:ß|ss)e"
    r"|\bauf den namen|\bme llamo"
    r"|\bmi nombre (?:completo )?es|\ba nombre de|\bmi chiamo|\bil mio nome è|\ba nome(?: di)?|\bintestato a"
    r"|\bmijn naam is"
    r"|\bik heet|\bop naam van|\bnazywam się|\bmam na imię|\bmeu nome é|\bchamo-me|\bme chamo|\bem nome de"
)
# Behind these a name in capitals follows, or in small letters one that says so itself.
_INTRODUCTION = (
    r"\bi am|\bi'm|\bim|\bthis is|\bit is|\bits|\bit's(?: me,?)?|\bhere is|\bspeaking (?:with|to)|\bich bin(?: die| "
    r"der)?|\bhier (?:ist|spricht|schreibt)|\bje suis|\bici"
    r"|\bz tej strony|\btu mówi|\bchied(?:a|ete|ere|i) di|\brisponde|\bpregunt(?:e|ar|en|a) por|\bque me llame"
    r"|\bdemande[rz]?|\bfragen sie nach|\bvra(?:ag|gen) naar"
    r"|\bc'est|\bsoy|\bsono|\bik ben|\b(?:dit|je spreekt) (?:is|met)|\bjestem|\bsou (?:o|a)|\baqui é"
)
# Behind these a name in capitals stands often: two words, or a common name.
_WEAK = (
    r"\b(?:spoke|spoken|speak|speaking|talk|talked|talking|chatted|chat|dealt|dealing|deal) (?:to|with)"
    r"|\b(?:handed|delivered|given|sent|addressed"
    r"|registered|belongs?|belonging|transferred|passed|made out|forwarded|shipped|assigned|issued|left with"
    r"|went|released|sold) (?:over )?(?:to|with)"
    r"|\b(?:signed|accepted|received|collected|taken|answered|approved|ordered|placed|picked up|served|helped"
    r"|told|contacted|called|written|processed)"
    r"(?: for)? by|\bon behalf of|\bask(?:ed)? for|\baccount of|\bname of|\bparcel for|\bpackage for|\border "
    r"(?:for|from|by)|\bcustomer|\bclient"
    r"|\bcall(?:ed)?|\bcontact|\bregards to|\bnamed|\bfrom|\bname|\blives with|\bfor|\bwith|\bvon|\ban|\bmit"
    r"|\bde|\bà|\bpour|\bpara|\bper|\bvoor|\bdla"
    r"|\bto|\band|\bby|\bunder"
)
_CLOSING = (
    r"(?:thx|thanks|thank you|cheers|regards|danke|merci|gracias|grazie)(?: [^\W\d_]+){1,4}|thx|thnx|tx|ta"
    r"|bye(?: bye)?|cheerio|see you|speak soon|take care|all the best|xx?x?|tschüs+|ciao|rgds|brgds|br|kr"
    r"|(?:(?:kind|best|warm|many|with kind|with best) )?(?:regards|wishes|greetings)|thanks(?: again| so much| "
    r"a lot| in advance| very much)?"
    r"|(?:many )?thanks(?: in advance)?|thank you(?: so much| very much| in advance)?|cheers|sincerely"
    r"|yours(?: sincerely| faithfully| truly)?"
    r"|best|cordially|respectfully|signed|(?:mit )?(?:freundlichen|besten|lieben|herzlichen|viele|liebe|beste"
    r"|schöne) grü(?:ß|ss)en?|mfg|vg|lg|danke(?: schön)?"
    r"|cordialement|bien à vous|merci(?: beaucoup| d'avance)?|salutations|(?:un )?saludos?(?: cordiales)?"
    r"|atentamente|gracias|un abrazo"
    r"|(?:cordiali|distinti) saluti|saluti|grazie(?: mille)?|(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?"
    r"|groet(?:en|jes)?|bedankt|dank"
    r"|pozdrawiam|z poważaniem|dziękuję|cumprimentos|atenciosamente|obrigad[oa]|abraços"
)
_GREETING = (
    r"hi|hello|hey|hiya|dear|thanks|thank you|ok(?:ay)?|good (?:morning|afternoon|evening|day)|welcome(?: "
    r"back)?|sorry|morning|cheers|bye|goodbye|great|perfect|sure|of course"
    r"|no problem|you're welcome|yes|understood|certainly|hallo|guten (?:tag|morgen|abend)|lieber?|sehr "
    r"geehrte[rs]?|danke|bonjour|bonsoir|cher|chère|merci|salut"
    r"|hola|buenos días|buenas(?: tardes| noches)?|estimad[oa]|querid[oa]|gracias|ciao|buongiorno|buonasera"
    r"|salve|gentile|caro|cara|grazie|dag|goede(?:morgen|middag|navond)"
    r"|beste|geachte|bedankt|dzień dobry|cześć|witam|drog[ai]|szanown[yae]|olá|bom dia|boa (?:tarde|noite)"
    r"|prezad[oa]|car[oa]|obrigad[oa]"
)

_CUE = re.compile(
    rf"(?i)(?P<strong>(?:{_STRONG}))\s+|(?P<title>(?<![\w']){_TITLE})\s+(?={_TITLE}|[^\W\d_])"
    rf"|(?P<introduction>(?:{_INTRODUCTION}))\s+"
    rf"|(?P<relation>(?:\b(?:my|our|his|her|their|your|meine?[rnm]?|ma|mon|mi|mia|mio|mijn|moja|mój|il mio|la mia"
    rf"|a friend|the|a|an|with|by|via|and)|(?<!\w)w/|,) (?:\w+ )?(?:{_RELATION})(?: (?:instead|too|please|here))?,?)\s+"
    rf"|(?P<greeting>(?<![^\W_])(?:{_GREETING})(?:,| there,?)?)\s+"
)
_WEAK_CUE = re.compile(rf"(?i)(?:{_WEAK})\s+")
_SIGNATURE = re.compile(rf"(?i)(?:^|[\s.,!?])(?:{_CLOSING})\s*[,!.\n-]+\s*")
_INITIALS_ALONE = re.compile(
    rf"(?i:(?:^|[\s.,!?])(?:{_CLOSING})\s*[,!.\n-]+\s*)(?P<value>(?:[^\W\d_a-z]\. ?){{2,3}})\s*$"
)
_WORD = re.compile(r"[^\W\d_]+(?:(?:\.-|['-])[^\W\d_]+)*")
_INITIAL = re.compile(r"[^\W\d_]\.")
TITLE = re.compile(rf"(?i){_TITLE}")
"""How a person is addressed: Mrs, Herr, Dr."""
_FOLLOWS_NAME = re.compile(
    r"(?i)\s*(?:$|[,.!;\n)?]|-\s|(?:and|here|with|from|calling|writing|speaking|again|btw|on|at|not|my|i|the|but|your"
    r"|account|order|und|et|y|e|en|i|oraz|aus|van|con)\b)"
)
_NATIONAL = re.compile(r"(?i).{2,}(?:ian|ish|ese|ean|ant|ist|ism|ing|ed|ly|ness|tion|ful|able|ible|less)$")


class Word(NamedTuple):
    """A word of a text at characters [start, end)."""

    start: int
    end: int
    text: str


def find(text: Folded, allowed: Collection[str], language: str = "en") -> list[Span]:
    """Names behind cues and common names; `allowed` are lower-case words that are none."""
    read = recased(text.text)
    spans = list(_cued(read, allowed, english=language in ("en", "")))
    spans += _common(read, allowed)
    return spans


@functools.lru_cache(maxsize=64)
def recased(text: str) -> str:
    """A text that is written in capitals as it would be written otherwise, letter by letter; others as they are."""
    letters = [c for c in PLACEHOLDER.sub("", text) if c.isalpha()]
    if len(letters) < 8 or sum(c.isupper() for c in letters) < SHOUTED * len(letters):
        return text
    pieces, last, given = [], 0, False
    for match in re.finditer(r"(?<![<_])(?<![^\W_])[^\W\d_]+(?:'[^\W\d_]+)?", text):
        word, lower = match[0], match[0].lower()
        if len(lower) != len(word):
            continue
        ordinary_word = lower in COMMON_WORDS or (
            not given and ordinary(lower) and lower not in GIVEN_NAMES | FAMILY_NAMES
        )
        pieces += [text[last : match.start()], lower if ordinary_word else word[0] + lower[1:]]
        last, given = match.end(), lower in GIVEN_NAMES and not ordinary_word
    return "".join([*pieces, text[last:]])


def candidates(text: str, allowed: Collection[str], taken: Iterable[Span]) -> bool:
    """Whether the language model could add a name: it may only consist of words that `plausible` accepts.

    What this denies, `plausible` refuses: a text is spared the model without losing anything.
    """
    spans = list(taken)
    for word in words(text):
        if _name_like(word.text, allowed) and not any(s.start <= word.start and word.end <= s.end for s in spans):
            return True
    return False


def plausible(text: str, start: int, end: int, allowed: Collection[str], *, native: bool = True) -> list[Span]:
    """What of a finding of the language model can be a name: its small model takes greetings and wares for people."""
    # A name is on one line.
    line = re.search(r"[^\n]*[^\W\d_][^\n]*", text[start:end])
    if line is None:
        return []
    start, end = start + line.start(), start + line.end()
    parts = words(text[start:end])
    # A sentence's first word is a capital one whatever it is, and so may be a greeting or a verb.
    while parts and not _name_like(parts[0].text, allowed):
        parts = parts[1:]
    while parts and not _name_like(parts[-1].text, allowed):
        parts = parts[:-1]
    if not parts or any(character.isdigit() for character in text[start:end]):
        return []
    if any(not _name_like(p.text, allowed) and p.text.lower() not in PARTICLES for p in parts):
        return []
    first, last = start + parts[0].start, start + parts[-1].end
    known = any(p.text.lower() in GIVEN_NAMES or p.text.lower() in FAMILY_NAMES for p in parts)
    if len(parts) == 1 and not known and (not native or _starts_sentence(text, first)):
        return []
    if len(parts) == 1 and parts[0].text.isupper():
        return []
    # WordNet knows what is no name at all; surnames among its words stand behind a given name.
    if not known and all(ordinary(p.text.lower()) for p in parts):
        return []
    if not native and not known and not any(p.text.lower() in PARTICLES for p in parts) and len(parts) > 3:
        return []
    return [Span(first, last, "PERSON", MODEL, "model")]


def told(text: str, start: int, end: int, allowed: Collection[str]) -> list[Span]:
    """A finding of a reader that understands its text, in whatever letters: a few words, not all of them usual ones."""
    said = text[start:end]
    if not unusual(said, allowed) or len(words(said)) > MOST_WORDS or any(character.isdigit() for character in said):
        return []
    return [Span(start, end, "PERSON", MODEL)]


def unusual(text: str, allowed: Collection[str]) -> bool:
    """Whether a text holds a word that is neither one of the commonest nor an allowed one."""
    return any(p.text.lower() not in COMMON_WORDS and p.text.lower() not in allowed for p in words(text))


def words(text: str) -> list[Word]:
    """The words of a text, possessive endings left out."""
    result = []
    for match in _WORD.finditer(text):
        word = match[0][:-2] if match[0][-2:].lower() == "'s" else match[0]
        result.append(Word(match.start(), match.start() + len(word), word))
    return result


def in_reply(text: str, allowed: Collection[str]) -> list[Span]:
    """The name in an answer to "what is your name?": a few words that are no ordinary ones, in whatever case."""
    found = []
    for piece in re.finditer(r"(?:[^.,!?;:\n]|(?<=\b[^\W\d_])\.)+", text):
        parts = [w for w in words(piece[0]) if _answers(w.text)]
        if parts and len(words(piece[0])) <= 5 and not re.search(r"\d", piece[0]):
            span = name_at(text, piece.start() + parts[0].start, allowed, small=True, loose=True)
            if span is not None:
                found.append(Span(*span, "PERSON", CUED))
    return found


def _answers(word: str) -> bool:
    """Whether a word of an answer can be of the name that was asked for."""
    lower = word.lower()
    if lower in GIVEN_NAMES | FAMILY_NAMES and (word[0].isupper() or lower not in COMMON_WORDS):
        return True
    return lower not in COMMON_WORDS and (word[0].isupper() or not ordinary(lower))


def name_at(
    text: str, position: int, allowed: Collection[str], *, small: bool = False, loose: bool = False
) -> tuple[int, int] | None:
    """The name that begins at a position: capital words, initials and particles between them; with `small` also
    small-letter words that are not ordinary ones, with `loose` all but the most common."""
    while title := TITLE.match(text, position):
        after = re.compile(r"\s*").match(text, title.end())
        assert after is not None
        position = after.end()
    end, count, at = position, 0, position
    while count < 5:
        initial = _INITIAL.match(text, at)
        match = _WORD.match(text, at)
        if match is None:
            break
        word = match[0][:-2] if match[0][-2:].lower() == "'s" else match[0]
        lower = word.lower()
        if initial is not None and len(word) == 1 and (initial[0][0].isupper() or (small and count)):
            end_of_word, good = initial.end(), True
        else:
            end_of_word = match.start() + len(word)
            good = _may_continue(word, allowed, first=count == 0, small=small, loose=loose)
        if good and not (lower in PARTICLES and word.islower()):
            end, count = end_of_word, count + 1
            # Behind a capital word a small one is the sentence's.
            small = small and not word[0].isupper()
        elif lower not in PARTICLES or (count == 0 and not word[0].islower()):
            break
        gap = re.compile(r"[ ]{1,2}(?=[^\W\d_])").match(text, end_of_word)
        if gap is None or end_of_word < match.end():
            break
        at = gap.end()
    while end > position and not (text[end - 1].isalnum() or text[end - 1] == "."):
        end -= 1
    return (position, end) if count and any(c.isalpha() for c in text[position:end]) else None


_CONTRACTED = re.compile(r"^(?:i|you|he|she|it|we|they|who|what|that|there|[a-z]+n)'(?:m|re|ve|ll|d|t|s)$")


def _may_continue(word: str, allowed: Collection[str], *, first: bool, small: bool, loose: bool) -> bool:
    lower = word.lower()
    if _CONTRACTED.search(lower):
        return False
    if lower in allowed and (first or lower not in FAMILY_NAMES):
        return False
    if word[0].isupper() or re.match(r"[dlo]'[^\W\d_a-z]", word):
        if lower in NEVER_NAMES:
            return lower in AMBIGUOUS_GIVEN_NAMES if first else lower in FAMILY_NAMES | AMBIGUOUS_GIVEN_NAMES
        return True
    if not small:
        return False
    if lower in GIVEN_NAMES or (not first and lower in FAMILY_NAMES):
        return True
    if lower in COMMON_WORDS or len(lower) < 2 or lower.endswith(("ly", "ing", "ed", "n't")):
        return False
    return loose or not ordinary(lower)


def _cued(text: str, allowed: Collection[str], *, english: bool) -> Iterator[Span]:
    position = 0
    while match := _CUE.search(text, position):
        position = max(match.end() - 1, match.start() + 1)
        span = _behind_cue(text, match, allowed, english=english)
        if span is not None:
            cue = next(name for name in ("strong", "title", "introduction", "relation", "greeting") if match[name])
            yield Span(*span, "PERSON", CUED, cue)
    for match in _WEAK_CUE.finditer(text):
        span = name_at(text, match.end(), allowed)
        if span is not None and _sure(text[slice(*span)]):
            yield Span(*span, "PERSON", KNOWN, "weak")
    for match in _INITIALS_ALONE.finditer(text):
        yield Span(match.start("value"), match.end("value"), "PERSON", CUED, "signature")
    for match in _SIGNATURE.finditer(text):
        span = name_at(text, match.end(), allowed, small=True)
        if span is None or (text[span[0]].islower() and not (english or _given(text[slice(*span)]))):
            continue
        # A signature ends the text or its line.
        if re.match(
            r"(?: x{1,3}\b)?(?: \((?:mrs?|ms|miss|mx|dr|herr|frau)\.?\))?[\s.!):;-]*(?:$|\n)", text[span[1] :]
        ) and _may_greet(text, span):
            yield Span(*span, "PERSON", CUED, "signature")


_ASKED_FOR = frozenset(
    "quién quien quem qui chi who whom whose wem wen wessen welchem kto kogo wie welke which what".split()
)
"""What a question for a name begins with: "in whose name is it?"."""


def _behind_cue(text: str, match: re.Match[str], allowed: Collection[str], *, english: bool) -> tuple[int, int] | None:
    at = match.end()
    if match["strong"]:
        span = name_at(text, at, allowed, small=True, loose=True)
        if span is None or text[span[0]].isupper():
            return span
        found = text[slice(*span)]
        if found.split()[0] in _ASKED_FOR:
            return None
        return span if _given(found) or " " in found or _FOLLOWS_NAME.match(text, span[1]) else None
    if match["title"]:
        title = match["title"].lower()
        # "Miss", "Pan" and "Don" begin sentences too; "an SR 12" is no person.
        if title[0] == title[0].upper():
            return None
        return name_at(text, at, allowed, small=english and title.strip(".") in ("mr", "mrs", "ms", "dr"))
    span = name_at(text, at, allowed, small=True, loose=bool(match["introduction"]))
    if span is None:
        return None
    found = text[slice(*span)]
    parts = found.split()
    if found[0].islower() and not match["introduction"]:
        known = _given(parts[0]) and parts[0] not in AMBIGUOUS_GIVEN_NAMES | ALSO_WORDS
        if not english and match["relation"] and not known:
            known = gazetteer.telling(parts[0])
            # What follows in small letters is a verb as often: "mein schwager eero holt …".
            span = (span[0], span[0] + len(parts[0]))
        if not english and not known:
            return None
        # "hi dermot," and "my mate dermot", but no word that only is in no list.
        if match["greeting"] and not re.match(r"\s*(?:$|[,.!:;\n-])", text[span[1] :]):
            return None
        return span if known or len(parts[0]) > 2 else None
    if match["introduction"]:
        if found[0].isupper():
            if len(parts) == 1 and not _given(found):
                usual = _NATIONAL.match(found) or found.isupper() or parts[0].lower() in COMMON_WORDS
                return None if usual or not _FOLLOWS_NAME.match(text, span[1]) else span
            return span if parts[0].lower() not in COMMON_WORDS or _given(parts[0]) else None
        if _given(parts[0]):
            return span
        follows = _FOLLOWS_NAME.match(text, span[1]) is not None
        if len(parts) == 1:
            return span if english and follows and len(found) > 2 and not ordinary(found) else None
        told = any(p in GIVEN_NAMES | FAMILY_NAMES - COMMON_WORDS or not ordinary(p) for p in parts)
        return span if len(parts) <= 4 and follows and told else None
    if match["relation"]:
        return span if parts[0].lower() not in COMMON_WORDS or _given(parts[0]) else None
    return span if _may_greet(text, span, match[0]) else None


def _may_greet(text: str, span: tuple[int, int], greeting: str = "") -> bool:
    """Whether a capital word behind a greeting is a name, not the beginning of a sentence or a place."""
    found = text[slice(*span)]
    first = found.split()[0].strip(".")
    # "Hello there,\nBoots are rented at the desk": the greeting is over, and a sentence begins.
    over = "\n" in greeting or greeting.rstrip().endswith(",")
    if over and not _given(first) and not re.match(r"\s*(?:$|[,.!;:?\n-])", text[span[1] :]):
        return False
    if first.lower() in COMMON_WORDS or (first.isupper() and len(first) > 1 and not text.isupper()):
        return _given(first) and re.match(r"\s*(?:$|[,.!;:?\n-]|and\b|for\b)", text[span[1] :]) is not None
    return True


def _given(found: str) -> bool:
    first = re.split(r"[ .]", found.strip())[0].lower()
    return first in GIVEN_NAMES or first in AMBIGUOUS_GIVEN_NAMES or first.split("-")[0] in GIVEN_NAMES


def _sure(found: str) -> bool:
    """Whether capital words are a name by themselves: a common given name, or one beside a common family name."""
    parts = [p.lower().strip(".") for p in found.split()]
    if parts[0] in GIVEN_NAMES - AMBIGUOUS_GIVEN_NAMES or parts[0].split("-")[0] in GIVEN_NAMES:
        return True
    if len(parts) == 1:
        return False
    return parts[0] in AMBIGUOUS_GIVEN_NAMES or (parts[-1] in FAMILY_NAMES and parts[0] not in COMMON_WORDS)


def _common(text: str, allowed: Collection[str]) -> Iterator[Span]:
    """Names that begin with a common given name, wherever they stand."""
    end = 0
    for word in words(text):
        if word.start < end or not word.text[0].isupper():
            continue
        lower = word.text.lower()
        given = lower in GIVEN_NAMES or lower.split("-")[0] in GIVEN_NAMES
        if not given or lower in NEVER_NAMES or (word.text.isupper() and len(word.text) > 1 and not text.isupper()):
            continue
        span = name_at(text, word.start, allowed)
        if span is not None and (lower not in AMBIGUOUS_GIVEN_NAMES or " " in text[slice(*span)]):
            end = span[1]
            yield Span(*span, "PERSON", KNOWN, "common")


def _name_like(word: str, allowed: Collection[str]) -> bool:
    lower = word.lower()
    return word[0].isupper() and len(word) > 1 and lower not in allowed and lower not in NEVER_NAMES


def _starts_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \"'(")
    return not before or before[-1] in ".!?\n:"
