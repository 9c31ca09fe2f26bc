"""A question makes the answer's number, name or address personal: every kind of question, in every language."""

import re

import pytest

from llmops_assets.lib.redaction import Redactor, replies
from llmops_assets.lib.redaction.spans import fold


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(names=False, allow=["lumora"])


ASKED = {
    "ORDER_NUMBER": (
        "A-482",
        "What is your order number?; Can you give me the number of your order?"
        "; the number of the order, please; Ihre Bestellnummer?; Auftragsnummer?"
        "; votre commande numéro?; su pedido número?; l'ordine numero?"
        "; uw bestelnummer?; zamówienie numer?; numer zamówienia?",
    ),
    "TRACKING": (
        "A-482",
        "What is the tracking number?; parcel no.?; shipment id?; Sendungsnummer?; suivi numéro?; seguimiento número?"
        "; track and trace?",
    ),
    "CUSTOMER_NUMBER": (
        "A-482",
        "Your customer number, please; your account number?; membership id?; contract number?; policy number?"
        "; Kundennummer?; klantnummer?; numéro de client?; número de cliente?; codice cliente?",
    ),
    "TICKET_NUMBER": (
        "A-482",
        "Do you have a ticket number?; the case number?; your reference number?; booking reference?; invoice number?"
        "; Ticketnummer?; Vorgangsnummer?",
    ),
    "EMAIL": (
        "lampfanny",
        "Your e-mail?; which mail address?; Ihre Mailadresse?; su correo?; votre adresse mail?; il suo indirizzo mail?",
    ),
    "IBAN": (
        "4821-77",
        "Your IBAN?; which bank account?; Kontonummer?; Ihre Bankverbindung?; su cuenta bancaria?; rekeningnummer?",
    ),
    "CARD": (
        "4821",
        "Your card number?; the last digits of your card?; Kartennummer?; le numéro de carte?; número de tarjeta?",
    ),
    "SECRET": (
        "4821",
        "The security code?; your PIN?; which password?; the code that we sent?; I have sent you a code."
        "; which digits did you get by text?; Ihr Passwort?; votre mot de passe?; su contraseña?",
    ),
    "NUMBER_PLATE": (
        "LMP 482",
        "Your number plate?; the registration number?; Ihr Kennzeichen?; l'immatriculation?; la matrícula?; kenteken?",
    ),
    "BANK_CODE": ("20-48", "Your sort code?; the routing number?; Ihre BLZ?; which BIC?"),
    "PASSPORT": ("C482", "Your passport?; Reisepass?; passeport?; pasaporte?; passaporto?; paspoort?; paszport?"),
    "NATIONAL_ID": (
        "482-13",
        "Your social security number?; ssn?; national insurance?; id card?; driving licence?; DNI?; PESEL?; BSN?"
        "; codice fiscale?; Ausweis?",
    ),
    "PHONE": (
        "482-13",
        "Your phone number?; How can we reach you?; mobile?; a callback number?; Telefonnummer?; Handynummer?"
        "; Rufnummer?; numéro de téléphone?; teléfono?; telefono?; telefoonnummer?; numer telefonu?; the best number?",
    ),
    "POSTCODE": (
        "482-13",
        "Your post code?; postcode?; zip?; postal code?; Postleitzahl?; PLZ?; code postal?; código postal?; CAP?",
    ),
    "DATE_OF_BIRTH": (
        "12.05.2004",
        "Your date of birth?; the day of birth?; DOB?; birthday?; when were you born?; Geburtsdatum?"
        "; date de naissance?; fecha de nacimiento?; data di nascita?; geboortedatum?; data urodzenia?",
    ),
    "ADDRESS": (
        "14 osmelin, pelgro",
        "What is your address?; the delivery address?; Where should we send it?; where do you live?; Ihre Adresse?"
        "; Anschrift?; dirección?; indirizzo?; adres?",
    ),
    "USERNAME": (
        "lampfan",
        "Your user name?; username?; user id?; login?; your handle?; nickname?; screen name?; Benutzername?"
        "; identifiant?; usuario?; gebruikersnaam?; nome utente?",
    ),
    "PERSON": (
        "tavrik osmelin",
        "What is your name?; the full name, please; Who am I speaking with?; whose name?; the name on the order?"
        "; Ihr Name?; votre nom?; su nombre?; il suo nome?; uw naam?; imię?; nazwisko?; who is the account holder?"
        "; Whom am I talking to?; Who is this?; May I know who I am chatting with?; How may I address you?"
        "; What should we call you?; Mit wem spreche ich?; Wie heißen Sie?; À qui ai-je l'honneur?; ¿Con quién hablo?"
        "; Con chi parlo?; Hoe heet u?",
    ),
    "ID_NUMBER": (
        "A-482",
        "Your meter number, please; the patient id?; Ihre Zählernummer?; your loyalty code?"
        "; the number on your contract?; the number of the permit, please",
    ),
}


@pytest.mark.parametrize(
    "question",
    ["Which error code do you see?", "What is the article number?", "the model number, please", "your voucher code?",
     "Which version number is shown?", "Can you tell me the number of lamps?", "What floor number?"],
)  # fmt: skip
def test_a_number_of_a_thing_is_nobodys(redactor, question):
    assert redactor.redact([question, "E-482"])[1] == "E-482"


def test_every_question_that_is_known_is_asked_here():
    assert set(ASKED) == set(replies._QUESTIONS)


@pytest.mark.parametrize("entity", ASKED)
def test_an_answer_to_a_question_is_what_was_asked_for(redactor, entity):
    value, questions = ASKED[entity]
    for question in questions.split("; "):
        assert redactor.redact([question, value]) == [question, f"<{entity}_1>"], question
        assert replies.asked_for(fold(question)) >= {entity}
        # Without the question, or with a turn between them, it is a text like any other.
        assert redactor.redact([value]) == redactor.redact(["Good day.", value])[1:] == [value]


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("What is your order number?", "I do not have it"),
        ("What is your order number?", "I ordered 12 lamps for 49.90"),
        ("What is your order number?", "it came on 12.05.2024"),
        ("What is your order number?", "it is somewhere between the 482 of them that my wife put into the big box"),
        ("We count order numbers.", "A-482"),
        ("What is your name?", "why do you want that?"),
        ("What is your name?", "lumora"),
        ("What is your address?", "I will send it to you in 3 days, sorry"),
        ("What is your user name?", "i do not know that any more"),
        ("What is your date of birth?", "in the month of May"),
    ],
)
def test_a_reply_that_gives_nothing_stays(redactor, question, reply):
    assert redactor.redact([question, reply]) == [question, reply]


def test_a_reply_holds_its_date_and_address_at_any_length_and_its_name_among_words(redactor):
    long = "sure, no problem at all, here it is as you asked me for it before:"
    assert redactor.redact(["Your date of birth?", f"{long} 12.05.2004"])[1] == f"{long} <DATE_OF_BIRTH_1>"
    assert redactor.redact(["Your name?", "it is tavrik osmelin, thanks"])[1] == "it is <PERSON_1>, thanks"
    # A number is the first thing asked for; a day is none.
    both = redactor.redact(["Your order number and phone number, please?", "A-482 of 12.05.2024"])
    assert both[1] == "<ORDER_NUMBER_1> of 12.05.2024"


@pytest.mark.parametrize(
    ("conversation", "redacted"),
    [
        (["Your phone number?", "0482", "And the rest?", "137 71"], ["<PHONE_1>", "<PHONE_2>"]),
        (["Your order number?", "it begins with LM-4", "and then?", "82137"], ["<ORDER_NUMBER_1>", "<ORDER_NUMBER_2>"]),
        (["Your e-mail?", "lampfan.k4", "What comes behind the sign?", "@post.example"], ["<EMAIL_1>", "<EMAIL_2>"]),
        (["Your IBAN?", "NL91 ABNA", "That is only half of it.", "0417 1643 00"], ["<IBAN_1>", "<IBAN_2>"]),
        # Two messages in a row.
        (["Your phone number?", "0482", "13 77 10"], ["<PHONE_1>", "<PHONE_2>"]),
    ],
)
def test_a_value_in_two_halves_is_one_in_both(redactor, conversation, redacted):
    masked = [text for text in redactor.redact(conversation) if text not in conversation]
    assert [re.findall(r"<[A-Z_0-9]+>", text) for text in masked] == [[text] for text in redacted]


@pytest.mark.parametrize("reply", ["47065 lyon", "flat 2, kestrel court"])
def test_a_reply_is_an_address_by_what_a_sentence_would_not_be_one_by(redactor, reply):
    assert redactor.redact(["Where shall we deliver it to?", reply])[1] == "<ADDRESS_1>"
    assert redactor.redact(["It did not light up.", reply])[1] != "<ADDRESS_1>"


def test_what_was_asked_is_forgotten_when_something_else_is_spoken_of(redactor):
    conversation = ["Your order number?", "LM-482", "Thank you. The lamp has a warranty.", "How long, 24 or 36 months?"]
    assert redactor.redact(conversation)[2:] == conversation[2:]
