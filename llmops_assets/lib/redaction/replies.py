"""What one turn of a conversation gives away about the next: a question for a number makes any number its answer."""

import re

from llmops_assets.lib.redaction import addresses, names
from llmops_assets.lib.redaction.identifiers import DATE
from llmops_assets.lib.redaction.spans import Folded, Span

_NUMBER = r"(?:number|no\.?|nr\.?|id|code|reference|nummer|numéro|número|numero|numer)"
_QUESTIONS = {
    "ORDER_NUMBER": rf"\b(?:order|purchase|commande|pedido|ordine|zamówieni\w+) ?{_NUMBER}"
    rf"|{_NUMBER} (?:of|for|de|del|der) (?:your|the|votre|su|tu|la)? ?(?:order|commande|pedido)"
    r"|bestell?(?:ing)?-?nummer|auftragsnummer|numer zamówienia",
    "TRACKING": rf"\b(?:tracking|parcel|shipment|suivi|seguimiento) ?{_NUMBER}|sendungsnummer|track (?:and|&) trace",
    "CUSTOMER_NUMBER": rf"\b(?:customer|account|client|member(?:ship)?|contract|policy) ?{_NUMBER}"
    r"|kundennummer|klantnummer|numéro (?:de )?client|número de cliente|codice cliente",
    "TICKET_NUMBER": rf"\b(?:ticket|case|reference|ref|incident|booking|invoice|confirmation) ?{_NUMBER}|ticketnummer"
    r"|vorgangsnummer",
    "PASSPORT": r"\bpassport|reisepass|passeport|pasaporte|passaporto|paspoort|paszport",
    "NATIONAL_ID": r"social security|\bssn\b|national (?:id|insurance)|\bid (?:card|number)|driv\w+ licen[cs]e|\bdni\b"
    r"|\bpesel\b|\bbsn\b|codice fiscale|ausweis",
    "PHONE": r"\b(?:phone|mobile|telephone|cell|contact|callback|call ?back|reach) ?(?:number|you)?\b|telefonnummer"
    r"|handynummer|rufnummer|numéro de téléphone|teléfono|telefono|telefoonnummer|numer telefonu|best number",
    "POSTCODE": r"\b(?:post ?code|zip|postal code)|postleitzahl|\bplz\b|code postal|código postal|\bcap\b",
    "DATE_OF_BIRTH": r"(?:date of|day of) birth|\bdob\b|birth ?(?:date|day)|were you born|geburtsdatum"
    r"|date de naissance|fecha de nacimiento|data di nascita|geboortedatum|data urodzenia",
    "ADDRESS": r"\b(?:(?:delivery|shipping|billing|home|postal|new|full|current|street|your) address|address\b"
    r"|where (?:do|should|shall|can|would) (?:you|we|i)\b[^?]*\b(?:live|send|ship|deliver))|adresse|anschrift"
    r"|dirección|indirizzo|\badres\b",
    "USERNAME": r"\b(?:user ?name|user ?id|login|handle|nick(?:name)?|screen name)|benutzername|identifiant|usuario"
    r"|gebruikersnaam|nome utente",
    "PERSON": r"\b(?:your|the|full|first|last|sur|family|account|legal) ?names?\b"
    r"|who am i (?:speaking|talking|chatting)|whose name|what(?:'s| is) (?:the|your) name|name on (?:the|your)"
    r"|(?:ihr|dein|ihren|deinen"
    r"|vollständige\w*) name|votre nom|su nombre|tu nombre|(?:il )?(?:suo|tuo) nome|(?:uw|je) naam|imię"
    r"|nazwisko|may i have (?:your|the) name|account holder",
}
_PATTERNS = {entity: re.compile(f"(?i){pattern}") for entity, pattern in _QUESTIONS.items()}
_ASKS = re.compile(
    r"(?i)\?|\b(?:please|could you|can you|may i|can i|need|require|provide|confirm|tell|give|share|enter|send"
    r"|type|state|bitte|veuillez"
    r"|por favor|per favore|graag|proszę)\b"
)
_CODE = re.compile(
    r"(?<![\w.,/-])#?(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d)[A-Za-z0-9][A-Za-z0-9/_-]{2,24}(?:[ -]\d{2,6}){0,5}(?![\w]|[.,]\d)"
)
_DATE = re.compile(rf"(?i)(?<!\d){DATE}")
_LOGIN = re.compile(r"(?<![\w@.])[A-Za-z][\w.-]{2,40}(?<![.-])")
_SHORT = 12
"""A reply of more words is read like any other text, but for its address."""


def asked_for(text: Folded) -> frozenset[str]:
    """Entities that a turn asks for."""
    if _ASKS.search(text.text) is None:
        return frozenset()
    return frozenset(entity for entity, pattern in _PATTERNS.items() if pattern.search(text.text))


def find(text: Folded, asked: frozenset[str], allowed: frozenset[str]) -> list[Span]:
    """What is personal in a text because the turn before asked for it."""
    spans: list[Span] = []
    if asked & {"ADDRESS", "POSTCODE"}:
        spans += addresses.find(text, asked="ADDRESS" in asked, towns=True)
    count = len(text.text.split())
    if "DATE_OF_BIRTH" in asked:
        spans += [Span(*match.span(), "DATE_OF_BIRTH", 0.95) for match in _DATE.finditer(text.text)]
    if count > _SHORT:
        return spans
    numbers = [entity for entity in _QUESTIONS if entity in asked and entity not in ("ADDRESS", "USERNAME", "PERSON")]
    if numbers and text.has_digit:
        dates = [match.span() for match in _DATE.finditer(text.text)]
        entity = next((n for n in numbers if n != "DATE_OF_BIRTH"), "")
        if entity:
            spans += [
                Span(*match.span(), entity, 0.65)
                for match in _CODE.finditer(text.text)
                if not any(start < match.end() and match.start() < end for start, end in dates)
            ]
    if "USERNAME" in asked:
        spans += [
            Span(*match.span(), "USERNAME", 0.65)
            for match in _LOGIN.finditer(text.text)
            if match[0].lower() not in names.COMMON_WORDS and (re.search(r"[\d._]", match[0]) or count <= 3)
        ]
    if "PERSON" in asked:
        spans += names.in_reply(text.text, allowed)
    return spans
