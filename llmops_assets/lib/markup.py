"""HTML of mails and chats as the text a person reads: paragraphs, lists and links stay, quoted mails do not.

Pages of documentation are cut into sections by lib/sources/documents.py instead. Why the standard library parses it:
docs/decisions/sources.md.
"""

import html
import ipaddress
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlsplit

_PAIRED = (
    "a|abbr|b|blockquote|body|center|code|div|em|font|h[1-6]|html|i|li|ol|p|pre|small|span|strong|table|td|tr|u|ul"
)
_ALONE = re.compile(
    r"<br\s*/?>|<(?:p|div|span|font|body|table|td)\s[^<>]*=[^<>]*>|<a\s[^<>]*href|<img\s[^<>]*src", re.IGNORECASE
)
_TAG = re.compile(rf"<(/?)({_PAIRED})(?:\s[^<>]*)?>", re.IGNORECASE)
_LAYING_OUT = re.compile(r"<(?:br|p|div|li|tr|table|h[1-6]|body|pre)\b", re.IGNORECASE)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_ENTITY = re.compile(r"&(?:nbsp|amp|lt|gt|quot|apos|[a-zA-Z]{4,8}|#\d{1,6}|#x[0-9a-fA-F]{1,6});")
_BLOCKS = frozenset(
    "address article aside body center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr html li "
    "main nav ol p pre section table tbody thead tr ul".split()
)
_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 table ul ol".split())
_UNSEEN = frozenset("script style template title noscript svg object".split())
_ENDED_BY_THE_NEXT = frozenset("p li td th tr dd dt option".split())
"""Elements that need no end tag."""
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_ELEMENTS = sorted(
    _BLOCKS
    | _UNSEEN
    | _VOID
    | frozenset(
        "a abbr aside audio b big blockquote button caption center cite code del details em figcaption font h1 head i "
        "iframe input ins kbd label mark option q s samp select small span strike strong sub summary sup td tfoot th "
        "time title tt u video".split()
    ),
    key=len,
    reverse=True,
)
_ANY_TAG = re.compile(
    rf"<(?:!--.*?(?:-->|$)|!doctype[^>]*>|/?(?:{'|'.join(_ELEMENTS)})"
    r"(?:\s+[a-z][\w:-]*(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+))?)*\s*/?>)",
    re.IGNORECASE | re.DOTALL,
)
_QUOTES = re.compile(
    r"(?:^|\s)(?:gmail_quote\w*|gmail_attr|yahoo_quoted|protonmail_quote|moz-cite-prefix|zmail_extra|front-blockquote"
    r"|tutanota_quote|OutlookMessageHeader|intercom-quote|quoted-text|freshdesk_quote)(?:\s|$)"
)
_REST_IS_QUOTED = frozenset(
    ("divRplyFwdMsg", "appendonsend", "mail-editor-reference-message-container", "stopSpelling")
)
"""Outlook puts the old mail beside this element, up to the end."""
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Plain:
    """The text of an HTML text, and whether a quoted mail was left out of it."""

    text: str
    quoted: bool = False


def is_html(text: str) -> bool:
    """Whether a text carries HTML: line breaks, links, or an element that begins and ends. `a < b`, `<my-order>` and
    code between backticks are none."""
    if "<" not in text or ">" not in text:
        return False
    if "`" in text:
        text = _CODE.sub("", text)
    if _ALONE.search(text):
        return True
    begun: set[str] = set()
    for found in _TAG.finditer(text):
        if not found[1]:
            begun.add(found[2].lower())
        elif found[2].lower() in begun:
            return True
    return False


def plain(text: str) -> Plain:
    """What a person reads of an HTML text. Where no element lays out lines, the text's own lines stay."""
    reader = _Reader(own_lines=not _LAYING_OUT.search(text))
    reader.feed(text)
    reader.close()
    return Plain(reader.read(), reader.quoted)


def plain_text(text: str) -> str:
    """`plain` of a text that may be HTML; another one stays, but for character references."""
    if is_html(text):
        return plain(text).text
    return references(text)


def tags(text: str) -> list[str]:
    """The HTML tags and comments in a text, as they stand there; "a < b" and `<help@lumora.example>` are none."""
    return [match[0] for match in _ANY_TAG.finditer(text)]


def untagged(text: str) -> str:
    """A text without any HTML, for where none may be: what is no tag of HTML (`<PERSON_1>`, "<3 days") stays."""
    if not tags(text):
        return references(text)
    # The parser would take `<PERSON_1>` for a tag.
    parts, last = [], 0
    for match in _ANY_TAG.finditer(text):
        parts += [text[last : match.start()].replace("<", "&lt;"), match[0]]
        last = match.end()
    return plain("".join((*parts, text[last:].replace("<", "&lt;")))).text


def references(text: str) -> str:
    """A text that is no HTML with its character references (`&amp;`, `&#39;`) resolved."""
    if "&" not in text or not _ENTITY.search(text):
        return text
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text).replace("\xa0", " ")


def is_public(url: str) -> bool:
    """Whether anybody can open a link: http or https, a host of the Internet, no user, no agent's or admin's page."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        if parts.scheme.lower() not in ("http", "https") or parts.username is not None or not host:
            return False
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    inside = "." not in host or host.endswith((".local", ".internal", ".localhost", ".lan", ".intranet", ".corp"))
    return not inside and not re.search(r"/(?:agent|admin|wp-admin)(?:/|$)", parts.path.lower())


class _Reader(HTMLParser):
    """Collects text. `_dropped` counts the open elements inside one that is left out."""

    def __init__(self, *, own_lines: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.quoted = False
        self._own_lines = own_lines
        self._text: list[str] = []
        self._breaks = 0
        self._open: list[tuple[str, str]] = []
        self._dropped = 0
        self._ended = False
        self._lists: list[int] = []
        self._link: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _ENDED_BY_THE_NEXT and self._open and self._open[-1][0] == tag:
            self.handle_endtag(tag)
        if tag not in _VOID:
            self._open.append((tag, self._why(tag, given)))
            if self._open[-1][1]:
                self._dropped += 1
        if self._ended or self._dropped:
            return
        if tag == "br":
            self._breaks += 1
        elif tag in _BLOCKS:
            self._break(tag)
        if tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else -1)
        elif tag == "li":
            self._write(self._bullet())
        elif tag in ("td", "th"):
            self._text.append(" ")
        elif tag == "a" and self._link is None:
            self._link = (given.get("href", ""), len(self._text))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and not self._dropped:
            self._end_link()
        if not any(name == tag for name, _ in self._open[-_DEPTH:]):
            return
        while self._open:
            name, why = self._open.pop()
            self._dropped -= bool(why)
            if name == "blockquote":
                self._reopen()
            if name in ("ul", "ol") and self._lists and not self._dropped and not why:
                self._lists.pop()
            if name == tag:
                break
        if tag in _BLOCKS and not self._dropped and not self._ended:
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._ended or self._dropped:
            self.quoted = self.quoted or ((self._ended or self._in_quote()) and bool(data.strip()))
            return
        if self._own_lines or self._in_pre():
            self._write(data)
        elif data.strip() or not self._breaks:
            self._write(re.sub(r"\s+", " ", data))

    def read(self) -> str:
        """The text, without spaces at the ends of lines and with at most one empty line between two."""
        self._end_link()
        text = "".join(self._text).replace("\xa0", " ").replace("\u200b", "").replace("\u200c", "")
        lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def _break(self, tag: str) -> None:
        """A new line before what comes next; an empty one too between paragraphs."""
        self._breaks = max(self._breaks, 2 if tag in _PARAGRAPHS and not self._lists else 1)

    def _write(self, text: str) -> None:
        self._text.append("\n" * min(self._breaks, 2) + text)
        self._breaks = 0

    def _why(self, tag: str, given: dict[str, str]) -> str:
        """Why an element is left out; "" when it is not."""
        if tag in _UNSEEN or "hidden" in given or _HIDDEN.search(given.get("style", "")):
            return "unseen"
        if given.get("id", "") in _REST_IS_QUOTED and any(part.strip() for part in self._text):
            self._ended = True
            return "quote"
        if tag == "blockquote":
            return "quote"
        if tag != "body" and (found := _QUOTES.search(given.get("class", ""))):
            return "mail" if tag == "div" and "gmail_quote" in found[0] else "quote"
        return ""

    def _reopen(self) -> None:
        """Behind the first quoted passage in a quoted mail stand answers between the lines."""
        for place in range(len(self._open) - 1, max(-1, len(self._open) - _DEPTH), -1):
            if self._open[place][1] == "mail":
                self._open[place] = (self._open[place][0], "")
                self._dropped -= 1
                return

    def _in_quote(self) -> bool:
        return any(why in ("quote", "mail") for _, why in self._open[-_DEPTH:])

    def _in_pre(self) -> bool:
        return any(name == "pre" for name, _ in self._open[-_DEPTH:])

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] < 0:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1]}. "

    def _end_link(self) -> None:
        """Put the address behind a link's text, where it is public and tells more than the text."""
        if self._link is None:
            return
        (url, start), self._link = self._link, None
        shown = " ".join("".join(self._text[start:]).split())
        if shown and is_public(url) and _bare(shown) != _bare(url):
            self._text[start:] = [f"{''.join(self._text[start:]).rstrip()} ({url.strip()})"]


_DEPTH = 64
"""How many open elements are looked at: broken HTML may never close any."""


def _bare(url: str) -> str:
    return re.sub(r"^https?://(?:www\.)?|/$", "", url.strip().lower())
