"""What somebody wrote in a mail, without what their mail program, their company and the help desk put around it.

Quoted history, mail headers, mobile footers, disclaimers, unsubscribe lines and automatic notices are cut, answers
between quoted lines stay. Greetings and an agent's signature stay too: what of an answer may teach is judged after
redaction. Every step passes the lines a few times at most. Why no library: docs/decisions/sources.md.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmops_assets.lib import markup
from llmops_assets.lib.sources import phrases

QUOTED, HEADERS, FOOTER = "quoted mail", "mail headers", "mail footer"
DISCLAIMER, NOTICE, SIGNATURE = "disclaimer", "automatic notice", "customer's signature"

LONGEST = 400_000
"""Characters; a longer text comes back as it is, and is refused by who asked."""


@dataclass(frozen=True, slots=True)
class Written:
    """The text that somebody wrote, and the kinds of what was cut, in order of place, each once."""

    text: str
    cut: tuple[str, ...] = ()


def written(text: str, *, html: bool | None = None, mail: bool = False, customer: bool = False) -> Written:
    """What was written, of a text that may be HTML and may be a mail.

    `html` None: the text shows it. `mail`: lines that begin with > are quoted, whether or not a line says whose they
    are. `customer`: what stands below a line of two hyphens (RFC 3676, 4.3) is cut too. A text in which nothing is cut
    comes back as it is; character references are resolved in HTML and in mails.
    """
    if len(text) > LONGEST:
        return Written(text)
    if html or (html is None and markup.is_html(text)):
        read = markup.plain(text)
        rest = cut(read.text, mail=True, customer=customer)
        kinds = (QUOTED, *rest.cut) if read.quoted else rest.cut
        return Written(re.sub(r"\n{2,}", "\n", rest.text), tuple(dict.fromkeys(kinds)))
    return cut(markup.references(text) if mail else text, mail=mail, customer=customer)


def cut(text: str, *, mail: bool = False, customer: bool = False) -> Written:
    """`written` of a text that is no HTML."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kinds: list[str] = []
    marked = len(lines) > 1 or ":" in text or "--" in text or phrases.is_above(text)
    for _ in range(_PASSES):
        before = lines
        if marked:
            lines = _without_quotes(lines, mail, kinds)
        if customer:
            lines = _without_signature(lines, kinds)
        lines = _without_footers(lines, kinds)
        if lines == before:
            break
    if notice := _is_notice(lines):
        kinds.append(notice)
        lines = []
    if not kinds:
        return Written(text)
    return Written(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), tuple(dict.fromkeys(kinds)))


def is_bare(text: str) -> bool:
    """Whether a text is one line without any mark of HTML or of a mail, and begins as no phrase does.

    Nothing is cut of it: most texts are so, and must cost little.
    """
    if "\n" in text or "<" in text or "--" in text or "\r" in text:
        return False
    # One line is an old mail only with an address in it, or says whose mail follows.
    if ":" in text and ("@" in text or text.rstrip().endswith(":")):
        return False
    if phrases.may_end_above(text):
        return False
    if not phrases.STARTS.may(text):
        return True
    if any(opening.starts.may(text) for opening in phrases.OF_A_LINE):
        return False
    said = _ungreeted(text)
    return not any(phrases.NOTICE.starts.may(begun) for begun in (text, said, _unthanked(said)))


# -- quoted mails -------------------------------------------------------------------------------------------------

_PASSES = 4
"""What stood above something that was cut may then be cut itself; most texts need one pass."""
_QUOTE = re.compile(r"\s{0,3}>")


def _without_quotes(lines: Sequence[str], mail: bool, kinds: list[str]) -> list[str]:
    """The lines that are no quoted mail, with an empty one where some were."""
    kept: list[str] = []
    attributed, own, place = False, False, 0
    last_quote = max((number for number, line in enumerate(lines) if _QUOTE.match(line)), default=-1)
    while place < len(lines):
        line = lines[place]
        if not line.strip():
            kept.append(line)
            place += 1
            continue
        if _QUOTE.match(line):
            end = place
            while end < len(lines) and _QUOTE.match(lines[end]):
                end += 1
            if attributed or _is_quotation(lines, place, end, mail, own):
                kinds.append(QUOTED)
                kept.append("")
            else:
                kept += lines[place:end]
                own = True
            place = end
            continue
        length = _attribution(lines, place)
        if length:
            kinds.append(QUOTED)
            place += length
            if last_quote >= place:
                attributed = True
                kept.append("")
                continue
            break
        headers = _headers(lines, place)
        if headers or phrases.is_above(line) or phrases.SEPARATOR.match(line) or _is_rule(lines, place):
            if own:
                kinds.append(QUOTED)
                break
            # A mail that begins with headers was passed on as a whole: its text is what is said.
            kinds.append(HEADERS)
            place += max(headers, 1)
            continue
        flat = _flat(line)
        if flat is not None:
            kinds.append(QUOTED)
            if line[:flat].strip():
                kept.append(line[:flat].rstrip())
            break
        kept.append(line)
        own = True
        place += 1
    return kept


def _is_quotation(lines: Sequence[str], start: int, end: int, mail: bool, own: bool) -> bool:
    """Whether a block of lines that begin with > is quoted: Markdown and `> 5 kg` begin so too."""
    if not any(re.search(r"\w\w", line) for line in lines[start:end]):
        return False
    behind = any(line.strip() for line in lines[end:])
    if mail:
        return end - start > 1 or own or behind
    return end - start > 1 and own != behind


def _attribution(lines: Sequence[str], place: int) -> int:
    """How many lines from here on say who wrote what follows; 0 for none. Mail programs wrap them."""
    joined = ""
    for length in range(1, 5):
        if place + length > len(lines) or not lines[place + length - 1].strip():
            return 0
        joined = f"{joined} {lines[place + length - 1].strip()}"
        if len(joined) > 400:
            return 0
        if length == 2 and not phrases.BEGINS.match(lines[place]):
            return 0
        if joined.endswith(":") and (
            (phrases.ATTRIBUTION.search(joined) and phrases.DATED.search(joined) and not phrases.TOLD.search(joined))
            or (length == 1 and phrases.OLD_GMAIL.match(joined))
        ):
            return length
    return 0


def _headers(lines: Sequence[str], place: int) -> int:
    """How many lines from here on are the headers of a mail; 0 where they may be a form's."""
    found: set[str] = set()
    length = 0
    for line in lines[place : place + 24]:
        header = phrases.HEADER.match(line)
        if header:
            found.add(str(header.lastgroup))
        elif not line.strip() or not length or not line[:1].isspace():
            break
        length += 1
    mail = {"sent", "title"} & found or any("@" in line for line in lines[place : place + length])
    if "by" in found and {"sent", "date"} & found and {"to", "title"} & found and mail:
        return length
    return length if "other" in found and len(found) > 2 else 0


def _is_rule(lines: Sequence[str], place: int) -> bool:
    """Whether a line is Outlook's rule above an old mail."""
    if not phrases.RULE.match(lines[place]):
        return False
    following = next((later for later in range(place + 1, min(place + 4, len(lines))) if lines[later].strip()), None)
    return following is not None and (_headers(lines, following) > 0 or _attribution(lines, following) > 0)


def _flat(line: str) -> int | None:
    """Where in a line an old mail begins, when an export has made one line of all; None where none does."""
    if len(line) < 40:
        return None
    starts = []
    if ":" in line:
        for found in itertools.islice(phrases.FLAT_BY.finditer(line), 8):
            header = line[found.start() : found.start() + 400]
            if "@" in header and phrases.FLAT_SENT.search(header) and phrases.FLAT_TO.search(header):
                starts.append(found.start())
                break
        attribution = phrases.FLAT_ATTRIBUTION.search(line) if phrases.ATTRIBUTION.search(line) else None
        if attribution and "@" in attribution[0] and not phrases.TOLD.search(attribution[0]):
            starts.append(attribution.start())
    if "---" in line and (separator := phrases.SEPARATOR_WITHIN.search(line)):
        starts.append(separator.start())
    return min(starts, default=None)


# -- footers ------------------------------------------------------------------------------------------------------

_DISCLAIMER_LINES = 30


def _without_footers(lines: Sequence[str], kinds: list[str]) -> list[str]:
    """The lines without footers and disclaimers; a disclaimer goes to the end of its paragraph."""
    kept: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        found = phrases.FOOTER.match(line) if len(line) < 400 and "?" not in line else None
        if found and (not found["alone"] or any(other.strip() for other in kept)):
            kinds.append(FOOTER)
            kept.append("")
        elif phrases.DISCLAIMER.match(line):
            end = place
            while end < min(len(lines), place + _DISCLAIMER_LINES) and lines[end].strip():
                end += 1
            paragraph = " ".join(lines[place:end])
            if "?" not in paragraph and phrases.CONFIDENTIAL.search(paragraph) and phrases.OF_A_MAIL.search(paragraph):
                kinds.append(DISCLAIMER)
                kept.append("")
                place = end
                continue
            kept.append(line)
        else:
            kept.append(line)
        place += 1
    return kept


_HYPHENS = re.compile(r"--\s?$")
_SIGNATURE_LINES = 15


def _without_signature(lines: Sequence[str], kinds: list[str]) -> list[str]:
    """The lines above the signature's hyphens, where there are some and few below."""
    for place in range(max(1, len(lines) - _SIGNATURE_LINES), len(lines)):
        if _HYPHENS.match(lines[place]) and any(line.strip() for line in lines[:place]):
            kinds.append(SIGNATURE)
            return list(lines[:place])
    return list(lines)


# -- notices ------------------------------------------------------------------------------------------------------

_LONGEST_NOTICE = 4000


def _is_notice(lines: Sequence[str]) -> str:
    """NOTICE where the whole text is one that nobody wrote, or "".

    A text that asks something is none, unless the notice quotes it (a merge names the other ticket's last words).
    """
    text = "\n".join(lines)
    begun = _ungreeted(text)[:_LONGEST_NOTICE]
    found = phrases.NOTICE.match(begun) or phrases.NOTICE.match(_unthanked(begun))
    if not found:
        return ""
    return "" if "?" in text and phrases.OF_ONESELF.match(begun) else NOTICE


def _ungreeted(text: str) -> str:
    """What stands behind a greeting."""
    greeting = phrases.GREETING.match(text)
    return text[greeting.end() :] if greeting else text.lstrip()


def _unthanked(text: str) -> str:
    """What stands behind thanks for having written."""
    thanks = phrases.THANKS.match(text)
    return text[thanks.end() :] if thanks else text
