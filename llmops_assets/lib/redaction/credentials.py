"""Recognisers of secrets: what opens an account, told in a chat or pasted with a question.

Keys of vendors and web tokens are certain by their shape alone. Passwords, one-time codes, card security codes and
network keys are known by the words around them, in the languages that chats come in; a word that says how a password
is ("wrong", "expired") is none. Shapes: the vendors' documentation and GitHub's list of secret scanning patterns
(https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns).
"""

import re

from llmops_assets.lib.redaction.identifiers import of_a_thing
from llmops_assets.lib.redaction.spans import Recogniser
from llmops_assets.lib.redaction.vocabulary import ordinary

_SHAPES = (
    r"sk-(?:[a-z]+-)*[A-Za-z0-9_-]{16,}|[sprw]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{20,}|(?:AKIA|ASIA|AGPA|AROA)[A-Z0-9]{12,20}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}"
    r"|hf_[A-Za-z0-9]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_[a-f0-9]{32,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{20,}"
    r"|sq0(?:atp|csp)-[\w-]{20,}|key-[0-9a-f]{32}|EAA[A-Za-z0-9]{40,}|AC[a-f0-9]{32}|r8_[A-Za-z0-9]{30,}"
)
_PASSWORD = (
    r"passwords?|pass(?= [^ ]{3,40})|pass ?codes?|pass ?phrases?|passwort|kennwort|pwd|p/w|pw|mot de passe|mdp"
    r"|contraseña|wachtwoord|hasło|(?:code|secret|security|safe)[ -]?(?:word|phrase)|codewort"
    r"|memorable (?:word|place|name)|(?:secret|security) answer"
    r"|senha|palavra-passe|(?:wi-?fi|wlan|wireless|network|router|hotspot|netzwerk)(?:'s)?[ -]?"
    r"(?:key|code|schlüssel|clé)|clave(?: de(?:l)? \w+)?|clé (?:wi-?fi|du wi-?fi|réseau)"
)
_KEY = (
    r"(?:api|access|secret|private|licen[cs]e|auth(?:entication)?|activation|product|recovery|backup|client|session"
    r"|service)[ _-]?(?:key|token|secret|code)s?|token|apikey"
)
_ONE_TIME = (
    r"pin(?:[ -]?(?:code|number|nummer))?|puk|m?tan|otp|2fa(?: code)?|mfa code|passcode|einmal(?:code|kennwort"
    r"|passwort)"
    r"|(?:security|verification|confirmation|authenti\w+|login|log-in|access|one[ -]time|door|gate|key ?box|lock|entry"
    r"|unlock|alarm|safe) (?:code|pin|password|number)"
    r"|(?:sms|bestätigungs|sicherheits|zugangs|verifizierungs|tür)-?code|code (?:de|d') ?(?:vérification|sécurité"
    r"|confirmation|accès)|code sms|código de (?:verificación|seguridad|acceso|confirmación)|codice (?:di )?(?:verifica"
    r"|sicurezza|otp)|verificatiecode|kod (?:weryfikacyjny|sms)"
)
_SENT = (
    r"\bcode\b[^.!?\n]{0,40}?\b(?:text(?:ed)?|sms|sent|send|got|received|message|app|authenticator"
    r"|e-?mail(?:ed)?|phone)"
    r"\b[^.!?\n\d]{0,25}"
)
_IS = r"(?:\s*[:=]\s*|\s+(?:is|was|were|ist|war|lautet|est|es|è|jest|é|said|says|now|to)(?:\s*:)?\s+|\s+)"
_SAYS = r"(?:[ :=\"'(]|\b(?:is|was|ist|lautet|est|es|è|jest|é|number|no|the|my|of|for)\b){0,6}"
_STATES = frozenset(
    """
    wrong incorrect invalid expired old broken gone lost missing correct right fine refused rejected reset weak short
    required hidden unknown accepted denied forgotten changed needed not never always still now the a my your too also
    and or but being been case field link page box manager rules policy protected falsch ungültig abgelaufen weg alt
    vergessen richtig korrekt nicht faux incorrect expiré oublié perdu pas incorrecta incorrecto caducada olvidada no
    non errata scaduta sbagliata verkeerd fout niet błędne nieprawidłowe working work please reset
    """.split()
)

_TRIM = ".,;:!?)\"'"


def _password(match: re.Match[str]) -> bool:
    """Whether what stands behind the cue is chosen by somebody, not said about a password."""
    value = match["value"].strip("\"'").rstrip(_TRIM)
    lower = value.lower()
    if len(value) < 3 or lower in _STATES or "<" in value:
        return False
    between = match.string[match.end("cue") : match.start("value")]
    odd = re.search(r"\d|[^\w\s]|[a-z][A-Z]", value) is not None and not re.fullmatch(
        r"[A-Za-z]+(?:['-][A-Za-z]+)+", value
    )
    if re.search(r"[:=\"']\s*$", between) or match["value"][:1] in "\"'":
        return odd or not ordinary(lower) or match["value"][:1] in "\"'"
    if between.strip():
        return odd or not ordinary(lower)
    # Without a word between, only what no sentence holds: "password Tulip_77".
    return odd and re.search(r"\d", value) is not None and re.search(r"[^\W\d]", value) is not None


def _key(match: re.Match[str]) -> bool:
    value = match["value"]
    return bool(re.search(r"\d", value)) and bool(re.search(r"[A-Za-z]", value)) and "<" not in value


def _mixed(match: re.Match[str]) -> bool:
    """Whether a long run of characters is random: letters of both cases and digits all over it."""
    value = match.group()
    turns = len(re.findall(r"[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|\d(?=[A-Za-z])", value))
    return all(re.search(p, value) for p in ("[a-z]", "[A-Z]", r"\d")) and turns >= len(value) / 5


_THING_CODE = re.compile(
    r"(?i)\b(?:discount|promo\w*|coupon|voucher|gift|error|fault|zip|post(?:al)?|country|area|dialling|dress|product"
    r"|article|item|colou?r|qr|bar|source|sort|gutschein|rabatt|fehler|artikel|aktions|order|booking|tracking|cup[oó]n"
    r"|de descuento|de erreur|promotionnel)[ -]?(?:code)?s?\W*$"
)


def _one_time(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 16) : match.start("cue")]
    if _THING_CODE.search(before) or "<" in match["value"]:
        return False
    return _one_time_unit(match.string, match.end("value"))


def _one_time_unit(text: str, end: int) -> bool:
    """Whether no unit follows a number: then it may be a code."""
    return not re.match(
        r"(?i) ?(?:%|€|eur\b|euros?\b|minutes?\b|hours?\b|days?\b|times\b|[cmk]?m\b|k?g\b|k?wh?\b|x ?\d|rpm\b|l\b"
        r"|points?\b|people\b|pieces?\b|stück\b|kms?\b|miles?\b)",
        text[end:],
    )


_MADE_UP = (
    r"(?:[^\W\d_]{4,30}[#!_$%&*+-]?\d{2,6}[!#$%*]?|\d{2,6}[#!_$%&*+-]?[^\W\d_]{4,30}|[^\W\d_]{3,30}[#!_$%&*]\d{1,6})"
)
"""What people make up for a password: a word with digits, and often a sign between them."""


def _made_up(match: re.Match[str]) -> bool:
    value = match["value"]
    return value != value.upper() and not _THING_CODE.search(
        match.string[max(0, match.start("value") - 16) : match.start("value")]
    )


_COUNTED = frozenset(
    """
    order ticket case invoice room flat apt unit item article model ref reference line gate platform track level page
    version season episode issue bug row seat table step part section chapter question lot batch size img image photo
    scan file doc dsc vid bestellung auftrag rechnung commande pedido ordine
    """.split()
)


def _nothing_else(match: re.Match[str]) -> bool:
    """Whether a word with a sign and digits is made up: "ticket#4471" counts tickets, "IMG_4471" is a file."""
    return not match["word"].isupper() and match["word"].lower() not in _COUNTED


_CODES = re.compile(
    r"(?i)\b(?:sms|text message|otp|m?tan|2fa|mfa|one[ -]time|verif\w+|authenticator|log ?in|sign ?in|textnachricht"
    r"|einmal\w*|mensaje de texto|code|código|codice|kod|pin|puk|whats ?app|key ?box|key ?pad|key ?safe|padlock"
    r"|combination|six (?:digits|numbers|figures)|opens? (?:with|on)|app (?:wants|asks|needs)"
    r"|(?:keeps?|kept) (?:sending|texting|asking)|(?:came|comes|come|popped) (?:through|in|up)|(?:read|reads|reading)"
    r" (?:it |them |that )?(?:out|back)|(?:wrote|noted|jotted) (?:it |them )?down|(?:little|small|green)"
    r" (?:numbers?|digits?|figures?))\b"
)
_DOOR = (
    r"gates?|(?:front |back |side |main |stair )?doors?|alarm|key ?safe|key ?box|key ?pad|padlock|lock ?box|barrier"
    r"|intercom|entry ?phone|tor|haustür|tür|schlüsseltresor|schlüsselkasten|alarmanlage|schranke|portail|porte"
    r"|digicode|interphone|portón|puerta|portal|alarma|cancello|portone|citofono|allarme|poort|deur|sleutelkluis"
    r"|slagboom|brama|bramy|drzwi|domofon\w*|portão|porta|campainha"
)
_NUMBER_OF = re.compile(
    r"(?i)(?:\b(?:to|from|number|nummer|numero|número|numéro|no|nr|order|ticket|parcel|case|invoice|article|item|pedido"
    r"|bestellung|commande|kunde|customer|client|ref|reference|eur|usd)\b[ .:#°]*(?:is |my |the )?|[€$£#] ?)$"
)


def _one_time_alone(match: re.Match[str]) -> bool:
    """Whether six digits are a one-time code: its text speaks of one or is nothing else, and they are not said to be
    something else."""
    if not re.search(r"\w", match.string[: match.start()] + match.string[match.end() :]):
        return True
    before = match.string[max(0, match.start() - 24) : match.start()]
    codes = [found for found in _CODES.finditer(match.string) if not _THING_CODE.search(match.string[: found.end()])]
    return (
        bool(codes)
        and _NUMBER_OF.search(before) is None
        and _one_time_unit(match.string, match.end())
        and not of_a_thing(match)
    )


def _at_a_door(match: re.Match[str]) -> bool:
    """Whether digits beside a door open it: they are no year, size, order or time."""
    value = match["value"].strip("#")
    return (
        not re.fullmatch(r"(?:19|20)\d\d|\d+00", value)
        and _one_time_unit(match.string, match.end("value"))
        and not re.search(r"(?i)\b(?:order|model|article|art|item|version)\b", match.string)
    )


_SIDE_OF_A_CARD = re.compile(
    r"(?i)card|\bcv[vc]|karte\b|carte\b|tarjeta|carta\b|visa\b|master ?card|amex|kaart|karta|strip\b|reverse|digits"
    r"|numbers?\b"
)


_OPENS = re.compile(
    r"(?i)\b(?:case[- ]sensitive|refused|rejected|denied|not accepted|accepts?|log(?:ged|ging)?[ -]?(?:in|on)"
    r"|sign(?:ed)?[ -]?in"
    r"|unlock\w*|locked|typed?|typing|entered|capital|letters|everywhere|character)\b"
)


def _unlike_a_thing(match: re.Match[str]) -> bool:
    """Whether a word has digits behind it that count nothing: four and more, and no year."""
    digits = re.search(r"\d+", match[0])
    word = re.match(r"[^\W\d_]{5,}", match[0])
    return (
        word is not None
        and digits is not None
        and len(digits[0]) > 3
        and not re.fullmatch(r"(?:19|20)\d\d", digits[0])
        and word[0].lower() not in _COUNTED
        # "a Meadow4471" is something one has.
        and not re.search(
            r"(?i)\b(?:an?|the|this|two|eine?[nmr]?|der|die|das|une?|la|el|il|het|de) $", match.string[: match.start()]
        )
        and not of_a_thing(match)
    )


def _chosen(match: re.Match[str]) -> bool:
    """Whether a word with digits behind it is a password: its text speaks of getting in or the digits count nothing,
    and it is no ware's name."""
    before = match.string[max(0, match.start() - 24) : match.start()]
    word = re.match(r"[^\W\d_]+", match[0])
    named = re.search(
        r"(?i)\b(?:user ?(?:name)?|account|acc|profile|player|channel|handle|tag|as|by|hi|i am|i'm|called"
        r"|server|version"
        r"|model|windows|office|android|ios|benutzer|nutzer|usuario|utente|file|code|voucher)\b[ :'\"]*(?:is |it's )?$",
        before,
    )
    return (
        (_OPENS.search(match.string) is not None or _unlike_a_thing(match))
        and word is not None
        and named is None
        and not _THING_CODE.search(before)
    )


_CARD_WORD = re.compile(
    r"(?i)card|security code|\bcv[vc]|karte|carte|tarjeta|carta di|visa\b|master ?card|amex|kaart|karta"
)

RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser(
        "SECRET",
        re.compile(rf"(?<![\w-])(?:{_SHAPES})(?![\w])"),
        0.99,
        words=(
            "sk",
            "pk",
            "rk",
            "wk",
            "whsec",
            "gh",
            "github",
            "glpat",
            "xox",
            "aiza",
            "ya29",
            "akia",
            "asia",
            "agpa",
            "aroa",
            "npm",
            "pypi",
            "hf_",
            "sg.",
            "dop",
            "shp",
            "sq0",
            "key-",
            "eaa",
            "ac",
            "r8_",
        ),
    ),
    Recogniser("SECRET", re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]{2,}(?:\.[\w-]*)?(?![\w])"), 0.99, words=("eyj",)),
    Recogniser(
        "SECRET",
        re.compile(
            r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s-]{0,8000}?-----END [A-Z ]{0,20}KEY-----)?"
        ),
        0.99,
        words=("-----begin",),
    ),
    Recogniser(
        "SECRET",
        re.compile(r"(?i)\b(?P<cue>bearer|basic)\s+(?P<value>[\w.~+/-]{12,}=*)"),
        0.97,
        words=("bearer", "basic"),
        accepts=_key,
    ),
    Recogniser(
        "SECRET",
        re.compile(r"(?<![\w+/=.@-])[A-Za-z0-9+/_-]{32,200}={0,2}(?![\w+/=@-])"),
        0.9,
        digit=True,
        accepts=_mixed,
    ),
    Recogniser(
        "SECRET",
        re.compile(
            rf"(?i)(?<!\w)(?P<cue>{_PASSWORD})(?P<between>{_IS})(?P<value>[\"']?[^\s<>]{{3,64}}?)(?=[.,;!?)"
            rf"\"']*(?:\s|$))"
        ),
        0.95,
        words=(
            "pass",
            "pw",
            "word",
            "phrase",
            "memorable",
            "answer",
            "codewort",
            "kennwort",
            "mdp",
            "contraseña",
            "wachtwoord",
            "hasło",
            "senha",
            "palavra",
            "key",
            "code",
            "schlüssel",
            "clé",
            "clave",
            "p/w",
        ),
        accepts=_password,
    ),
    # "Password for callers: tulip_7".
    Recogniser(
        "SECRET",
        re.compile(
            rf"(?i)(?<!\w)(?P<cue>{_PASSWORD})(?P<between>(?: [^\W\d_]+){{1,4}}\s*[:=]\s*)(?P<value>[^\s<>]{{4,64}}?)"
            rf"(?=[.,;!?)\"']*(?:\s|$))"
        ),
        0.94,
        words=("pass", "word", "wort", "mdp", "contraseña", "hasło", "senha", "palavra", "key", "code", "clé", "clave"),
        accepts=_password,
    ),
    # "the password you gave me, tulip77, does not work".
    Recogniser(
        "SECRET",
        re.compile(
            rf"(?i)(?<!\w)(?P<cue>{_PASSWORD})\b[^.!?\n<]{{0,60}}?(?<![\w#@.-])(?P<value>{_MADE_UP})(?![\w@-]|[.,]\w)"
        ),
        0.9,
        digit=True,
        words=("pass", "word", "wort", "mdp", "contraseña", "hasło", "senha", "palavra", "key", "code", "clé", "clave"),
        accepts=_made_up,
    ),
    # "tulip#7704": nothing else is written so.
    Recogniser(
        "SECRET",
        re.compile(r"(?<![\w#@./&=-])(?P<word>[^\W\d_]{3,30})[#!_$%&*]\d{2,6}[!#$%*]?(?![\w@/-]|[.,]\w)"),
        0.6,
        digit=True,
        accepts=_nothing_else,
    ),
    # "I tried tulip7704 and it was refused".
    Recogniser(
        "SECRET",
        re.compile(r"(?<![\w#@./&=_-])(?:[A-Z]?[a-zà-ž]{3,30}[!#$%&*_]?\d{2,6}[!#$%*]?)(?![\w@/_-]|[.,]\w)"),
        0.6,
        digit=True,
        accepts=_chosen,
    ),
    # "login: tulip_7 / Harbour4066".
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?:log-?in|log ?on|user ?(?:name)?|acc(?:oun)?t|credentials|zugang|identifiants?|acceso"
            r"|accesso)(?: is)?[ :=]{1,3}"
            r"[\w.@+-]{2,60} ?(?:[/|,;]|and|und|pw"
            r"|pass) ?(?P<value>(?=\S*\d)(?=\S*[^\W\d_])\S{5,40}?)(?=[.,;!?)]*(?:\s|$))"
        ),
        0.9,
        digit=True,
    ),
    # "typed what the text message says, 482913".
    Recogniser(
        "SECRET", re.compile(r"(?<![\w.,/#+-])\d{6}(?![\w/-]|[.,:]\d)"), 0.6, digit=True, accepts=_one_time_alone
    ),
    # "gate is 4471", "key safe 4471, left of the door".
    Recogniser(
        "SECRET",
        re.compile(
            rf"(?i)\b(?:{_DOOR})(?: (?:is|opens? (?:with|to)|takes|ist|est|es|è|jest|é))?[ :,]{{1,2}}"
            r"(?P<value>#?\d{4,6}#?)(?![\w-]|[.,:/]\d)"
        ),
        0.8,
        digit=True,
        accepts=_at_a_door,
    ),
    # "type 4471 at the gate".
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?:type|press|enter|dial|punch in|key in|tap in|faites|fais|tapez|composez|marca|marque|marcar"
            r"|pulsa|digita|digiti|digitare|premi|toets|tik|voer|wpisz|wybierz|eingeben|drück\w*|tippen?) (?:in )?"
            rf"(?P<value>#?\d{{4,6}}#?)(?= (?:\w+ ){{0,3}}(?:{_DOOR})\b)(?![\w-]|[.,:/]\d)"
        ),
        0.8,
        digit=True,
        accepts=_at_a_door,
    ),
    # "at the gate, 4471", "para entrar por el portón marca 4471".
    Recogniser(
        "SECRET",
        re.compile(
            rf"(?i)\b(?:at|for|by|into|on|am|an der|für|au|pour|en|para|por|per|al|voor|bij|przy|do|na|no|à)"
            rf" (?:the |our |my |le |la |l'|el |il |de |het |die |das |den |o |a )?(?:{_DOOR}),?"
            r" (?:(?:it's|its|you|type|press|enter|dial|use|faites|tapez|composez|marca|marque|pulsa|digita|toets|tik"
            r"|wpisz|ist es|c'est|es|è) )?(?P<value>#?\d{4,6}#?)(?![\w-]|[.,:/]\d)"
        ),
        0.8,
        digit=True,
        accepts=_at_a_door,
    ),
    # "123, back of the visa", "digits on the reverse: 481".
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)(?<![\w.,/-])(?P<value>\d{3}),? (?:(?:is|are) )?(?:(?:on|at|from) )?(?:the |its )?"
            r"(?:back|reverse|strip)\b"
        ),
        0.8,
        digit=True,
        words=("back", "reverse", "strip"),
        accepts=lambda match: _SIDE_OF_A_CARD.search(match.string) is not None,
    ),
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?:on|at) the (?:back|reverse|strip)(?: of (?:the|my) \w+)?"
            r"(?: (?:is|are|says|reads|it says))?[ :,]{1,2}(?P<value>\d{3})(?!\w|[.,/-]\d)"
        ),
        0.8,
        digit=True,
        words=("back", "reverse", "strip"),
        accepts=lambda match: _SIDE_OF_A_CARD.search(match.string) is not None,
    ),
    # "12/27, it says on the front", "04/29 and 123 on the back".
    Recogniser(
        "SECRET",
        re.compile(r"(?<![\w/.,-])(?P<value>(?:0[1-9]|1[0-2])/(?:20)?[23]\d)(?![\w/-]|[.,]\d)"),
        0.7,
        digit=True,
        accepts=lambda match: (
            re.search(r"(?i)\b(?:on|at) (?:the |its )?(?:front|back|reverse)\b|\bcv[vc]2?\b", match.string) is not None
        ),
    ),
    # "code on the shed 4471".
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?P<cue>code|pin) (?:on|for|of|at|to) (?:the |my |our |his |her )?"
            r"(?:door|gate|shed|garage|box|key ?box|safe|lock|locker|alarm|building|entrance|porch"
            r"|bike|yard|lobby|lift)"
            r"(?: is|:)? (?P<value>#?\d{4,8}#?)(?![\w-]|[.,]\d)"
        ),
        0.9,
        digit=True,
        words=("code", "pin"),
        accepts=_one_time,
    ),
    Recogniser(
        "SECRET",
        re.compile(rf"(?i)\b(?P<cue>{_KEY})\b{_SAYS}(?P<value>[\w+/.=-]{{8,128}})(?<![.-])"),
        0.93,
        words=("key", "token", "secret", "code"),
        accepts=_key,
    ),
    Recogniser(
        "SECRET",
        re.compile(
            rf"(?i)(?<![\w-])(?P<cue>{_ONE_TIME})\b{_SAYS}(?P<value>(?:[A-Z]{{1,2}}-)?\d{{3,4}}[ -]?\d{{0,4}})"
            rf"(?![\w%]|[.,]\d)"
        ),
        0.92,
        digit=True,
        words=(
            "pin",
            "puk",
            "tan",
            "otp",
            "2fa",
            "mfa",
            "code",
            "kennwort",
            "passwort",
            "password",
            "number",
            "código",
            "codice",
            "kod",
        ),
        accepts=_one_time,
    ),
    Recogniser(
        "SECRET",
        re.compile(rf"(?i)(?P<cue>{_SENT})(?P<value>(?:[A-Z]{{1,2}}-)?\d{{3,4}}[ -]?\d{{0,4}})(?![\w%]|[.,]\d)"),
        0.9,
        digit=True,
        words=("code",),
        accepts=_one_time,
    ),
    # "asked for my code, I gave 482913".
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?P<cue>(?:code|pin|tan|otp|passcode|password)\b[^.!?\n\d]{0,30}\b(?:gave|told|read|typed|entered|sent|said)"
            r"(?: (?:him|her|them|you|it|out|in))*:?) (?P<value>\d{4,8}|\d{3}[ -]\d{3})(?![\w%-]|[.,]\d)"
        ),
        0.9,
        digit=True,
        words=("code", "pin", "tan", "otp", "password"),
        accepts=_one_time,
    ),
    # "code is 482913": four to eight digits right behind it.
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?P<cue>code)(?:\s*[:=]\s*|\s+(?:is|was|ist|lautet|est|es|è)\s+)(?P<value>\d{4,8}"
            r"|\d{3}[ -]\d{3})(?![\w%-]|[.,]\d)"
        ),
        0.88,
        digit=True,
        words=("code",),
        accepts=_one_time,
    ),
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?:cvv2?|cvc2?|csc|(?:card )?(?:verification|security) (?:value|code|number|digits)|prüfziffer"
            r"|kartenprüfnummer|cryptogramme(?: visuel)?|three (?:digits|numbers)|three-digit (?:code|number))\b"
            rf"(?: (?:on|at) (?:the |its )?back)?{_SAYS}(?P<value>\d{{3,4}})(?!\w|[.,/]\d)"
        ),
        0.96,
        digit=True,
        words=("cvv", "cvc", "csc", "security", "verification", "prüf", "cryptogramme", "three"),
    ),
    Recogniser(
        "SECRET",
        re.compile(
            r"(?i)\b(?:exp(?:iry|ires?|iration)?(?: date)?|valid (?:until|thru|through|till|to)|gültig bis|ablaufdatum"
            r"|expire(?: le| fin)?|date d'expiration|caduca(?: en)?|caducidad|válida hasta|scadenza"
            r"|good (?:thru|through)|date|datum|fecha|data)"
            r"[ :.]{0,3}(?P<value>(?:0?[1-9]|1[0-2]) ?[/-] ?(?:20)?[2-4]\d)(?![\w/.-]\d|\w)"
        ),
        0.92,
        digit=True,
        words=(
            "exp",
            "valid",
            "gültig",
            "ablauf",
            "caduc",
            "válida",
            "scadenza",
            "good",
            "date",
            "datum",
            "fecha",
            "data",
        ),
        accepts=lambda match: _CARD_WORD.search(match.string) is not None,
    ),
)
"""What secrets are recognised by."""
