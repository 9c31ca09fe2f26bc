"""What people write that is no question: greetings, thanks, goodbyes, a nod, a smile; and tests of the line.

Recognised by phrases, and only where nothing else is said: "thanks, and where is my order?" is a question. English,
German, French, Spanish, Dutch.
"""

import re
import unicodedata
from typing import Literal

from llmops_assets.lib.redaction.spans import PLACEHOLDER

Kind = Literal["greeting", "thanks", "goodbye", "nod", "machine"]
"""The last one asks whether a machine writes: people have a right to be told (EU AI Act, Article 50)."""

_PHRASES: dict[Kind, str] = {
    "greeting": r"""hi+ | hey+ | hello+ | helo | hullo | yo | greetings | good\ (?:morning|day|afternoon|evening)
        | (?:how\ are\ you|how\ do\ you\ do|how's\ it\ going|what's\ up)(?:\ (?:doing|today))?
        | (?:anyone|anybody|is\ (?:anyone|anybody|someone))\ (?:there|here) | are\ you\ there
        | hallo | servus | moin | guten\ (?:morgen|tag|abend) | grüß\ gott | wie\ geht\ es\ (?:ihnen|dir)
        | bonjour | bonsoir | salut | coucou | ça\ va | hola | buen(?:os|as)\ (?:d[ií]as|tardes|noches) | qué\ tal
        | goedemorgen | goedemiddag | goedenavond | dag""",
    "thanks": r"""(?:many\ |much\ |ok(?:ay)?\ )?(?:thanks?|thx|ty|tnx|cheers)
            (?:\ you|\ u|\ a\ lot|\ so\ much|\ very\ much|\ a\ (?:million|bunch|ton)|\ again)*
            (?:\ for\ (?:(?:your|the|all\ (?:your|the))\ )?
            (?:help(?:ing)?(?:\ me)?|time|answer|reply|support|info|information|everything))?
        | much\ appreciated | (?:i\ )?appreciate\ (?:it|that|your\ help) | that\ (?:helps|helped)(?:\ a\ lot|\ me)?
        | (?:vielen|besten|herzlichen)\ dank
        | danke(?:\ schön|\ sehr|\ dir|\ ihnen)?(?:\ für\ (?:die|ihre|deine)\ hilfe)?
        | merci(?:\ beaucoup|\ bien)?(?:\ (?:pour|de)\ votre\ aide)?
        | (?:muchas\ |mil\ )?gracias(?:\ por\ (?:su|tu|la)\ ayuda)?
        | (?:heel\ )?(?:dank\ (?:je|u)(?:\ wel)?|bedankt)(?:\ voor\ (?:je|uw|de)\ hulp)?""",
    "goodbye": r"""(?:good\ )?bye(?:\ bye|\ for\ now)? | see\ (?:you|ya)(?:\ later|\ soon)? | take\ care | cya
        | (?:have\ a|a)\ (?:nice|good|great|lovely)\ (?:day|one|evening|weekend|rest\ of\ the\ day)
        | (?:you\ too|same\ to\ you) | good\ night | that(?:'s|\ is|\ was|\ will\ be|'ll\ be)\ all(?:\ for\ now)?
        | tschüs+ | auf\ wiedersehen | (?:einen\ )?schönen\ (?:tag|abend)(?:\ noch)? | bis\ (?:bald|dann)
        | au\ revoir | bonne\ (?:journée|soirée) | à\ bientôt | adi[oó]s | hasta\ (?:luego|pronto)
        | que\ tenga\ un\ buen\ día | tot\ ziens | doei | fijne\ (?:dag|avond)(?:\ nog)?""",
    "nod": r"""ok(?:ay|ey|i)? | k+ | alright | all\ right | (?:all\ )?fine | sure | yes | yep | yeah | yup | no
        | nope | nah
        | (?:i\ )?(?:see|got\ it|understood|understand) | great | perfect | cool | nice | super | awesome | brilliant
        | wonderful | lovely | good | excellent | amazing | wow | lol | ha(?:ha)+ | oh | ah | hm+ | mhm | right
        | exactly | (?:that|it)\ (?:works|worked)(?:\ now)? | that's\ (?:great|good|fine|perfect|it) | sounds\ good
        | no\ problem
        | no\ worries | never\ ?mind | nvm | done | ja | nein | genau | gut | alles\ klar | verstanden | passt | oui
        | non
        | d'accord | parfait | sí | si | vale | perfecto | de\ acuerdo | nee | prima | goed | oké""",
    "machine": r"""(?:(?:wait|so|um|sorry)\ )*
        (?:(?:are|r)\ (?:you|u)|you(?:'re|\ are|\ r)|is\ (?:this|that|it|there)|am\ i|do\ i|are\ we)
        (?:\ (?:just|really|actually|even|only|talking|chatting|speaking|writing|talk|speak|write|chat|to|with|a|an|the
        |real|live|actual|some|kind|of|or|not|here))*
        \ (?:bot|chat\ ?bot|robot|human|person|machine|computer|program|ai|artificial|real|automated|chat\ ?gpt|gpt|llm
        |siri|alexa|people)
        (?:\ (?:or|a|an|the|real|live|just|actual|bot|chatbot|robot|human|person|machine|computer|ai|intelligence|here
        |right|being|assistant|correct))*
        | who\ am\ i\ (?:talking|speaking|chatting|writing)\ (?:to|with)
        | (?:bist\ du|sind\ sie|ist\ das|(?:spreche|schreibe)\ ich\ mit)\ (?:hier\ )?(?:ein(?:e|em|er)?\ )?
        (?:echte[nr]?\ )?(?:bot|chatbot|roboter|mensch(?:en)?|maschine|computer|ki)
        | (?:êtes\ vous|es\ tu|vous\ êtes|c'est|est\ ce|je\ parle\ (?:à|avec))\ (?:une?\ )?(?:vraie?\ )?
        (?:bot|robot|humain|machine|personne|ia)
        | (?:eres|es\ usted|es|(?:estoy\ hablando|hablo)\ con)\ (?:una?\ )?
        (?:bot|robot|humano|máquina|persona|ia)(?:\ real)?
        | (?:ben\ je|bent\ u|is\ dit|praat\ ik\ met)\ (?:een\ )?(?:echte?\ )?
        (?:bot|chatbot|robot|mens|machine|computer)""",
}
_AROUND = r"(?:there|all|everyone|team|folks|guys|sir|madam|dear|please|then|so|and|again|now|very|well|und|et|y|en)"
_ONLY = re.compile(rf"(?:(?:{' | '.join(_PHRASES.values())} | {_AROUND})(?:\ |$))+", re.VERBOSE)
_FIRST: tuple[Kind, ...] = ("machine", "goodbye", "thanks", "greeting", "nod")
"""Which kind a text of several is: "hi, thanks, bye" is a goodbye."""
_STARTS = {kind: re.compile(rf"(?:^|\ )(?:{phrases})(?:\ |$)", re.VERBOSE) for kind, phrases in _PHRASES.items()}
_PROBES = frozenset(
    "ping pong probe test tests testing healthcheck healthz health check heartbeat heart beat keepalive alive liveness "
    "uptime status availability monitor monitoring smoke load connection message only this is just a hello "
    "world".split()
)
_PROBING = frozenset("ping pong probe test tests testing healthcheck healthz check heartbeat keepalive world".split())
"""At least one of these makes a probe of words that are all in `_PROBES`."""
_KEYS = re.compile(r"(?:asdf?|qwert[yz]u?|abcd?|foo|bar|baz|bla|blah|xyz|lorem|ipsum)+|[a-z]|([a-z])\1{2,}|\d+")
"""What fingers type that have nothing to say."""
_TONGUES = {
    "de": re.compile(
        r"\b(?:hallo|servus|moin|guten|danke|dank|tschüs+|wiedersehen|schönen|genau|verstanden|klar"
        r"|bist du|sind sie|ist das|ich mit)\b"
    ),
    "fr": re.compile(
        r"\b(?:bonjour|bonsoir|salut|coucou|merci|revoir|bonne|bientôt|accord|parfait"
        r"|êtes|es tu|est ce|je parle|c'est)\b"
    ),
    "es": re.compile(
        r"\b(?:hola|buen[oa]s|gracias|adi[oó]s|hasta|perfecto|acuerdo|vale|eres|es usted|hablo con|hablando con)\b"
    ),
    "nl": re.compile(
        r"\b(?:goede(?:morgen|middag|navond)|bedankt|dank (?:je|u)|tot ziens|doei|fijne"
        r"|ben je|bent u|is dit|praat ik)\b"
    ),
}
MAX_WORDS = 14
MAX_LENGTH = 200
"""A longer text says something, in words or in characters."""
PROBE_LENGTH = 60


def small_talk(text: str) -> Kind | None:
    """The kind of small talk that a text is and nothing else, or None. A text of signs or smileys only is a nod."""
    said = words(text)
    if not said:
        # A number or an address alone is what somebody was asked for.
        return None if PLACEHOLDER.search(text) else "nod"
    if said.count(" ") >= MAX_WORDS or len(said) > MAX_LENGTH or not _ONLY.fullmatch(said):
        return None
    return next((kind for kind in _FIRST if _STARTS[kind].search(said)), None)


def small_talk_language(text: str, own: str) -> str:
    """The language of small talk, `own` where it is the same in several."""
    said = words(text)
    return next((code for code, pattern in reversed(_TONGUES.items()) if pattern.search(said)), own)


def probe(text: str) -> bool:
    """Whether a text asks nothing but whether something answers: "ping", "test 123", "health check", "asdf asdf"."""
    said = words(text[: PROBE_LENGTH + 1]).split()
    if not said or len(text) > PROBE_LENGTH:
        return False
    rest = [word for word in said if not _KEYS.fullmatch(word)]
    return all(word in _PROBES for word in rest) and (not rest or any(word in _PROBING for word in rest))


def words(text: str) -> str:
    """A text in small letters without placeholders, punctuation, signs and smileys, one space between words."""
    plain = unicodedata.normalize("NFKC", PLACEHOLDER.sub(" ", text)).replace("’", "'").lower()
    kept = "".join(c if c.isalnum() or c == "'" or unicodedata.category(c) == "Mn" else " " for c in plain)
    return " ".join(kept.split())
