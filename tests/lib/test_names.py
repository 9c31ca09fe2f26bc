"""Names behind cues of every language, by common names, and what is no name; all without the language model."""

import re

import pytest

from llmops_assets.lib.redaction import Redactor, names
from llmops_assets.lib.redaction.spans import fold


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(names=False, allow=["lumora", "halo"])


# Tavrik and Osmelin are no common names: it is the cue that proves them.
CUES = {
    "my name": "my name is [Tavrik]; my full name was [Tavrik Osmelin]; I am called [Tavrik]; call me [Tavrik]"
    "; I go by [Tavrik]; the order is under the name of [Tavrik Osmelin]; for the attention of [Tavrik Osmelin]"
    "; account holder: [Tavrik Osmelin]; the recipient is [Tavrik Osmelin]; surname: [Osmelin]; name: [Osmelin]",
    "small letters": "my name is [tavrik osmelin]; my name is [tavrik], hello; i am [tom verbeek]; best, [tom]",
    "introduction": "I am [Tavrik Osmelin].; I'm [Tavrik], hello.; this is [Tavrik Osmelin].; it's me, [Tavrik].",
    "title": "Mr [Osmelin] called; Mrs. [Osmelin] called; Dr [Osmelin] called; Frau [Osmelin] rief; Herr [Osmelin] rief"
    "; Mme [Osmelin] attend; Señora [Osmelin] espera; Sra. [Osmelin] espera; Signor [Osmelin] aspetta"
    "; Mevrouw [Osmelin] wacht; Pani [Osmelin] czeka; Senhor [Osmelin] espera; Shri [Osmelin] waits",
    "relation": "my wife [Tavrik] called; our neighbour [Tavrik] has it; her colleague, [Tavrik], knows"
    "; mein Mann [Tavrik] wartet; meine Tochter [Tavrik] wartet; ma voisine [Tavrik] attend; mon mari [Tavrik] attend"
    "; mi hermana [Tavrik] espera; mia moglie [Tavrik] aspetta; mijn vrouw [Tavrik] wacht; moja żona [Tavrik] czeka",
    "greeting": "Hi [Tavrik], all is well; Dear [Tavrik Osmelin], hello; Hallo [Tavrik], gut; Liebe [Tavrik], gut"
    "; Bonjour [Tavrik], bien; Chère [Tavrik], bien; Hola [Tavrik], bien; Estimada [Tavrik], bien"
    "; Ciao [Tavrik], bene; Gentile [Tavrik], bene; Beste [Tavrik], goed; Cześć [Tavrik], dobrze; Olá [Tavrik], bem",
    "signature": "It broke. Regards, [Tavrik]; It broke. Kind regards,\n[Tavrik Osmelin]; It broke. Thanks!\n[Tavrik]"
    "; Es ist kaputt. Mit freundlichen Grüßen\n[Tavrik]; Es ist kaputt. MfG, [Tavrik]"
    "; C'est cassé. Cordialement,\n[Tavrik]; Está roto. Un saludo, [Tavrik]; È rotto. Cordiali saluti,\n[Tavrik]"
    "; Het is stuk. Met vriendelijke groet, [Tavrik]; Nie działa. Pozdrawiam, [Tavrik]; Partiu. Obrigada, [Tavrik]",
    "who to ask for": "chieda di [Tavrik Osmelin].; que me llame [Tavrik Osmelin].; fragen Sie nach [Tavrik Osmelin]."
    "; vraag naar [Tavrik Osmelin].; tu mówi [Tavrik Osmelin].",
    "de": "mein Name ist [Tavrik]; ich heiße [Tavrik]; auf den Namen [Tavrik]; ich bin [Tavrik], hallo"
    "; hier spricht [Tavrik Osmelin]",
    "fr": "je m'appelle [Tavrik]; mon nom est [Tavrik]; au nom de [Tavrik Osmelin]; je suis [Tavrik Osmelin]",
    "es": "me llamo [Tavrik]; mi nombre es [Tavrik]; a nombre de [Tavrik Osmelin]; soy [Tavrik Osmelin]",
    "it": "mi chiamo [Tavrik]; il mio nome è [Tavrik]; intestato a [Tavrik Osmelin]; sono [Tavrik Osmelin]",
    "nl": "mijn naam is [Tavrik]; ik heet [Tavrik]; op naam van [Tavrik Osmelin]; ik ben [Tavrik Osmelin]",
    "pl": "nazywam się [Tavrik]; mam na imię [Tavrik]; jestem [Tavrik Osmelin]",
    "pt": "meu nome é [Tavrik]; chamo-me [Tavrik]; em nome de [Tavrik Osmelin]; sou o [Tavrik Osmelin]",
    "weak cue": "I spoke to [Julia] today; it was signed by [Tavrik Walker] today; a parcel for [Julia Osmelin] came",
    "common": "Yesterday [Julia Osmelin] was here; [Anna-Lena] was here; [Łukasz] was here; [Søren] was here",
    "form": "my name is [J. R. Osmelin]; my name is [Tavrik van den Osmelin]; my name is [Jean-Tavrik O'Smelin]"
    "; I am [Anna-Tavrik d'Osmelin]."
    "; my name is [TAVRIK OSMELIN]; my name is [Tavrik Osmelin]'s",
}


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_gives_away_a_name_and_nothing_beside_it(redactor, cue):
    for text in CUES[cue].split("; "):
        before, value, after = re.split(r"[\[\]]", text)
        assert redactor.redact([before + value + after]) == [f"{before}<PERSON_1>{after}"]


@pytest.mark.parametrize(
    "text",
    [
        "I am waiting. I'm sure. This is broken. It is late. I am German.",
        "My name is on the parcel. The product name: Halo. My username is wrong.",
        "Hi there, good morning. Thanks. Please help. Dear Sir or Madam, hello team.",
        "Is the Halo from Lumora safe? I am Lumora's customer.",
        "Kind regards",
        "Hello LED lamps are dark. Thanks! Broken again.",
        "Hello Broken again",
        "The lamp is in Summer colours, and in May it will rain.",
        "Will it come on Monday? The driver came, my wife was out.",
        "Ich bin zufrieden. Je suis content. Estoy en casa. Sono qui. Ik ben thuis. Jestem w domu.",
        "Miss it not. An SR 12 lamp is good.",
    ],
)
def test_ordinary_words_behind_cues_are_no_names(redactor, text):
    assert redactor.redact([text]) == [text]


@pytest.mark.parametrize(
    ("text", "guess", "names_"),
    [
        ("We met Tavrik Osmelin there", "Tavrik Osmelin", ["Tavrik Osmelin"]),
        ("Hello Tavrik Osmelin", "Hello Tavrik Osmelin", ["Tavrik Osmelin"]),
        ("We met Tavrik Osmelin Monday", "Tavrik Osmelin Monday", ["Tavrik Osmelin"]),
        ("We met Tavrik there", "Tavrik", ["Tavrik"]),
        ("Tavrik there", "Tavrik", []),
        ("Julia there", "Julia", ["Julia"]),
        ("We met TAVRIK there", "TAVRIK", []),
        ("We took Tavrik 3000 there", "Tavrik 3000", []),
        ("We met Tavrik from Osmelin", "Tavrik from Osmelin", []),
        ("We met Tavrik van Osmelin", "Tavrik van Osmelin", ["Tavrik van Osmelin"]),
        ("We took the Halo there", "Halo", []),
        ("Monday there", "Monday", []),
    ],
)
def test_of_what_the_language_model_finds_only_a_name_stays(text, guess, names_):
    start = text.index(guess)
    spans = names.plausible(text, start, start + len(guess), {"halo"})
    assert [text[s.start : s.end] for s in spans] == names_
    assert not spans or names.candidates(text, {"halo"}, [])


def test_a_model_of_another_language_needs_a_known_name_for_one_word():
    assert names.plausible("Es war Tavrik hier", 7, 13, (), native=False) == []
    assert len(names.plausible("Es war Julia hier", 7, 12, (), native=False)) == 1
    long = "Es war Tavrik Osmelin Pelgro Dunsk hier"
    assert names.plausible(long, 7, 34, (), native=False) == []
    assert len(names.plausible(long, 7, 34, (), native=True)) == 1


def test_a_text_needs_the_model_only_when_a_word_outside_the_findings_can_be_a_name():
    assert not names.candidates("please send it to me", (), [])
    assert not names.candidates("Please send the Halo on Monday", {"halo"}, [])
    assert names.candidates("ask Tavrik please", (), [])
    assert not names.candidates("my name is Tavrik", (), names.find(fold("my name is Tavrik"), ()))


@pytest.mark.parametrize("text", ["Hello there,\nBoots are rented at the desk.", "Hi,\nBulbs are dear this year."])
def test_the_first_word_after_a_greeting_of_its_own_begins_a_sentence(text):
    assert Redactor(key=b"k" * 32, names=False).redact([text]) == [text]


def test_a_name_after_a_greeting_of_its_own_is_one():
    redact = Redactor(key=b"k" * 32, names=False).redact
    assert redact(["Hello,\nPriya, your lamp is ready."]) == ["Hello,\n<PERSON_1>, your lamp is ready."]
    assert redact(["Good morning,\nZdzisława!"]) == ["Good morning,\n<PERSON_1>!"]


def test_a_text_in_capitals_is_read_as_it_would_be_written_otherwise():
    assert names.recased("MY PARCEL IS BROKEN, ASK JULIA") == "my parcel is broken, ask Julia"
    assert names.recased("OK BYE") == "OK BYE"
    assert names.recased("My PARCEL is broken, ask Julia") == "My PARCEL is broken, ask Julia"
