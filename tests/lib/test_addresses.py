"""Addresses as people of several countries write them, behind cues in their languages, and what only looks alike."""

import re

import pytest

from llmops_assets.lib.redaction import Redactor


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(names=False)


WRITTEN = {
    "en": "we know [14 Maple Street]; we know [14 osmelin lane, pelgro]"
    "; we know [14b Sycamore Avenue, Leeds LS1 4AP]; we know [Flat 3, 21 Mill Lane]"
    "; we know [221 W 43rd St, Tucson, AZ 85701]; we know [PO Box 4821, Akron 44301]",
    "de": "es ist [Lindenstraße 12]; es ist [Lindenstr. 12, 28195 Bremen]; es ist [Am Mühlbach 7, 93047 Regensburg]",
    "fr": "voilà [12 rue des Tilleuls, 69002 Lyon]; voilà [8 avenue Victor Hugo]",
    "es": "aquí [Calle de la Luna 12, 41001 Sevilla]; aquí [Avenida del Mar 7]",
    "it": "ecco [Via Garibaldi 12, 10122 Torino]; ecco [Piazza del Popolo 7]",
    "nl": "daar [Prinsengracht 263, 1016 GV Amsterdam]; daar [Dorpsstraat 12]",
    "pl": "tam [ul. Kwiatowa 12, 30-001 Kraków]; tam [al. Jerozolimskie 7]",
    "pt": "ali [Rua Augusta 12, 1100-048 Lisboa]; ali [Travessa do Mar 7]",
    # Streets that begin as a month does, beside a postcode that looks like a year.
    "months": "daar [Julianalaan 12, 2028 BC Delft]; dort [Marktplatz 3, 1010 Wien]; dort [Augustengasse 4, 1970 Wien]",
    "others": "der [Storgata 12, 0155 Oslo]; dort [Kossuth utca 7, 1055 Budapest]; by [12 Gandhi Marg, Delhi 110001]",
    "lines": "we know [14 Maple Street\nLeeds LS1 4AP]",
}
CUED = {
    "en": "I live at [14 Osmelin, Leeds]; I moved to [14 Osmelin, Leeds]"
    "; ship it to [14 Osmelin, Leeds]; I am based in [14 Osmelin, Leeds]"
    "; return it to my home at [14 Osmelin, Leeds]",
    "de": "meine Adresse ist [Osmelin 14, Bremen]; ich wohne in [Osmelin 14, Bremen]",
    "fr": "mon adresse est [14 Osmelin, Lyon]; j'habite au [14 Osmelin, Lyon]",
    "es": "mi dirección es [Osmelin 14, Sevilla]; vivo en [Osmelin 14, Sevilla]",
    "it": "il mio indirizzo è [Osmelin 14, Torino]; abito in [Osmelin 14, Torino]",
    "nl": "mijn adres is [Osmelin 14, Utrecht]; ik woon op [Osmelin 14, Utrecht]",
    "pl": "mój adres: [Osmelin 14, Kraków]; mieszkam przy [Osmelin 14, Kraków]",
    "pt": "a minha morada é [Osmelin 14, Lisboa]",
}


@pytest.mark.parametrize("language", WRITTEN)
def test_an_address_is_one_by_its_street_or_its_postcode(redactor, language):
    for text in WRITTEN[language].split("; "):
        before, value, after = re.split(r"[\[\]]", text)
        assert redactor.redact([before + value + after]) == [f"{before}<ADDRESS_1>{after}"]


@pytest.mark.parametrize("language", CUED)
def test_less_is_asked_of_an_address_behind_a_cue(redactor, language):
    for text in CUED[language].split("; "):
        before, value, after = re.split(r"[\[\]]", text)
        assert redactor.redact([before + value + after]) == [f"{before}<ADDRESS_1>{after}"]
        assert redactor.redact([f"there were {value}"]) == [f"there were {value}"]


@pytest.mark.parametrize(
    "text",
    [
        "I ordered 2 Halo Mini and 3 Halo Ultra.",
        "The Street of Lamps is a book.",
        "My street is dark, 12 lamps are not enough.",
        "It comes on 12 May 2024, at 10:30, for 49.90 euros.",
        "Send it to me in 3 days, please.",
        "The address is wrong 2 times.",
        "Our 3 shops are in Leeds, Norwich and Exeter.",
    ],
)
def test_numbers_and_capital_words_are_no_address(redactor, text):
    assert redactor.redact([text]) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "The shade I ordered is torn, please send the new one to [14 Maple Street, Leeds] tomorrow.",
        "A shade is torn, please send the new one to [14 Maple Street, Leeds] tomorrow.",
        "The courier was at the wrong door, I live at [14 Maple Street].",
        "I live at [14 Maple Street], my mother at [21 Mill Lane, Leeds] and the shop is at [3 Rose Road, York].",
        "We move from [Lindenstraße 12, 28195 Bremen] to [12 rue des Tilleuls, 69002 Lyon] in March.",
        "deliver it to [14 maple street, leeds ls1 4ap] please, ring twice",
        "MY ADDRESS IS [14 MAPLE STREET, LEEDS] AND NOT THE SHOP",
        "we live in [Leeds LS1 4AP] now",
        "Mi domicilio: [Calle Mayor 12, 28013 Madrid]. Muchas gracias, adiós",
        "Ship it to [12 Mill Lane, 9000 St. Gallen]. Thanks, bye",
        "bitte an [lindenstraße 12, 28195 bremen] schicken",
    ],
)
def test_an_address_never_takes_its_sentence_with_it(redactor, text):
    numbers = iter(range(1, 9))
    masked = re.sub(r"\[[^]]*\]", lambda _: f"<ADDRESS_{next(numbers)}>", text)
    assert redactor.redact([re.sub(r"[\[\]]", "", text)]) == [masked]


@pytest.mark.parametrize(
    "text",
    [
        "It costs 2 345 000 JPY, 20 000 - 30 000 km are usual.",
        "it took 25 minutes drive and 4 more ways",
        "the 5 star place is 12 months old",
        "The shade covers 120 square feet, the shelf in Row F 1 and 2.",
        "Maple Court on 12 June, Mill House on the 19th.",
        "The bridge on Mill Rd 3.2 m is low, the van came at 5 h 50 rue Pasteur.",
        "Error 28195 Display dark, 2500 EUR and 1200 KW.",
    ],
)
def test_amounts_and_distances_are_no_address(redactor, text):
    assert redactor.redact([text]) == [text]
