"""What the assistant says that is no answer: in the customer's language, or as the use case words it."""

from collections.abc import Mapping
from typing import Literal, get_args

Kind = Literal["greeting", "thanks", "goodbye", "nod", "sorry", "person", "own_case", "refusal", "handover", "notice"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Wordings = Mapping[str, Mapping[str, str]]
"""Language (two letters) to kind to text."""
BUILT_IN: dict[str, dict[Kind, str]] = {
    "en": {
        "greeting": "Hello! What can I help you with?",
        "thanks": "You are welcome! Is there anything else?",
        "goodbye": "Goodbye, and take care!",
        "nod": "All right. Just ask if you need anything else.",
        "sorry": "I am sorry about that. Please tell me what happened, so that I can help or bring in a colleague.",
        "person": "Of course.",
        "own_case": "I cannot look into orders, payments or accounts from here.",
        "refusal": "I cannot help with that.",
        "handover": "I am handing you over to a colleague who will help you.",
        "notice": "You are chatting with an automated assistant.",
    },
    "de": {
        "greeting": "Hallo! Womit kann ich Ihnen helfen?",
        "thanks": "Gern geschehen! Kann ich noch etwas für Sie tun?",
        "goodbye": "Auf Wiedersehen und alles Gute!",
        "nod": "In Ordnung. Fragen Sie gern, wenn Sie noch etwas brauchen.",
        "sorry": "Das tut mir leid. Bitte erzählen Sie, was passiert ist, dann helfe ich oder hole jemanden dazu.",
        "person": "Natürlich.",
        "own_case": "Bestellungen, Zahlungen und Konten kann ich von hier aus nicht einsehen.",
        "refusal": "Dabei kann ich nicht helfen.",
        "handover": "Ich übergebe an eine Kollegin oder einen Kollegen, die Ihnen weiterhelfen.",
        "notice": "Sie schreiben mit einem automatischen Assistenten.",
    },
    "fr": {
        "greeting": "Bonjour ! En quoi puis-je vous aider ?",
        "thanks": "Avec plaisir ! Puis-je faire autre chose pour vous ?",
        "goodbye": "Au revoir et bonne continuation !",
        "nod": "Très bien. N'hésitez pas si vous avez besoin d'autre chose.",
        "sorry": "J'en suis désolé. Dites-moi ce qui s'est passé, je vous aiderai ou je ferai venir quelqu'un.",
        "person": "Bien sûr.",
        "own_case": "Je n'ai pas accès aux commandes, aux paiements ni aux comptes.",
        "refusal": "Je ne peux pas vous aider sur ce point.",
        "handover": "Je vous transmets à un collègue qui vous aidera.",
        "notice": "Vous échangez avec un assistant automatique.",
    },
    "es": {
        "greeting": "¡Hola! ¿En qué puedo ayudarle?",
        "thanks": "¡De nada! ¿Puedo hacer algo más por usted?",
        "goodbye": "¡Adiós y que le vaya bien!",
        "nod": "De acuerdo. Pregunte si necesita algo más.",
        "sorry": "Lo siento. Cuénteme qué ha pasado y le ayudaré o llamaré a alguien.",
        "person": "Por supuesto.",
        "own_case": "Desde aquí no puedo consultar pedidos, pagos ni cuentas.",
        "refusal": "No puedo ayudarle con eso.",
        "handover": "Le paso con un compañero que le ayudará.",
        "notice": "Está hablando con un asistente automático.",
    },
    "nl": {
        "greeting": "Hallo! Waarmee kan ik u helpen?",
        "thanks": "Graag gedaan! Kan ik nog iets voor u doen?",
        "goodbye": "Tot ziens!",
        "nod": "Prima. Vraag gerust als u nog iets nodig hebt.",
        "sorry": "Dat spijt me. Vertel me wat er is gebeurd, dan help ik u of haal ik er iemand bij.",
        "person": "Natuurlijk.",
        "own_case": "Ik kan van hieruit geen bestellingen, betalingen of accounts inzien.",
        "refusal": "Daar kan ik niet bij helpen.",
        "handover": "Ik geef u door aan een collega die u verder helpt.",
        "notice": "U chat met een automatische assistent.",
    },
    "it": {
        "handover": "La passo a un collega che potrà aiutarla.",
        "notice": "Sta parlando con un assistente automatico.",
    },
    "pt": {
        "handover": "Vou passar a um colega que o ajudará.",
        "notice": "Está a falar com um assistente automático.",
    },
    "pl": {
        "handover": "Przekazuję rozmowę koledze, który Państwu pomoże.",
        "notice": "Rozmawiają Państwo z automatycznym asystentem.",
    },
}


def knows(kind: Kind, language: str, own: Wordings) -> bool:
    """Whether a text of a kind is known in a language itself."""
    return any(known.get(language, {}).get(kind) for known in (own, BUILT_IN))


def wording(kind: Kind, language: str, own: Wordings, default: str) -> str:
    """What is said, in `language` where it is known in it, else in the `default` language, else in English.

    A use case's `own` text in a language comes before the built-in one.
    """
    for code in dict.fromkeys((language, default, "en")):
        for known in (own, BUILT_IN):
            if text := known.get(code, {}).get(kind):
                return text
    raise KeyError(kind)
