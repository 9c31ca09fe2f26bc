import pytest

from llmops_assets.lib.answering.tongues import tongue


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wie lange habe ich Garantie auf den Schirm?", "de"),
        ("wo kann ich euch erreichen", "de"),
        ("Combien de temps ai-je pour rendre un article ?", "fr"),
        ("¿Dónde está la tienda?", "es"),
        ("cuánto cuesta el envío a casa", "es"),
        ("Hoe lang duurt het voor de lamp er is?", "nl"),
        ("Quanto costa la spedizione e quando arriva?", "it"),
        ("ile kosztuje dostawa i jak długo to trwa", "pl"),
        ("Сколько стоит доставка?", "ru"),
        ("配送にはどのくらいかかりますか", "ja"),
    ],
)
def test_another_language_is_told(text, language):
    assert tongue(text, "en") == language


@pytest.mark.parametrize(
    "text",
    [
        "How long is the guarantee on a shade?",
        "hwo lnog si teh guarntee",
        "wehn wil ti ariv",
        "refund",
        "Zigbee hub?",
        "do you sell crème brûlée torches",
        "my invoice is for Café Müller",
        "ok",
        "",
        "👍",
        "12:30 - 14:00",
    ],
)
def test_a_short_or_misspelt_text_stays_in_the_assistants_language(text):
    assert tongue(text, "en") == "en"


def test_english_is_another_language_to_an_assistant_that_speaks_another():
    assert tongue("How long does the delivery take?", "de") == "en"
    assert tongue("Wie lange dauert die Lieferung?", "de") == "de"


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Kan jag få en ny lampa i den här färgen?", "sv"),
        ("Hur kan man få en faktura om det är en gåva?", "sv"),
        ("Bu ne kadar, o da var m\u0131?", "tr"),
    ],
)
def test_an_assistant_of_a_language_without_a_list_reads_its_own(text, own):
    assert tongue(text, own) == own
    assert tongue(text, "") == own
