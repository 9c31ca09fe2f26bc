"""What one turn of a conversation gives away about the next: a question for a number makes any number its answer."""

import re
from collections.abc import Sequence

from llmops_assets.lib.redaction import addresses, names
from llmops_assets.lib.redaction.identifiers import DATE
from llmops_assets.lib.redaction.spans import Folded, Span
from llmops_assets.lib.redaction.vocabulary import ordinary

_NUMBER = r"(?:number|no\.?|nr\.?|id|code|reference|nummer|numéro|número|numero|numer)"
_WARES = (
    r"(?:error|fault|article|item|product|model|part|version|software|firmware|room|floor|page|size|colou?r|batch|lot"
    r"|voucher|coupon|promo\w*|discount|gift|offer|store|shop|fehler|artikel|modell|gutschein|right|same|wrong|new|old"
    r"|first|exact|total|maximum|minimum|large|small)\b"
)
"""Numbers of things and of nobody."""
_QUESTIONS = {
    "ORDER_NUMBER": rf"\b(?:order|purchase|commande|pedido|ordine|zamówieni\w+) ?{_NUMBER}"
    rf"|{_NUMBER} (?:of|for|de|del|der) (?:your|the|votre|su|tu|la)? ?(?:order|commande|pedido)"
    r"|bestell?(?:ing)?-?nummer|auftragsnummer|numer zamówienia",
    "TRACKING": rf"\b(?:tracking|parcel|shipment|suivi|seguimiento) ?{_NUMBER}|sendungsnummer|track (?:and|&) trace"
    r"|\btracking\b[^.?]{0,20}\?",
    "CUSTOMER_NUMBER": rf"\b(?:customer|account|client|member(?:ship)?|contract|policy) ?{_NUMBER}"
    r"|kundennummer|klantnummer|numéro (?:de )?client|número de cliente|codice cliente",
    "TICKET_NUMBER": rf"\b(?:ticket|case|reference|ref|incident|booking|invoice|confirmation) ?{_NUMBER}|ticketnummer"
    r"|vorgangsnummer",
    "EMAIL": r"e-?mails?\b|mail ?address|mailadresse|correo|courriel|adresse (?:e-?)?mail|indirizzo mail",
    "IBAN": r"\biban\b|bank account|account (?:details|for the refund)|kontonummer|kontoverbindung|bankverbindung"
    r"|coordonnées bancaires|cuenta bancaria|rekeningnummer",
    "CARD": r"card number|\bcard\b[^.?]{0,30}\bend(?:s|ing)?\b|\bend(?:s|ing) in\b|\b(?:last"
    r"|final) (?:four|4)\b|which card"
    r"|letzten? (?:vier|4)\b|(?:quatre|4) derniers|(?:cuatro|4) últim[oa]s|últim[oa]s (?:cuatro|4)|ultime (?:quattro|4)"
    r"|laatste (?:vier|4)\b|(?:cztery|4) ostatnie|ostatnie (?:cztery|4)|digits (?:of|on) (?:your"
    r"|the) (?:\w+ )?card|kartennummer|numéro de (?:la |votre )?carte"
    r"|número de (?:la |su )?tarjeta|number (?:on|of) (?:your|the) (?:\w+ )?card",
    "SECRET": r"\b(?:pass ?word|pass ?code|pin|otp|passwort|kennwort|mot de passe|contraseña|cvv|cvc)\b"
    r"|(?:security|verification|confirmation|one[- ]time|access|sms) code|code (?:from|in|that|which|we"
    r"|you (?:got|received))"
    r"|digits?\b[^.?]{0,40}\b(?:sent|text|sms|app|received|message)|\bsent (?:you )?(?:a|the|another|your)"
    r" (?:\w+ )?(?:code|pin)",
    "NUMBER_PLATE": r"\b(?:number|licen[cs]e|registration) ?plate|\bplates?\b[^.?]{0,15}\?|\bregistration (?:number|of)"
    r"|\b(?:which|what) (?:car|vehicle|van|lorry)\b|\b(?:the|your|car'?s?|vehicle'?s?) reg\b|\b(?:car"
    r"|vehicle)(?:'s)? (?:number|registration)|(?<!to )kennzeichen"
    r"|immatriculation|matrícula|\btarga\b|kenteken",
    "BANK_CODE": r"sort ?code|routing number|\bblz\b|bankleitzahl|\bbic\b|\bswift\b",
    "PASSPORT": r"\bpassport|reisepass|passeport|pasaporte|passaporto|paspoort|paszport",
    "NATIONAL_ID": r"social security|\bssn\b|national (?:id|insurance)|\bid (?:card|number)|driv\w+ licen[cs]e|\bdni\b"
    r"|\bpesel\b|\bbsn\b|codice fiscale|ausweis",
    "PHONE": r"\b(?:phone|mobile|telephone|cell|contact|callback|call ?back|reach) ?(?:number|you)?\b|telefonnummer"
    r"|\bhave your number\b|\bnumber (?:can|may|should|do) (?:we|i|he|she|they)\b|\bring you (?:on|at|back)\b"
    r"|handynummer|rufnummer|numéro de téléphone|teléfono|telefono|telefoonnummer|numer telefonu|best number",
    "POSTCODE": r"\b(?:post ?code|zip|postal code)|postleitzahl|\bplz\b|code postal|código postal|\bcap\b",
    "DATE_OF_BIRTH": r"(?:date of|day of) birth|\bdob\b|birth ?(?:date|day)|were you born|geburtsdatum"
    r"|date de naissance|fecha de nacimiento|data di nascita|geboortedatum|data urodzenia",
    "ADDRESS": r"(?<!mail )(?<!mail)(?<!ip )\baddress\b|\b(?:delivery|shipping|billing|home|postal) address"
    r"|where (?:do|should|shall|can|would) (?:you|we|i)\b[^?]{0,60}\b(?:live|send|ship|deliver|bring|collect"
    r"|pick)|what (?:street|town|city)"
    r"|which (?:street|town|city)|\b(?:town|street|house number|street and number)\b[^.?]{0,60}\?|(?<!mail)"
    r"(?<!mail-)adresse(?! (?:e-?)?mail)|anschrift"
    r"|dirección|indirizzo|\badres\b",
    "USERNAME": r"\b(?:user ?name|user ?id|login|handle|nick(?:name)?|screen name)|benutzername|identifiant|usuario"
    r"|gebruikersnaam|nome utente",
    "PERSON": r"\b(?:your|the|full|first|last|sur|family|account|legal) ?names?\b"
    r"|\bwhom? (?:am i|i am|i'm|do i|are we|is this|is it|was it|is on|have i|is speaking|is writing)"
    r"|who's (?:this|there|speaking|calling|on)|who (?:is|was) (?:calling|there)|who do i have"
    r"|speaking (?:to|with)\s*\?|(?:whom|who) (?:i am|i'm|we are) (?:speaking|talking|chatting|dealing)"
    r"|(?:what|how) (?:may|can|should|shall|do|must) (?:i|we) (?:call|address) you|your good name|who (?:placed"
    r"|ordered|signed|booked)"
    r"|mit wem (?:spreche|schreibe|habe)|wie (?:heißen|heisst|heißt) (?:sie|du)|wer (?:sind|ist da|spricht)"
    r"|qui (?:suis-je|est à|êtes)"
    r"|à qui (?:ai-je|je|est)|comment vous appelez|con quién (?:hablo|tengo)|cómo (?:se llama|te llamas)"
    r"|con chi (?:parlo|sto)"
    r"|come si chiama|met wie|hoe heet|z kim|jak się|com quem|whose name|what(?:'s| is) (?:the|your) name"
    r"|name on (?:the|your)|welche[nrm] namen?|quel nom|qué nombre|(?:che|quale) nome|welke naam"
    r"|jakie (?:nazwisko|imię)"
    r"|(?:who|whose) (?:is|are)? ?(?:the )?account"
    r"|kontoinhaber|titulaire|titular de la cuenta|intestatario"
    r"|rekeninghouder|właścicielem"
    r"|(?:ihr|dein|ihren|deinen"
    r"|vollständige\w*) name|votre nom|su nombre|tu nombre|(?:il )?(?:suo|tuo) nome|(?:uw|je) naam|imię"
    r"|nazwisko|may i have (?:your|the) name|account holder",
    "ID_NUMBER": rf"\b(?:what|which) number\?|\b(?:(?:your|ihre?|deine?|votre|su|tu|uw"
    rf"|je) (?!{_WARES})(?:\w+[ -])?|the (?!{_WARES})\w+ )"
    rf"(?!{_WARES}){_NUMBER}\b|\b(?!fehler|artikel|modell|gutschein|seiten|zimmer|haus|produkt|serien)\w+nummer\b"
    rf"|\b{_NUMBER} (?:of|on|from|for|in) (?:your|the|this) (?!{_WARES})\w+",
}
"""What is asked for, in the order in which a code is taken for it: the last one is any number of somebody's."""
_PATTERNS = {entity: re.compile(f"(?i){pattern}") for entity, pattern in _QUESTIONS.items()}
_ASKS = re.compile(
    r"(?i)\?|\b(?:what(?:'?s| is| was)"
    r"|please|could you|can you|may i|can i|need|require|provide|confirm|tell|give|share|enter|send"
    r"|type|state|sent|bitte|veuillez"
    r"|por favor|per favore|graag|proszę)\b"
)
_MORE = re.compile(
    r"(?i)\b(?:(?:the )?(?:rest|remaining|remainder)|(?:second|other|last|next|first|missing) (?:half|part"
    r"|digits?|bit|piece|block|group"
    r"|numbers?|letters?|line)|and (?:then|after|the|what)|(?:only|just) (?:half|part|the first)|go on|continue"
    r"|carry on|what comes"
    r"|how does it (?:go on|end)|incomplete|not complete|too short|digits? (?:is|are) missing|der rest|weiter"
    r"|und dann|la suite|et après"
    r"|el resto|y después|il resto|e poi)\b"
)
"""A question for what is missing of the answer before."""
_PART = re.compile(r"(?<![\w.])[@#+]?(?=[^\s]*\d)[A-Za-z0-9](?:[\w@.+/-]*\w)?(?: \d{2,6})*-?(?![\w])")
_CODE = re.compile(
    r"(?<![\w.,/-])#?(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d)[A-Za-z0-9][A-Za-z0-9/_-]{2,24}(?:[ -]\d{2,6}){0,5}(?![\w]|[.,]\d)"
)
_DATE = re.compile(rf"(?i)(?<!\d){DATE}")
_LOGIN = re.compile(r"(?<![\w@.])[A-Za-z][\w.-]{2,40}(?<![.-])")
ASKED = 0.89
"""Score of a code that was asked for: what a shape alone says of a number is weaker, a checksum stronger."""
_SHORT = 12
"""A reply of more words is read like any other text, but for its address."""


def asked_for(text: Folded) -> frozenset[str]:
    """Entities that a turn asks for."""
    if _ASKS.search(text.text) is None:
        return frozenset()
    return frozenset(entity for entity, pattern in _PATTERNS.items() if pattern.search(text.text))


def asked_over(texts: Sequence[Folded]) -> list[frozenset[str]]:
    """What each turn of a conversation was asked for by the turns before it.

    A turn that asks for the rest, and an answer of a single code behind an answer, are about what was asked before:
    people give a number in two halves.
    """
    result, before = [], frozenset[str]()
    for number, text in enumerate(texts):
        asked = asked_for(texts[number - 1]) if number else frozenset[str]()
        if asked:
            before = asked
        elif number and before and (_MORE.search(texts[number - 1].text) or _bare(text.text)):
            asked = before if result[-1] or (number > 1 and result[-2]) else asked
        if number and not asked and _bare(text.text):
            # "the order is A769", and in the next turn "and then 42816".
            begun = _begun(texts[number - 1].text)
            if begun:
                asked = before = begun
                result[-1] |= begun
            elif _SIX.search(text.text) and any(_CODES.search(t.text) for t in texts[max(0, number - 2) : number]):
                asked = frozenset({"SECRET"})
        result.append(asked)
    return result


_BEGUN = {
    "PHONE": r"phone|mobile|cell|tel|handy|telefon(?:nummer)?|téléphone|portable|teléfono|móvil|cellulare"
    r"|telefono|telefoon",
    "EMAIL": r"e-?mail|mail|correo|courriel",
    "ORDER_NUMBER": r"order|bestellung|bestellnummer|commande|pedido|ordine|bestelling",
    "IBAN": r"iban",
    "TRACKING": r"tracking|parcel|sendung|sendungsnummer|colis",
    "CUSTOMER_NUMBER": r"customer|client|member|membership|kundennummer|account",
    "TICKET_NUMBER": r"ticket|case|reference",
    "CARD": r"card|karte|carte|tarjeta|carta",
    "PASSPORT": r"passport|reisepass|passeport|pasaporte",
}
_BEGUN_PATTERNS = {
    entity: re.compile(
        rf"(?i)\b(?:{nouns})(?: (?:no\.?|number|nr\.?|code|id|address))?(?: ?:| is| are| ist| est| es| è"
        rf"| starts?(?: with)?"
        rf"| begins?(?: with)?| goes)? [+(]?(?=[\w@.+/-]*(?:[\d@]|[._]\w))[\w@.+/-]{{1,30}}(?: [\d-]{{1,8}}){{0,3}}\W*$"
    )
    for entity, nouns in _BEGUN.items()
}
_SIX = re.compile(r"(?<!\d)\d{6}(?!\d)")
_CODES = re.compile(r"(?i)\b(?:sms|otp|m?tan|2fa|(?:pass|one[- ]time |security |verification )?codes?|code sms)\b")


def _begun(text: str) -> frozenset[str]:
    """What a turn begins to tell and may not have ended: a code or an address behind its noun, as its last words."""
    return frozenset(entity for entity, pattern in _BEGUN_PATTERNS.items() if pattern.search(text))


_LEADING = re.compile(r"(?i)\W*(?:(?:and|then|so|und|dann|et|puis|y|e|poi|en|dan) ){0,2}[+(]?[\w@./-]*[\d@]")


def _bare(text: str) -> bool:
    """Whether a text is little more than a code: few words, or a code and what is said behind it."""
    if len(text) > 60 or re.search(r"\d|@", text) is None:
        return False
    return len(text.split()) <= 6 or (len(text.split()) <= 10 and _LEADING.match(text) is not None)


_NUMBERS = ("ORDER_NUMBER", "TRACKING", "CUSTOMER_NUMBER", "TICKET_NUMBER", "PASSPORT", "NATIONAL_ID", "IBAN", "CARD",
            "BANK_CODE", "NUMBER_PLATE", "PHONE", "POSTCODE", "SECRET", "ID_NUMBER")  # fmt: skip


def find(text: Folded, asked: frozenset[str], allowed: frozenset[str]) -> list[Span]:
    """What is personal in a text because a turn before asked for it."""
    spans: list[Span] = []
    if asked & {"ADDRESS", "POSTCODE"}:
        found = addresses.find(text, asked="ADDRESS" in asked, towns=True)
        spans += addresses.completed(text.text, found) if "ADDRESS" in asked else found
    count = len(text.text.split())
    if "DATE_OF_BIRTH" in asked:
        spans += [Span(*match.span(), "DATE_OF_BIRTH", 0.95) for match in _DATE.finditer(text.text)]
    if count > _SHORT:
        return spans
    entity = next((n for n in _QUESTIONS if n in asked and n in _NUMBERS), "")
    if entity and text.has_digit:
        spans += _codes(text.text, entity, bare=_bare(text.text))
    if entity == "SECRET":
        spans += [
            Span(*match.span(), "SECRET", 0.65)
            for match in re.finditer(r"(?=[^\s]*[\d#$%&*_])[^\s<>]{3,}(?<![.,;!?])", text.text)
            if not _QUANTITY.match(text.text, match.end())
        ]
    if "EMAIL" in asked:
        spans += _mailbox(text.text, count)
    if "USERNAME" in asked:
        spans += [
            Span(*match.span(), "USERNAME", 0.65)
            for match in _LOGIN.finditer(text.text)
            if match[0].lower() not in names.COMMON_WORDS and (re.search(r"[\d._]", match[0]) or count <= 3)
        ]
    if "PERSON" in asked:
        spans += names.in_reply(text.text, allowed)
    return spans


def _codes(text: str, entity: str, *, bare: bool) -> list[Span]:
    dates = [match.span() for match in _DATE.finditer(text)]
    places = [match.span() for match in _CODE.finditer(text)]
    if bare:
        # A half is short, and may hold hardly a digit: "ORD-4", "07".
        places += [
            match.span()
            for match in _PART.finditer(text)
            if re.search(r"\d", match[0])
            and (len(match[0]) > 2 or len(text.split()) <= 2 or entity == "PHONE")
            and not _QUANTITY.match(text, match.end())
            and (entity == "PHONE" or not re.fullmatch(r"\d+[.,]\d{1,2}", match[0]))
        ]
    if bare and entity == "NUMBER_PLATE":
        places += [
            m.span()
            for m in re.finditer(r"(?i)\b[A-Z0-9]{1,7}(?:[ -][A-Z0-9]{1,5}){0,2}\b", text)
            if re.search(r"\d", m[0])
        ]
    if entity == "NUMBER_PLATE":
        # A plate holds letters: "the 2019 one" is none.
        places = [
            (start, end)
            for start, end in places
            if re.search(r"[^\W\d_]", text[start:end])
            and not any(word.lower() in names.COMMON_WORDS for word in re.findall(r"[^\W\d_]{2,}", text[start:end]))
        ]
    return [
        Span(start, end, entity, ASKED)
        for start, end in places
        if not any(first < end and start < last for first, last in dates)
    ]


_QUANTITY = re.compile(
    r"(?i) ?(?:%|€|euros?|eur|usd|dollars?|pounds?|lamps?|items?|pieces?|times|days?|weeks?|hours?|minutes?|of|x)\b"
)


def _mailbox(text: str, count: int) -> list[Span]:
    """A part of an address: with its sign, a dot or a digit; or the one odd word of a short answer."""
    found = []
    for match in re.finditer(r"[\w.+-]*@[\w.-]*|(?<![\w@])[\w+-]+(?:[._][\w-]+)+|[^\W\d_]{2,}\d+", text):
        value = match[0].rstrip(".")
        if len(value) > 2:
            found.append(Span(match.start(), match.start() + len(value), "EMAIL", ASKED))
    if not found and count <= 3:
        found = [
            Span(word.start, word.end, "EMAIL", 0.64) for word in names.words(text) if not ordinary(word.text.lower())
        ]
    return found
