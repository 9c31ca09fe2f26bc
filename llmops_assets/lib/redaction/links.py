"""Personal parts of a URL: tokens, ids, people and addresses in its path and query. The rest of it may stay.

A help page's address is no personal data; `?token=…`, `/u/anna.keller/` and `anna%40mail.example` are. RFC 3986 names
the parts: user info, path, query, fragment.
"""

import re
from collections.abc import Iterator

from llmops_assets.lib.redaction.spans import Folded, Span
from llmops_assets.lib.redaction.vocabulary import ordinary

SCORE = 0.98
_URL = re.compile(
    r"(?i)(?<![\w@])(?:(?:https?|ftp|wss?)://|www\.|(?=[\w-]{2,40}(?:\.[\w-]{2,40}){0,3}\.(?:com|org|net|io|de"
    r"|fr|es|it|nl|pl"
    r"|eu|uk|me|app|dev|shop|example|co)/))[^\s<>\"]{3,2000}"
)
_USER_INFO = re.compile(r"(?i)(?:https?|ftp|wss?)://([^/@\s:]+(?::[^/@\s]*)?@[\w.-]+)")
_PAIR = re.compile(r"[?&#;]([\w.\[\]-]{1,40})=([^&#;\s]*)")
_SECRET_KEY = re.compile(
    r"(?i)tok|sig|secret|pass|pwd|auth|key|session|sid|code|otp|hash|nonce|jwt|state|signature|hmac|ticket|magic|invite"
)
_PERSON_KEY = re.compile(
    r"(?i)^(?:.*[_.-])?(?:e?-?mail|user(?:name|id)?|uid|login|name|firstname|lastname|first|last|phone|tel"
    r"|mobile|customer|client"
    r"|account|member|id|order|ref|reference|iban|dob|birth\w*|address|zip|postcode|to|cid|pid|uuid|guid"
    r"|track\w*|parcel|invoice)$"
)
_PROFILE = re.compile(
    r"(?i)/(?:u|users?|in|profiles?|people|person|members?|accounts?|customers?|clients?|contact|kunden|konto|~"
    r"|author)/"
    r"([^/?#\s]+)"
)
_SOCIAL = re.compile(
    r"(?i)(?:facebook|fb|instagram|twitter|x|tiktok|github|gitlab|t|vk|threads|pinterest|xing|medium|snapchat|twitch"
    r"|paypal)\.(?:com|me|net|org)/(?:add/|profile/|paypalme/)?(@?[\w.-]{2,60})"
)
_PAGES = frozenset(
    "help about login signin signup settings search explore home privacy terms support contact me new edit "
    "share sharer intent groups events pages watch p reel status hashtag orgs topics company".split()
)
_ENCODED_MAIL = re.compile(r"(?i)[\w.+-]{1,64}(?:%40|@)[\w-]{1,63}(?:(?:\.|%2e)[\w-]{1,63}){1,5}")
_TRAILING = ".,;:!?)]}'\""


def find(text: Folded) -> list[Span]:
    """The personal parts of the URLs in a text."""
    if not any(sign in text.lower for sign in ("://", "www.", "/")):
        return []
    spans: list[Span] = []
    for match in _URL.finditer(text.text):
        url = match[0].rstrip(_TRAILING)
        # Surer than an address of e-mail that its password and its host look like together.
        spans += (Span(match.start() + s, match.start() + e, entity, 1.0 + SCORE) for s, e, entity in _parts(url))
    return spans


def _parts(url: str) -> Iterator[tuple[int, int, str]]:
    user = _USER_INFO.match(url)
    if user is not None:
        yield *user.span(1), "SECRET"
    for found in _ENCODED_MAIL.finditer(url, user.end() if user is not None else 0):
        yield *found.span(), "EMAIL"
    query = re.search(r"[?#;]", url)
    path_end = query.start() if query else len(url)
    for found in _PAIR.finditer(url):
        key, value = found[1], found[2]
        if value and _SECRET_KEY.search(key) and (re.search(r"\d", value) or len(value) >= 12):
            yield *found.span(2), "SECRET"
        elif value and _PERSON_KEY.match(key):
            if re.search(r"\d{3}|%40|@", value) or (re.search(r"(?i)name|user|login|first|last", key) and value):
                yield *found.span(2), "ID_NUMBER" if value.replace("-", "").isalnum() else "USERNAME"
        elif _random(value):
            yield *found.span(2), "SECRET"
    for pattern in (_PROFILE, _SOCIAL):
        for found in pattern.finditer(url, 0, path_end):
            value = found[1].rstrip(".")
            if value.lower() not in _PAGES and not ordinary(value.lower().lstrip("@")):
                yield found.start(1), found.start(1) + len(value), "USERNAME"
    host_end = re.match(r"(?i)(?:\w+://)?[^/?#]*", url)
    assert host_end is not None
    for found in re.finditer(r"[^/]+", url[host_end.end() : path_end]):
        if _random(found[0]):
            yield host_end.end() + found.start(), host_end.end() + found.end(), "SECRET"


def _random(value: str) -> bool:
    """Whether a part is no word: long, with digits in it and letters changing with them."""
    bare = re.sub(r"\.(?:html?|php|pdf|jpe?g|png|aspx?)$", "", value)
    if len(bare) < 16 or not re.search(r"\d", bare) or not re.search(r"[A-Za-z]", bare):
        return False
    changes = len(re.findall(r"\d(?=[A-Za-z])|[A-Za-z](?=\d)|[a-z](?=[A-Z])", bare))
    return changes >= 4
