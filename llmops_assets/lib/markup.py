"""HTML that is left in a text: whether there is any, and the text without it. Links keep their address."""

import html
import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    "address article aside blockquote dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p "
    "pre section table tbody td tfoot th thead tr ul br".split()
)
_HIDDEN = frozenset({"script", "style", "head", "title", "template"})
_ELEMENTS = (
    _BLOCKS
    | _HIDDEN
    | frozenset(
        "a abbr b big body button center cite code del em font html i img input ins kbd label link mark meta option q"
        " s "
        "samp select small span strike strong sub sup svg time tt u video iframe object".split()
    )
)
_TAG = re.compile(
    rf"<(?:!--.*?(?:-->|$)|!doctype[^>]*>|/?(?:{'|'.join(sorted(_ELEMENTS, key=len, reverse=True))})"
    r"(?:\s+[a-z][\w:-]*(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+))?)*\s*/?>)",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:nbsp|amp|lt|gt|quot|apos|#\d{2,6}|#x[0-9a-f]{2,5}|[a-z]{2,8});", re.IGNORECASE)


def tags(text: str) -> list[str]:
    """The HTML tags and comments in a text, as they stand there; "a < b" and `<help@lumora.example>` are none."""
    return [match[0] for match in _TAG.finditer(text)]


def plain(text: str) -> str:
    """A text without HTML: blocks on lines of their own, items of lists with a dash, links with their address.

    A text without tags and entities stays as it is.
    """
    if not tags(text):
        return html.unescape(text) if _ENTITY.search(text) else text
    # What is no tag of HTML (`<PERSON_1>`, "<3 days") is text, which the parser would take for a tag.
    parts, last = [], 0
    for match in _TAG.finditer(text):
        parts += [text[last : match.start()].replace("<", "&lt;"), match[0]]
        last = match.end()
    reader = _Reader()
    reader.feed("".join((*parts, text[last:].replace("<", "&lt;"))))
    reader.close()
    lines = [re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag in _BLOCKS:
            self.parts.append("\n- " if tag == "li" else "\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
        elif tag == "img":
            self.parts.append("[image]")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a" and self._links:
            address = self._links.pop()
            if re.match(r"https?://", address) and address not in "".join(self.parts[-2:]):
                self.parts.append(f" ({address})")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(re.sub(r"\s*\n\s*", " ", data) if data.strip() else " " if data else "")
