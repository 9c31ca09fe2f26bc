"""Recognisers of e-mail addresses: as they are written, disguised, said to a machine that types, and misspelt."""

import re

from llmops_assets.lib.redaction.spans import Recogniser
from llmops_assets.lib.redaction.vocabulary import ordinary

_MAIL_HOSTS = (
    "gmail googlemail yahoo hotmail outlook live icloud me msn aol proton protonmail gmx web mail posteo "
    "t-online orange "
    "free wanadoo laposte libero tiscali alice wp onet interia o2 ziggo kpn xs4all terra telefonica zoho "
    "fastmail yandex "
    "rediffmail"
).split()
_DOT = r"(?: ?[\[({<]? ?\b(?:dot|punto|punkt|point|kropka|punt|ponto)\b ?[\])}>]? ?| ?\. ?)"
_MAIL_WORD = re.compile(
    r"(?i)e-?mail|\bmail|correo|courriel|adress|indirizzo|adres\b|dirección|reach|contact|write to|send"
)


def _plain_at(match: re.Match[str]) -> bool:
    """Whether `x at y.z` in words is an address: `bought it at shop.com` is not."""
    host, local = match["host"].lower(), match["local"]
    if host in _MAIL_HOSTS or re.search(r"[\d._+]|\b(?:dot|underscore|punkt|punto|point)\b", local):
        return True
    return _MAIL_WORD.search(match.string[max(0, match.start() - 50) : match.start()]) is not None


_ENDING = (
    r"(?:com|net|org|info|co\.? ?uk|de|fr|es|it|nl|pl|pt|at|ch|be|eu|ie|us|se|no|dk|fi|ru|br|mx|in|io|biz|example)"
)
_MAILBOX_HOST = (
    "(?:gmail|googlemail|yahoo|hotmail|icloud|aol|proton|protonmail|gmx|t-online|wanadoo|laposte|libero|onet|ziggo"
    "|outlook)"
)
# Words of sentences ("we live in") are no ending here.
_SURE_ENDING = r"(?:com|net|org|de|fr|co ?\.? ?uk|nl|pl)"


def _misspelt(match: re.Match[str]) -> bool:
    """Whether `anna@fastpost` without an ending is an address: two lamps @ 20, or @home, are none."""
    host, local = match["host"].lower(), match["local"]
    if host in _MAIL_HOSTS or re.search(r"[\d._+-]", local):
        return not host.isdigit()
    return _MAIL_WORD.search(match.string[max(0, match.start() - 50) : match.start()]) is not None


def _mailbox(match: re.Match[str]) -> bool:
    """Whether the words before `gmail com` are a mailbox, none of them an ordinary word."""
    return not any(ordinary(word) for word in re.findall(r"[^\W\d_]{2,}", match["local"].lower()))


RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser("EMAIL", re.compile(r"[\w.+%'-]{0,63}[\w+%-]@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"), 1.0, words=("@",)),
    Recogniser(
        "EMAIL",
        re.compile(
            r"(?i)[\w+-]{1,40}(?:(?: (?:dot|punto|punkt|point|underscore|dash|hyphen|minus) | ?[\[(](?:dot"
            r"|\.)[\])] ?|[._])"
            r"[\w+-]{1,40}){0,4} ?(?:[\[({<] ?(?:at|@|a|arroba|chez) ?[\])}>]| @ ?|@ ) ?"
            rf"[\w-]{{1,40}}(?:{_DOT}[\w-]{{2,24}}){{1,3}}"
        ),
        1.0,
        words=("@", "at", "(a", "[a", "arroba", "chez"),
    ),
    Recogniser(
        "EMAIL",
        re.compile(
            r"(?i)\b(?P<local>[\w+-]{1,40}(?:(?: (?:dot|punto|punkt|point|kropka|underscore|dash|hyphen|minus) |[._])"
            r"[\w+-]{1,40}){0,4}(?: (?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
            r"|twenty|thirty|forty|fifty"
            r"|sixty|seventy|eighty|ninety|\d{1,4})){0,4}) (?:at|arroba|chiocciola|małpa|apenstaartje|ät) "
            rf"(?P<host>[\w-]{{1,40}}(?: (?:dash|hyphen|minus|bindestrich|tiret|guion)"
            rf" [\w-]{{1,40}})?){_DOT}(?:[\w-]{{2,24}}{_DOT})?[a-z]{{2,10}}\b"
        ),
        0.97,
        words=("at", "arroba", "chiocciola", "małpa", "apenstaartje", "ät"),
        accepts=_plain_at,
    ),
    # Spelled letter by letter.
    Recogniser(
        "EMAIL",
        re.compile(
            r"(?i)(?<!\S)[\w.](?: [\w.]){2,40} (?:@|at|\(at\)) [\w-](?: [\w-]){0,40}(?: [\w-]{2,20})? (?:\.|dot) "
            r"(?:\w{2,8}|\w(?: [\w.]){1,8})(?!\S)"
        ),
        1.0,
        words=("@", "at"),
    ),
    # Of a URL or an HTML text.
    Recogniser(
        "EMAIL",
        re.compile(r"(?i)[\w.+-]{1,64}(?:%40|&#64;|&commat;)[\w-]{1,63}(?:(?:\.|%2e|&#46;)[\w-]{1,63}){1,5}"),
        1.0,
        words=("%40", "&#64;", "&commat;"),
    ),
    # A comma for the dot, spaces around the sign.
    Recogniser(
        "EMAIL",
        re.compile(rf"(?i)[\w.+-]{{1,64}} ?@ ?[\w-]{{1,63}}(?:[.,;][\w-]{{1,40}})?[,;] ?{_ENDING}\b"),
        0.97,
        words=("@",),
    ),
    # Without an ending.
    Recogniser(
        "EMAIL",
        re.compile(r"(?i)(?<![\w.@])(?P<local>[\w.+-]{2,64})@(?P<host>[a-z][\w-]{2,40})(?![\w@]|\.\w)"),
        0.9,
        words=("@",),
        accepts=_misspelt,
    ),
    # What stands before the sign, told alone: "my mail is anna.keller74".
    Recogniser(
        "EMAIL",
        re.compile(
            r"(?i)\b(?:e-?mail|mail|mailbox)(?: address)?(?: is| was"
            r"|:) (?P<value>(?=[\w+-]*[._\d])[\w+-]+(?:[._][\w+-]+)*)"
            r"(?=[,;!?]|\.?(?:\s|$))(?! ?(?:@|at\b|\(at|\[at|\d|[^\W\d_]+ly\b|days?\b|hours?\b|weeks?\b))"
        ),
        0.85,
        words=("mail",),
    ),
    # Without any sign: "anna keller gmail com".
    Recogniser(
        "EMAIL",
        re.compile(
            rf"(?i)(?<![\w@])(?P<local>[\w+-]{{2,40}}(?:[ ._-][\w+-]{{2,40}})?)(?: at)? {_MAILBOX_HOST}"
            rf"(?: ?[.,] ?| (?:dot |punkt |point |punto )?){_SURE_ENDING}\b"
        ),
        0.95,
        words=tuple(_MAIL_HOSTS),
        accepts=_mailbox,
    ),
)
"""What e-mail addresses are recognised by."""
