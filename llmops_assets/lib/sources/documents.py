"""Published answers: a section of Markdown or HTML is a question (its heading) and an answer (its text).

A heading without text of its own belongs to the titles of the sections below it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the text below it, up to the next heading. `path` are the headings above it, outermost first."""

    line: int
    title: str
    text: str
    path: tuple[str, ...] = ()


def markdown_sections(text: str) -> Iterator[Section]:
    """The sections of a Markdown text, in order; text before the first heading is none. Bodies stay Markdown."""
    from markdown_it import MarkdownIt

    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").parse(text)
    heads = [
        (token.map, int(token.tag[1]), tokens[position + 1].content)
        for position, token in enumerate(tokens)
        if token.type == "heading_open" and token.map and token.level == 0
    ]
    above: dict[int, str] = {}
    for number, (span, level, title) in enumerate(heads):
        end = heads[number + 1][0][0] if number + 1 < len(heads) else len(lines)
        path = tuple(above[n] for n in sorted(above) if n < level)
        above = {n: name for n, name in above.items() if n < level} | {level: title}
        body = "\n".join(lines[span[1] : end]).strip()
        if body:
            yield Section(span[0] + 1, title.strip(), body, path)


def html_sections(text: str) -> Iterator[Section]:
    """The sections of an HTML page, in order: headings, terms of a definition list and summaries of details."""
    parser = _Page()
    parser.feed(text)
    parser.close()
    parser.end_section()
    yield from parser.sections


_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6, "dt": 7, "summary": 7}
_HIDDEN = {"script", "style", "template", "head"}
_BLOCKS = {"p", "div", "br", "li", "tr", "ul", "ol", "table", "blockquote", "pre", "section", "article", "dd", "hr"}


@dataclass
class _Open:
    line: int = 0
    level: int = 0
    title: str = ""
    path: tuple[str, ...] = ()


class _Page(HTMLParser):
    """Collects text, and cuts it where headings begin."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: list[Section] = []
        self._text: list[str] = []
        self._hidden = 0
        self._above: dict[int, str] = {}
        self._open: _Open | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "dd" and self._open is not None and not self._open.title:
            self.handle_endtag("dt")  # HTML lets it out
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag in _HEADINGS:
            self.end_section()
            self._open = _Open(self.getpos()[0], _HEADINGS[tag])
        elif tag in _BLOCKS:
            self._text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _HEADINGS and self._open is not None:
            self._open.title = self.read()
            self._open.path = tuple(self._above[n] for n in sorted(self._above) if n < self._open.level)
            self._above = {n: name for n, name in self._above.items() if n < self._open.level}
            self._above[self._open.level] = self._open.title
            self._text = []
        elif tag in _BLOCKS:
            self._text.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._text.append(data)

    def read(self) -> str:
        """The text collected so far, with single spaces and no empty lines."""
        lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(self._text).split("\n"))
        return "\n".join(line for line in lines if line)

    def end_section(self) -> None:
        """Close the section that is open; without a title or text it is none."""
        body, opened = self.read(), self._open
        self._text, self._open = [], None
        if opened is not None and opened.title and body:
            self.sections.append(Section(opened.line, opened.title, body, opened.path))
