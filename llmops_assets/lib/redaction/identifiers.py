"""Recognisers of numbers, number plates and addresses on a network: what a shape, a checksum or a word beside it gives
away.

National identity numbers, IBAN and tax numbers are checked by python-stdnum (https://arthurdejong.org/python-stdnum/),
phone numbers by phonenumbers. Names are in names.py, streets in addresses.py, e-mail in mailboxes.py, secrets in
credentials.py.
"""

import functools
import importlib
import ipaddress
import re

from llmops_assets.lib.redaction.spans import Recogniser
from llmops_assets.lib.redaction.vocabulary import ordinary
from llmops_assets.lib.redaction.words import COMMON_WORDS

SMALL = 24
"""The four numbers of a version are hardly greater."""
PHONE_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "IN")
"""Countries whose national formats are tried on numbers without a country code."""

_MONTHS = (
    "jan feb mar apr mai may jun jul aug sep oct okt nov dec dez janv févr fév mars avr juin juil août déc ene abr ago "
    "fev out dic gen mag giu lug set ott maart mei sty lut kwi maj cze lip sie wrz paź lis gru"
).split()
# Marktplatz 3, 1010 Wien and Julianalaan 12, 2028 BC are no days.
_NO_STREET = r"(?![^\W\d_]*(?:stra(?:ße|sse|at)|gasse|platz|allee|weg|ufer|laan|plein|gracht|kade|singel|dijk)\b)"
_MONTH = rf"{_NO_STREET}(?:{'|'.join(_MONTHS)})[^\W\d_]*\.?"
DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2} ?[-/.] ?\d{1,2} ?[-/.] ?(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.|º)?[ -](?:de |of )?{_MONTH}(?: de|,)?[ -](?:\d{{4}}|'?\d{{2}})"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d)(?!\d)"
)
"""A day with its year, as people of several countries write it."""

_DATE_OR_TIME = re.compile(
    rf"(?i)(?<!\d){DATE}(?: \d{{1,2}}:\d{{2}})?|\d{{1,2}}:\d{{2}}|(?:19|20)\d\d ?- ?(?:19|20)\d\d\b"
    r"|(?<![\d-])(?:19|20)\d\d (?:0?[1-9]|1[0-2]) (?:0?[1-9]|[12]\d|3[01])(?![\d-]| \d)"
)
_UNIT_AFTER = re.compile(
    r"(?i) ?(?:%|°|[€$£¥₹]|(?:eur|euros?|usd|gbp|pln|chf|jpy|sek|nok|dkk|czk|huf|aud|cad|cny|brl|mxn|try|yen|kč"
    r"|kr|francs?|zł|dollars?|pounds?|cents?|rupees?|rs|inr|hours?|hrs?|days?|weeks?"
    r"|months?|years?|minutes?|mins?|seconds?|times|points?|miles|km|kg|grams?|mm|cm|m|ml|litres?|watts?|kw|kwh|w|v|mah"
    r"|lumens?|lm|colou?rs?|pixels?|px|mb|gb|tb|kb|mbps|hz|khz|mhz|ghz|rpm|items|units|pieces|customers|people|users"
    r"|ma|va|kb|db|k|ft|inches|stunden|tage|stück|heures|jours|horas|días|uur|dagen)\b)"
)
_MONEY_BEFORE = re.compile(
    r"(?i)(?:[€$£¥₹]|\b(?:eur|usd|gbp|chf|jpy|rs\.?|inr|pln|price|costs?|preis|prix|precio|prezzo)) ?$"
)
_PHONE_WORD = re.compile(
    r"(?i)\b(?:call|phone|telephone|tel|mobile|cell|reach|ring|dial|sms|text me|fax|whats ?app|landline"
    r"|contact|callback"
    r"|number|handy|telefon|rufen|anrufen|nummer|rufnummer|téléphone|portable|appel\w*|joindre|numéro|teléfono|móvil"
    r"|llam\w+|número|telefono|cellulare|chiam\w+|numero|telefoon|bel\w*|bereik\w*|komórk\w*|zadzwo\w*"
    r"|telefonu|dzwoni\w*"
    r"|telefone|telemóvel|celular|lig\w+)\b[^.!?\n]{0,40}$"
)
_HOURS = re.compile(r"(?:[01]?\d|2[0-4])[0-5]\d ?- ?(?:[01]?\d|2[0-4])[0-5]\d")
# What is counted, sold or repaired has numbers too: those are the company's, not a person's.
_THING_BEFORE = re.compile(
    r"(?i)(?:\b(?:art(?:icle|ikel|ículo|icolo|ykuł)?s?|artikelnummer|items?|models?|modells?|modèle|modelo"
    r"|modello|skus?|ean|gtin"
    r"|upc|isbn|mpn|asin|part|spare part|product|produkt|produit|producto|prodotto|catalogue|catalog|hsn?|type|typ"
    r"|errors?|error code|fehler|fehlercode|erreur|fout|błąd|code d'erreur|fault|exception|status|version|build"
    r"|firmware"
    r"|update|patch|release|kb|voucher|coupon|promo(?:tion)?|discount|gutschein|rabattcode|bon|batch|lot|charge|series"
    r"|serie|colou?r|ral|pantone|dimension|size|chapter|page|section|norm|standard|line|channel|bus|tram|flight"
    r"|route|train|plan|tariff|room|opening hours|open|hours|öffnungszeiten|horaires?)"
    r"(?:[ -]?(?:numbers?|no\.?|nr\.?|nummer|codes?|n°|ids?))?[ :#.=]{0,3}(?:(?:is|was|of|the|ist|and|or|und"
    r"|oder|from|to)\b ?){0,2}"
    r"(?:(?=[^\s]{0,20}\d)[A-Z0-9/_.-]{1,24}(?:,? (?:and|or|und|oder|to|,)? ?)){0,3}[A-Z]?-?)$"
)


_THING_AFTER = re.compile(
    r"(?i)(?:[ -]?\d{1,13}){0,3}[ ,)\"']{0,3}(?:\(|(?:is|was|as|be|being|ist|est|es|è)\b)? ?(?:really |still "
    r"|also )?(?:(?:the|an?|its|your|der|die|das"
    r"|le|la|el|il)\b )?(?:ean|gtin|upc|isbn|sku|barcode|bar code|article|part|model|item|product|serial|error"
    r"|fault|batch"
    r"|lot|voucher|artikel\w*|modell|referenz)\b"
)


def of_a_thing(match: re.Match[str]) -> bool:
    """Whether a number stands beside a word for wares, faults or versions: article, error, voucher, EAN."""
    before = match.string[max(0, match.start() - 60) : match.start()]
    return _THING_BEFORE.search(before) is not None or _THING_AFTER.match(match.string, match.end()) is not None


_NUMBER_WORD = r"(?:number|numbers|num|no|nr|id|code|ref|reference|nummer|numéro|número|numero|numer|n[°º])"
_FILLER = (
    rf"(?:[ :=]|#(?=[ :])|(?:{_NUMBER_WORD}|is|was|are|the|my|it's|with|under|of mine|ist|lautet|est|es|è|jest|die"
    rf"|meine|le|la|el|mi"
    rf"|het|mijn)\b\.?){{0,10}}"
)
_CODE = (
    r"#?(?=[A-Z0-9/_-]*\d[A-Z0-9/_-]*\d[A-Z0-9/_-]*\d)[A-Z0-9][A-Z0-9/_-]{2,24}(?:(?<=\d{4}) \d{4} \d{2,4}| "
    r"\d{4,}(?= \d|\b))?(?![\w@]|[.,]\d)"
)


def _cued(entity: str, nouns: str, score: float) -> Recogniser:
    """A code with at least three digits behind a noun such as `order`."""
    pattern = rf"(?i)\b(?:{nouns})(?:s|'s)?\b{_FILLER}(?P<value>{_CODE})"
    return Recogniser(
        entity, re.compile(pattern), score, digit=True, words=tuple(nouns.lower().split("|")), accepts=_code
    )


def _code(match: re.Match[str]) -> bool:
    """Whether what stands behind a noun is a code, and neither a year, a date, an amount nor a few pieces."""
    value, text = match["value"], match.string
    digits = sum(c.isdigit() for c in value)
    if _HOURS.fullmatch(value):
        return False
    if _UNIT_AFTER.match(text, match.end("value")) and digits < 7:
        return False
    if any(d.start() < match.end("value") and d.end() > match.start("value") for d in _dates(text)):
        return False
    if re.search(rf"(?i)#|\b{_NUMBER_WORD}\b", text[match.start() : match.start("value")] + value[:1]):
        return True
    return digits >= 4 and not re.fullmatch(r"(?:19|20)\d\d", value)


@functools.lru_cache(maxsize=64)
def _dates(text: str) -> list[re.Match[str]]:
    return list(_DATE_OR_TIME.finditer(text))


def _luhn(match: re.Match[str]) -> bool:
    digits = [int(c) for c in match.group() if c.isdigit()][::-1]
    total = sum(d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(digits))
    return total % 10 == 0 and len(set(digits)) > 1


def _free_number(match: re.Match[str]) -> bool:
    """Whether a long number is no amount, no measure and no date."""
    text = match.string
    if of_a_thing(match) or _HOURS.fullmatch(match.group()):
        return False
    if _UNIT_AFTER.match(text, match.end()) or _MONEY_BEFORE.search(text[max(0, match.start() - 6) : match.start()]):
        return False
    return not any(d.start() < match.end() and d.end() > match.start() for d in _dates(text))


def _grouped_number(match: re.Match[str]) -> bool:
    value = match.group()
    # 1 000 000 and 12-15 000 are amounts.
    return _free_number(match) and not re.search(r"(?:^|\D)000$", value) and sum(c.isdigit() for c in value) >= 9


def _phone(match: re.Match[str]) -> bool:
    value, text = match.group(), match.string
    number = re.split(r"(?i)\s?(?:x|ext)", value)[0]
    digits = re.sub(r"\D", "", number)
    if not 6 <= len(digits) <= 13 or not _free_number(match) or re.fullmatch(r"\d+(?:[.,]\d{1,2})?", number):
        return False
    if re.fullmatch(r"\d{1,4}(?:\.\d{1,3}){1,3}", value) and not value.startswith("0"):
        return False
    if _PHONE_WORD.search(text[max(0, match.start() - 60) : match.start()]):
        return True
    if len(digits) < 8:
        return False
    if value[0] in "0(" or re.fullmatch(r"\d{3}[ .-]\d{3}[ .-]\d{4}", number):
        return True
    return not re.search(r"(?:^|\D)000$", number) and _valid_phone(number)


@functools.lru_cache(maxsize=10_000)
def _valid_phone(number: str) -> bool:
    import phonenumbers

    for region in PHONE_REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def _a_ware_code(match: re.Match[str]) -> bool:
    """Whether 13 digits are an EAN (GS1's checksum): cards of 13 digits are hardly given out any more."""
    return _standard("ean", re.sub(r"\D", "", match[0]))


def _iban(match: re.Match[str]) -> bool:
    return _standard("iban", match.group())


def _ip(match: re.Match[str]) -> bool:
    try:
        ipaddress.ip_address(match.group())
    except ValueError:
        return False
    before = match.string[max(0, match.start() - 40) : match.start()]
    if re.search(
        r"(?i)\b(?:version|firmware|release|build|update|patch|driver|sdk|app"
        r"|v)\b[ :.]?[^.!?]{0,12}(?:\d[\d.]* (?:or|and|to)"
        r" )?$",
        before,
    ):
        return False
    # Four small numbers are a version as often: an address is called one.
    small = ":" not in match.group() and all(int(part) <= SMALL for part in match.group().split("."))
    return (
        not small
        or re.search(r"(?i)\b(?:ip|ipv4|address|adresse|host|server|router|ping|dns|log(?:ged|in)?|from)\b", before)
        is not None
    )


@functools.lru_cache(maxsize=10_000)
def _standard(module: str, value: str) -> bool:
    """Whether a number is valid by python-stdnum's module of that name."""
    return bool(importlib.import_module(f"stdnum.{module}").is_valid(value))


def _national(module: str, shape: str) -> Recogniser:
    return Recogniser(
        "NATIONAL_ID",
        re.compile(rf"(?<![\w-])(?:{shape})(?![\w-])"),
        0.93,
        digit=True,
        accepts=lambda match: _standard(module, match.group()),
    )


_SPOKEN = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple"
    r"|null|eins|zwei|zwo|drei|vier|fünf|sechs|sieben|acht|neun|un|deux|trois|quatre|cinq|sept|huit|neuf|zéro"
    r"|cero|uno|dos|tres|cuatro|cinco|siete|ocho|nueve)"
)

_CAR = re.compile(
    r"(?i)\b(?:cars?|vans?|vehicles?|trucks?|parked|plates?|registration|reg|motorbike|number ?plate|auto|wagen"
    r"|fahrzeug"
    r"|kennzeichen|pkw|lkw|geparkt|voitures?|véhicule|immatricul\w+|plaque|garée?|coches?|matrícula|vehículo"
    r"|macchina|targa|veicolo|kenteken|samochód|rejestracyjn\w+|bus|lorry|moped|scooter|motorcycle|trailer|taxi"
    r"|mot|tüv|clamped|towed|dash ?cam|windscreen|tyres?|garage|number ?plates|permit|driveway|ring road|motorway"
    r"|autobahn|abgeschleppt|anhänger|parkplatz|camion|furgoneta|furgone|carro|camper|caravan|quad|tractor"
    r"|drives?|drove|driving|estate car|hatchback|saloon|convertible|jeep|suv|polo|seat ibiza|fahre|conduis|conduzco"
    r"|guido una|rijd"
    r"|gearbox|clutch|exhaust|bumper|brakes?|brake pads|wing mirror|bodywork|oil change|service light|accident"
    r"|collided|rear-ended|unfall|werkstatt|bremsen|reifen|ölwechsel|stoßstange|freins|pneus"
    r"|accidente|frenos|taller|incidente|freni|officina|aanrijding|remmen|wypadek|hamulce"
    r"|octavia|fabia|yaris|corolla|aygo|micra|qashqai|punto|panda|twingo|megane|mondeo|leon|jetta|tiguan|touran|juke"
    r"|picanto|civic|prius|porsche|jaguar|land rover|lexus|subaru|mitsubishi|saab|alfa romeo|cupra|iveco|scania|caddy"
    r"|sprinter|berlingo|kangoo|vivaro|zafira|insignia|mokka|mini cooper"
    r"|skoda|golf|passat|fiat|ford|audi|bmw|mercedes|opel|vauxhall|renault|peugeot|citro[eë]n|toyota|honda"
    r"|nissan|mazda|kia|hyundai|volvo|tesla|dacia|suzuki|transit|corsa|clio|fiesta|astra)\b"
)
_PLATE_CUE = (
    r"(?:licen[cs]e|number|registration|car|vehicle)?[ -]?(?:plates?|reg(?:istration)?)(?: (?:number|no\.?|mark)"
    r")?|licen[cs]e tag"
    r"|kennzeichen|nummernschild|plaque(?: d'immatriculation)?|immatriculation|matrícula|targa|kenteken"
    r"|tablica rejestracyjna"
)
_PLATE_SHAPES = {
    "uk": r"[A-Z]{2}\d{2} ?[A-Z]{3}",
    "de": r"[A-ZÄÖÜ]{1,3}-[A-ZÄÖÜ]{1,2} ?\d{1,4}[EH]?",
    "fr, it": r"[A-Z]{2}[ -]?\d{3}[ -]?[A-Z]{2}",
    "es": r"\d{4}[ -]?[BCDFGHJ-NPR-TV-Z]{3}",
    "nl": r"(?:[A-Z]{2}-\d{3}-[A-Z]|[A-Z]-\d{3}-[A-Z]{2}|\d{1,2}-[A-Z]{2,3}-\d{1,2}|[A-Z]{2}-[A-Z]{2}-\d{2})",
    "pl": r"[A-Z]{2,3} \d{4,5}",
    "us": r"\d[A-Z]{3}\d{3}",
}


_ACRONYMS = r"LED|RGB|USB|LCD|PVC|DIY|XXL|USD|EUR|GBP|AND|FOR|THE|NOT|YES"
_CODE_AND_REST = r"[A-Z]{2} \d{3} ?[A-Z]{2}|[A-Z]{2} \d{5}|\d{1,2}[A-Z]{3}\d{2,3}"
"""Plates that look like the number of a ware: only behind what one does with a car."""


def _alone(match: re.Match[str]) -> bool:
    """Whether a text is nothing else."""
    return match.string.strip(" .!,") == match[0]


def _plates() -> tuple[Recogniser, ...]:
    """Number plates: any behind a cue, those of a country's shape in a text that is about cars."""
    cued = Recogniser(
        "NUMBER_PLATE",
        re.compile(
            rf"(?i)\b(?:{_PLATE_CUE})\b(?:[ :#=]|\b(?:is|was|are|of|the|my|ist|lautet|est|es|è)\b){{1,6}}"
            r"(?P<value>(?-i:(?=[A-Z0-9ÄÖÜ -]{0,14}\d)[A-Z0-9ÄÖÜ]{1,8}(?:[ -][A-Z0-9ÄÖÜ]{1,5}){0,2})"
            r"|(?=[a-z]{0,7}\d)[a-z0-9]{4,8}(?: (?=\w*\d)\w{2,4})?)(?!\w)"
        ),
        0.96,
        digit=True,
        words=(
            "plate",
            "reg",
            "licen",
            "kennzeichen",
            "nummernschild",
            "plaque",
            "immatric",
            "matrícula",
            "targa",
            "kenteken",
            "tablica",
        ),
    )
    shapes = Recogniser(
        "NUMBER_PLATE",
        re.compile(rf"(?<![\w-])(?:{'|'.join(_PLATE_SHAPES.values())})(?![\w-])"),
        0.94,
        digit=True,
        accepts=lambda match: _CAR.search(match.string) is not None or (_alone(match) and match[0][-1].isalpha()),
    )
    # Shapes that hardly anything else has; "GU10 LED" is a bulb.
    sure = Recogniser(
        "NUMBER_PLATE",
        re.compile(
            rf"(?<![\w-])(?:(?!GU|MR|PAR|AR)[A-Z]{{2}}\d{{2}} (?!{_ACRONYMS})[A-Z]{{3}}"
            rf"|(?!USB|DIN|ISO|HD)[A-ZÄÖÜ]{{1,3}}-[A-ZÄÖÜ]{{1,2}} \d{{2,4}}[EH]?"
            rf"|[A-Z]{{2}}-\d{{3}}-[A-Z]{{2}})(?![\w-])"
        ),
        0.86,
        digit=True,
        accepts=lambda match: not of_a_thing(match),
    )
    small = Recogniser(
        "NUMBER_PLATE",
        re.compile(
            r"(?<![\w-])(?:[a-z]{2}\d{2} ?[a-z]{3}|[a-zäöü]{1,3}-[a-zäöü]{1,2} \d{2,4}|[a-z]{2}-\d{3}-[a-z]{1,2}"
            r"|[a-z]{2} \d{3}[a-z]{2}|\d[a-z]{3}\d{3})(?![\w-])"
        ),
        0.86,
        digit=True,
        accepts=lambda match: (_CAR.search(match.string) is not None or _alone(match)) and not of_a_thing(match),
    )
    driven = Recogniser(
        "NUMBER_PLATE",
        re.compile(
            r"(?i)\b(?:returned|returning|picked up|collected|dropped off|parked|drove|drive|driving|rented|hired|rent"
            r"|hire|towed|clamped)(?: (?:a|an|the|my|our))? "
            rf"(?P<value>(?-i:{'|'.join([*_PLATE_SHAPES.values(), _CODE_AND_REST])}))(?![\w-])"
        ),
        0.92,
        digit=True,
        words=("return", "pick", "collect", "drop", "park", "dr", "rent", "hire", "tow", "clamp"),
        accepts=lambda match: not of_a_thing(match),
    )
    return cued, shapes, sure, small, driven


_CARD_WORDS = re.compile(
    r"(?i)card|karte|carte|tarjeta|carta|kaart|visa\b|master|amex|maestro|account|konto|digits?|ziffern|chiffres"
    r"|cifre|dígitos|cijfers"
)


def _of_a_card(match: re.Match[str]) -> bool:
    """Whether four digits behind "ending" are a card's, and no year's ("the card sale ends in 2026")."""
    before = match.string[max(0, match.start() - 40) : match.start("value")]
    if re.match(r"(?:19|20)\d\d", match["value"]) and match[0][0] in "eE":
        before = before[-len(match[0]) - 8 :]
    after = match.string[match.end() : match.end() + 25] if match[0][0] not in "eE" else ""
    return _CARD_WORDS.search(before + after) is not None


RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser(
        "IBAN",
        re.compile(r"(?i)(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Z0-9])"),
        1.0,
        digit=True,
        accepts=_iban,
    ),
    # With a typing error it is still an account number.
    Recogniser(
        "IBAN",
        re.compile(
            r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?(?=[A-Z]{0,4}\d)[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
        ),
        0.9,
        digit=True,
    ),
    Recogniser(
        "CARD",
        re.compile(r"(?<![\d-])(?:\d[ -]?){12,18}\d(?!\d)"),
        0.96,
        digit=True,
        accepts=lambda match: _luhn(match) and (sum(map(str.isdigit, match[0])) != 13 or not _a_ware_code(match)),
    ),
    # "12.99 was taken from 4821", "a fee of 15.00 on 4821".
    Recogniser(
        "CARD",
        re.compile(
            r"(?i)\b(?:charged|took|taken?|paid|pay|payment|fee|refund\w*|debited|billed|abgebucht|débité|cobrado|cobraron"
            r"|addebitato|afgeschreven)\b[^!?\n]{0,40}?\b(?:on|to|from|with|auf|von|sur|en|su|op)"
            r" (?:my |the |card )?(?P<value>(?!19\d\d|20\d\d)\d{4})(?![\w-]|[.,/:]\d| ?(?:[€$£%]|euros?\b|eur\b"
            r"|items\b))"
        ),
        0.82,
        digit=True,
    ),
    Recogniser("CARD", re.compile(r"(?<![\d-])\d{4}([ -])\d{4}\1\d{4}\1\d{2,4}(?!\d)"), 0.85, digit=True),
    # The end of a card's number, which shops ask for: "card ending in 4821", "last four digits 4821".
    Recogniser(
        "CARD",
        re.compile(
            r"(?i)\b(?:(?:ends?|ending|endet|endend|endigt) (?:(?:in|with|on|auf|mit|op) )?|se termin(?:e|ant) par "
            r"|(?:que )?(?:termina(?:da)?|acaba(?:da)?) en |eindig(?:t|end) op |finisce (?:con|per) "
            r"|(?:last|final|letzten?|derniers|últimos|ultime|laatste) (?:four|4|vier|quatre|cuatro|quattro)"
            r"(?: (?:digits?|numbers?|numbers are|ziffern|chiffres|cifre|dígitos|cijfers))?"
            r"(?: (?:of|on) (?:my|the|it) ?(?:\w+ )?(?:card|one)?)?"
            r"(?: (?:are|is|being|sind|lauten|sont|son|sono|zijn))?[ :]*)"
            r"(?P<value>\d{4})(?![\w-]|[.,/]\d)"
        ),
        0.9,
        digit=True,
        words=("end", "last", "final", "termin", "acaba", "eindig", "finisce", "letzte", "dernier", "ltim", "laatste"),
        accepts=_of_a_card,
    ),
    Recogniser(
        "IP",
        re.compile(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d]|\.\d)"),
        0.95,
        digit=True,
        accepts=_ip,
    ),
    Recogniser(
        "IP",
        re.compile(r"(?i)(?<![:.\w])(?=[0-9a-f:]*[0-9])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![:\w])"),
        0.95,
        digit=True,
        accepts=_ip,
    ),
    Recogniser(
        "DEVICE", re.compile(r"(?i)(?<![\w:-])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![\w:-])"), 0.9, words=(":", "-")
    ),
    Recogniser(
        "PHONE",
        re.compile(
            r"(?<![\w.+])(?:\+|00)[ ]?\d{1,3}[ ./-]{0,2}(?:\(\d{1,5}\)|\d{1,5})(?:[ ./-]{0,2}\d{2,5}){1,5}"
            r"(?:\s?(?:x|ext\.?|extension|durchwahl|poste) ?\d{1,5})?(?![\w/])"
        ),
        0.97,
        digit=True,
    ),
    Recogniser("PHONE", re.compile(r"(?<![\w.-])0\d{8,11}(?!\w)"), 0.9, digit=True, accepts=_free_number),
    Recogniser("PHONE", re.compile(r"(?<![\w.])0[1-9](?:[. ]\d{2}){4}(?!\w|[.]\d)"), 0.93, digit=True),
    Recogniser(
        "PHONE",
        re.compile(
            r"(?<![\w.,/#+-])(?:\(0?\d{1,5}\)|\d{2,5})(?:(?: [./-] |[ ./-])?\(?\d{2,5}\)?){1,5}(?:,?\s?(?:x"
            r"|ext\.?|extension|durchwahl|poste) ?\d{1,5})?"
            r"(?![\w/-]|[.,:]\d)"
        ),
        0.88,
        digit=True,
        accepts=_phone,
    ),
    Recogniser("SOCIAL_SECURITY", re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"), 0.93, digit=True),
    Recogniser(
        "SOCIAL_SECURITY",
        re.compile(r"(?i)\b(?:ssn|social security|social)\b\D{0,30}(?P<value>\d{3}[ .-]?\d{2}[ .-]?\d{4})(?!\d)"),
        0.94,
        digit=True,
        words=("ssn", "social"),
    ),
    # The British number has no checksum; these are the letters it may begin and end with.
    Recogniser(
        "NATIONAL_ID",
        re.compile(
            r"(?<![\w-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?(?:\d{2} ?){3}[A-D](?![\w-])"
        ),
        0.93,
        digit=True,
    ),
    _national("gb.nhs", r"\d{3} \d{3} \d{4}"),
    _national("de.idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
    _national("fr.nir", r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),
    _national("es.dni", r"\d{8} ?-?[A-Z]"),
    _national("es.nie", r"[XYZ]-?\d{7}-?[A-Z]"),
    _national("it.codicefiscale", r"(?i:[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])"),
    _national("nl.bsn", r"\d{3}[. ]\d{3}[. ]\d{3}|\d{4}[. ]\d{2}[. ]\d{3}|\d{9}"),
    _national("pl.pesel", r"\d{11}"),
    _national("pt.nif", r"\d{3} ?\d{3} ?\d{3}"),
    _national("br.cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}"),
    _national("be.nn", r"\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}"),
    _national("ch.ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}"),
    _national("se.personnummer", r"(?:\d{2})?\d{6}[-+]\d{4}"),
    _national("dk.cpr", r"\d{6}-\d{4}"),
    _national("no.fodselsnummer", r"\d{6} \d{5}"),
    _national("fi.hetu", r"\d{6}[-+A]\d{3}[A-Z0-9]"),
    _national("cz.rc", r"\d{6}/\d{3,4}"),
    _national("ie.pps", r"\d{7}[A-W][A-IW]?"),
    _national("in_.aadhaar", r"[2-9]\d{3} ?\d{4} ?\d{4}"),
    _national("in_.pan", r"[A-Z]{5}\d{4}[A-Z]"),
    Recogniser(
        "TRACKING",
        re.compile(
            r"(?<![A-Za-z0-9])(?:1Z ?[0-9A-Z]{3} ?[0-9A-Z]{3} ?(?:[0-9A-Z]{2} ?){4}[0-9A-Z]{2}"
            r"|[A-Z]{2} ?(?:\d{9}|\d{3} \d{3} \d{3}) ?[A-Z]{2}"
            r"|J{1,2}D\d{10,20}|J(?:VGL|D)\d{10,20}|TBA\d{9,13}|(?:\d{4} ){4,5}\d{2,4})(?![A-Za-z0-9])"
        ),
        0.96,
        digit=True,
    ),
    Recogniser(
        "TRACKING",
        re.compile(r"(?i)(?<![a-z0-9])(?:1z[0-9a-z]{16}|[a-z]{2}\d{9}[a-z]{2}|jjd\d{10,20})(?![a-z0-9])"),
        0.95,
        digit=True,
    ),
    _cued(
        "ORDER_NUMBER",
        "order|orders|purchase|bestellung|commande|pedido|ordine|bestelling|zamówienie|zamówienia|encomenda|auftrag",
        # Surer than the shapes of telephone and card numbers, which an order number may have by chance.
        0.975,
    ),
    _cued("TICKET_NUMBER", "ticket|case|incident|complaint|request|sr|vorgang|sprawa|dossier", 0.91),
    _cued(
        "CUSTOMER_NUMBER",
        "customer|client|account|member|membership|loyalty|subscriber|policy|contract|kundennummer|kunden"
        "|kundenkonto|vertrag|cliente|klant|klantnummer|compte|cuenta|conto|konto",
        0.91,
    ),
    _cued(
        "TRACKING",
        "tracking|track|parcel|package|shipment|consignment|waybill|delivery|sendung|sendungsnummer|paket"
        "|colis|suivi|paquete|envío|seguimiento|pacco|spedizione|pakket|przesyłka",
        0.9,
    ),
    _cued(
        "ID_NUMBER",
        "reference|ref|invoice|receipt|transaction|booking|reservation|payment|rma|serial|imei"
        "|id|rechnung|rechnungsnummer|facture|factura|fattura|factuur|buchung|bestellnummer"
        "|auftragsnummer",
        0.89,
    ),
    Recogniser(
        "ORDER_NUMBER",
        re.compile(r"(?<![\w&])#\d{4,}(?!\w)|(?<![A-Za-z0-9])(?:ORD|ORDER|INV|PO|SO)[-_#]?\d{3,}[\w-]*"),
        0.9,
        digit=True,
    ),
    Recogniser(
        "ID_NUMBER",
        re.compile(
            r"(?<![\w/-])(?!(?:ISO|IEC|EN|DIN|RFC|KB|CVE|RAL|HTTP|ERR|ERROR|E|SKU|EAN|PN|UL|USB|IP|GB|EU)"
            r"(?![A-Z]))(?:[A-Z]{1,5}[-/_#]?\d{5,}(?:[-/]?[A-Z0-9]{1,8})*"
            r"|(?:TKT|TICKET|TT|CASE|REF|RMA|CUST|ACC|ACCT|SR|INC|REQ|CS|TR|REQ|CRM|MEM|ID|RE|CU|KD)[-_#/]?\d{3,}[\w-]*"
            r"|[A-Z]{2,5}(?:-[A-Z0-9]*\d{2,}[A-Z0-9]*){2,}|\d{3,}-\d{5,}(?:-\d{2,})*|20\d\d[-/]\d{4,})(?![\w-])"
        ),
        0.7,
        digit=True,
        accepts=_free_number,
    ),
    Recogniser(
        "ID_NUMBER", re.compile(r"(?<![\w.,/-])\d{7,24}(?![\w/-]|[.,]\d)"), 0.7, digit=True, accepts=_free_number
    ),
    Recogniser(
        "ID_NUMBER",
        re.compile(r"(?i)(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])"),
        0.9,
        words=("-",),
    ),
    Recogniser(
        "ID_NUMBER",
        re.compile(r"(?<![\w.,/-])\d{2,6}(?:[ -]\d{2,6}){1,6}(?![\w/-]|[.,:]\d)"),
        0.6,
        digit=True,
        accepts=_grouped_number,
    ),
    Recogniser("ID_NUMBER", re.compile(r"(?<!\S)\d(?: \d){5,24}(?![\w])"), 0.6, digit=True, accepts=_free_number),
    Recogniser("ID_NUMBER", re.compile(rf"(?i)\b{_SPOKEN}(?:[ ,-]{{1,2}}(?:and )?{_SPOKEN}){{4,24}}\b"), 0.6),
    Recogniser(
        "PASSPORT",
        re.compile(
            r"(?i)(?:passport|reisepass|passeport|pasaporte|passaporto|paspoort|paszport\w*)[^.\n]{0,40}?"
            r"(?<![\w-])(?P<value>(?=(?:[A-Z]*\d){3})[A-Z0-9]{6,10})(?!\w)"
        ),
        0.94,
        digit=True,
        words=("passport", "reisepass", "passeport", "pasaporte", "passaporto", "paspoort", "paszport"),
    ),
    Recogniser(
        "ID_NUMBER",
        re.compile(
            r"(?i)(?:\b(?:driv(?:er'?s?|ing) )?licen[cs]e\b|führerschein\w*|permis de conduire|\bid card|identity card"
            r"|national id|personalausweis|ausweis|\bdni\b|\bnie\b|carte d'identité"
            r"|carta d'identità|\bbsn\b|\bpesel\b|dowód\w*|tax (?:id|number)|steuer\w*|\bvat\b|\bnhs\b"
            r"|national insurance|aadhaar|\bpan\b|codice fiscale)[^.\n\d]{0,30}?(?<![\w-])"
            # Capitals or small letters with digits among them: not the words of a sentence.
            r"(?P<value>(?:(?-i:[A-Z]{1,5})[ /-]?)?[A-Z]{0,6}\d[A-Z0-9]{0,14}"
            r"(?:[ /-](?:[A-Z]{0,4}\d[A-Z0-9]{0,12}|(?-i:[A-Z]{1,2})(?![a-z]))){0,5})(?!\w)"
        ),
        0.87,
        digit=True,
        words=(
            "licen",
            "führerschein",
            "permis",
            "id card",
            "identity card",
            "national id",
            "ausweis",
            "dni",
            "nie",
            "identité",
            "identità",
            "bsn",
            "pesel",
            "dowód",
            "tax",
            "steuer",
            "vat",
            "nhs",
            "insurance",
            "aadhaar",
            "pan",
            "fiscale",
        ),
        accepts=lambda match: (
            sum(c.isdigit() for c in match["value"]) >= 4
            and not any(d.start() < match.end("value") and d.end() > match.start("value") for d in _dates(match.string))
        ),
    ),
    Recogniser(
        "USERNAME",
        re.compile(
            r"(?i)\b(?:user ?-?name|user ?id|login(?: name| id)?|log-?in|handle|nick(?:name)?|screen name"
            r"|account name|gamertag|userid"
            r"|benutzername|nutzername|anmeldename|identifiant|pseudo|nom d'utilisateur|usuario|nombre de "
            r"usuario|nome utente"
            r"|gebruikersnaam|nazwa użytkownika|nome de usuário|logged in as|log in as|signed in as|sign in as"
            r"|registered as|log on as"
            r"|signed up as|known as)"
            r"(?:[ :='\"]|(?:is|was|ist|lautet|est|es|è|jest|to|my|as|under|the)\b){1,8}(?P<value>[^\W_][\w.-]{1,40}\w)"
        ),
        0.86,
        words=(
            "user",
            "login",
            "log in",
            "log-in",
            "log on",
            "handle",
            "nick",
            "screen name",
            "account name",
            "gamertag",
            "benutzername",
            "nutzername",
            "anmeldename",
            "identifiant",
            "pseudo",
            "utilisateur",
            "usuario",
            "utente",
            "gebruikersnaam",
            "użytkownika",
            "usuário",
            "logged in",
            "signed",
            "sign in",
            "registered as",
            "known as",
        ),
        accepts=lambda match: _username(match),
    ),
    Recogniser(
        "USERNAME",
        re.compile(
            r"(?i)\b(?:users?|tag|gamer ?tag|ign|psn|steam|battle ?tag|xbox|account|profile|member|konto"
            r"|benutzer|nutzer|compte|utilisateur|cuenta|usuario|utente|gebruiker|login"
            r"|handle|insta(?:gram)?|telegram|skype|discord|snap(?:chat)?|tiktok|twitter)"
            r"(?:[ :='\"]{1,3}|\b(?:is|name|called|named|ist)\b ?){1,4}(?P<value>@?[^\W\d_](?=[\w.-]*\d"
            r"|[\w-]*_\w|[a-z]+\.[a-z])[\w.-]{2,40}\w)"
        ),
        0.86,
        words=(
            "user",
            "tag",
            "ign",
            "psn",
            "steam",
            "xbox",
            "account",
            "profile",
            "member",
            "konto",
            "nutzer",
            "compte",
            "utilisateur",
            "cuenta",
            "usuario",
            "utente",
            "gebruiker",
            "login",
            "handle",
            "insta",
            "telegram",
            "skype",
            "discord",
            "snap",
            "tiktok",
            "twitter",
        ),
        accepts=lambda match: re.search(r"\.\w+/|\.(?:com|html?|php|pdf)$", match["value"]) is None,
    ),
    # "user nocturne cannot log in".
    Recogniser(
        "USERNAME",
        re.compile(
            r"(?i)\b(?:user|player|member|login) (?P<value>[^\W\d_]{4,30}) (?:cannot|can't|can not"
            r"|could ?n[o']t|is (?:locked|banned"
            r"|blocked|disabled|gone)|was (?:locked|banned|blocked)|gets|has been)\b"
        ),
        0.8,
        words=("user", "player", "member", "login"),
        accepts=lambda match: not ordinary(match["value"].lower()),
    ),
    Recogniser("USERNAME", re.compile(r"(?<![\w.])@[A-Za-z_][\w.]{2,30}\b"), 0.85, words=("@",)),
    # A name and a number joined is a chosen name: no product is written so.
    Recogniser(
        "USERNAME",
        re.compile(r"(?<![\w.@/-])[^\W\d_A-Z][^\W\d_A-Z]{2,20}(?:[._][^\W\d_A-Z]{1,20})?[._]\d{1,6}(?![\w.@/-]|\.\w)"),
        0.65,
        digit=True,
    ),
    Recogniser(
        "DATE_OF_BIRTH",
        re.compile(
            r"(?i)(?:\bborn\b|birth|\bdob\b|\bd\.o\.b|birthday|\bgeb\b|geboren|geburt\w*|\bnée?\b|naissance"
            r"|nac[ií]\w*|nacimiento|nat[oa]\b|nascita"
            rf"|geboorte\w*|urodz\w*|nasc\w+)[^\d\n]{{0,30}}(?P<value>{DATE})"
        ),
        0.95,
        digit=True,
        words=("born", "birth", "dob", "d.o.b", "geb", "né", "naissance", "nac", "nat", "nascita", "urodz", "nasc"),
    ),
    Recogniser(
        "DATE_OF_BIRTH",
        re.compile(rf"(?i)(?<!\d)(?P<value>{DATE})[^\d\n]{{0,20}}(?:birthday|birth|\bdob\b|geburtstag|born)"),
        0.95,
        digit=True,
        words=("birth", "dob", "geburtstag", "born"),
    ),
    # Support chats hardly name a day before 2000, but for the day somebody was born.
    Recogniser(
        "DATE_OF_BIRTH",
        re.compile(rf"(?i)(?<![\d.,/-])(?=[^\n]{{0,20}}\b19\d\d)(?P<value>{DATE})"),
        0.8,
        digit=True,
        accepts=lambda match: re.search(r"\b19[2-9]\d", match["value"]) is not None,
    ),
    *_plates(),
    Recogniser(
        "BANK_CODE",
        re.compile(
            r"(?i)\b(?:sort[ -]?code|routing(?: (?:number|no\.?))?|\baba\b(?: number)?|blz|bankleitzahl|bsb)"
            r"[ :=#]*(?:(?:is|ist|of)\b ?)?"
            r"(?P<value>\d{2}[ -]?\d{2}[ -]?\d{2}(?:\d{3})?|\d{3}[ -]?\d{3}(?:[ -]?\d{2,3})?)(?![\w-])"
        ),
        0.95,
        digit=True,
        words=("sort", "routing", "aba", "blz", "bankleitzahl", "bsb"),
    ),
    # A sort code and the account of eight digits behind it.
    Recogniser(
        "BANK_CODE",
        re.compile(r"(?<![\w-])\d{2}-\d{2}-\d{2}(?=(?: ?[/,;|] ?| (?:and )?)\d{8}(?!\w))"),
        0.93,
        digit=True,
    ),
    Recogniser(
        "BANK_CODE",
        re.compile(
            r"(?i)\b(?:bic|swift)(?:[ /-]?(?:code|bic))?[ :=]*(?:(?:is|ist)"
            r"\b ?)?(?P<value>(?-i:[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?))(?!\w)"
        ),
        0.93,
        words=("bic", "swift"),
    ),
    Recogniser(
        "COORDINATES",
        re.compile(
            r"(?<![\w.])[-+]?\d{1,2}\.\d{3,8}°? ?[NSns]?(?: ?[,;/] ?| )[-+]?\d{1,3}\.\d{3,8}°? ?[EWOewo]?(?![\w.])"
        ),
        0.95,
        digit=True,
    ),
    Recogniser(
        "COORDINATES",
        re.compile(
            r"\d{1,2}° ?\d{1,2}['\u2032] ?(?:\d{1,2}(?:\.\d+)?[\"\u2033]? ?)?[NS][ ,;]{1,2}"
            r"\d{1,3}° ?\d{1,2}['\u2032] ?(?:\d{1,2}(?:\.\d+)?[\"\u2033]? ?)?[EWO]"
        ),
        0.95,
        digit=True,
        words=("°",),
    ),
    Recogniser(
        "COORDINATES",
        re.compile(
            r"[NS] ?\d{1,2}° ?(?:\d{1,2}(?:\.\d+)?['\u2032] ?)?(?:\d{1,2}(?:\.\d+)?[\"\u2033] ?)?[ ,;]{0,3}"
            r"[EWO] ?\d{1,3}°(?: ?\d{1,2}(?:\.\d+)?['\u2032])?(?: ?\d{1,2}(?:\.\d+)?[\"\u2033])?"
        ),
        0.95,
        digit=True,
        words=("°",),
    ),
    # Plus codes and the three words of a square: https://maps.google.com/pluscodes/, https://what3words.com/.
    Recogniser(
        "COORDINATES",
        re.compile(r"(?<![\w+])[23456789CFGHJMPQRVWX]{4,8}\+[23456789CFGHJMPQRVWX]{2,3}(?!\w)"),
        0.92,
        words=("+",),
        accepts=lambda match: re.search(r"[A-Z]", match.group()) is not None,
    ),
    Recogniser(
        "COORDINATES",
        re.compile(
            r"(?i)(?:///|\b(?:what3words|w3w)\W{1,4}(?:is |are )?)"
            r"(?P<value>[^\W\d_]{3,20}\.[^\W\d_]{3,20}\.[^\W\d_]{3,20})\b"
        ),
        0.95,
        words=("///", "what3words", "w3w"),
    ),
    Recogniser(
        "POSTCODE",
        re.compile(
            r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
            r"|[1-9]\d{3} ?(?!(?:GB|MB|TB|KB|AM|PM|UK|US|EU|HD|KW|HZ|ML|MM|CM|KM|KG|LM|DB|ES|DE|FR|IT|NL"
            r"|PL)\b)[A-Z]{2})(?![\w-])"
        ),
        0.6,
        digit=True,
    ),
    Recogniser(
        "POSTCODE",
        re.compile(
            r"(?i)\b(?:zip(?: ?code)?|post ?code|postal code|plz|postleitzahl|code postal|código postal|cap"
            r"|kod pocztowy)"
            r"(?:[ :]|is|ist|est|es|my|the){1,6}(?P<value>\d{2,6}(?:[ -]\d{2,4})?(?: ?[A-Z]{2}\b)?)(?![\w,.]\d)"
        ),
        0.8,
        digit=True,
        words=("zip", "post", "plz", "pocztowy", "cap"),
    ),
)
"""What numbers and network addresses are recognised by."""


def _username(match: re.Match[str]) -> bool:
    value = match["value"]
    if re.search(r"[\d._]", value):
        return True
    cue = match.string[match.start() : match.start("value")].rstrip().lower()
    said = (":", "=", "'", '"', "is", "as", "ist", "lautet", "est", "es", "è", "jest")
    return cue.endswith(said) and _uncommon(value, COMMON_WORDS)


def _uncommon(word: str, common: frozenset[str]) -> bool:
    lower = word.lower()
    return len(lower) > 3 and lower not in common and not lower.endswith(("ing", "ed", "ly", "able", "ible"))
