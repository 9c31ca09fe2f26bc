"""Unfilled slots in a text: what redaction put in place of a value, and the variables of templates.

In a question they are fine, since that is how a redacted question looks. In an answer they are a gap that a customer
would read: "Best, <PERSON_2>", "Dear [Your Name]", "order {{Order Number}}".
"""

import re

from llmops_assets.lib.markup import tags
from llmops_assets.lib.redaction.spans import PLACEHOLDER

_ENTITY = (
    "ADDRESS|BANK_CODE|CARD|COORDINATES|CUSTOMER_NUMBER|DATE_OF_BIRTH|DEVICE|EMAIL|IBAN|ID_NUMBER|IP|NATIONAL_ID"
    "|NUMBER_PLATE|ORDER_NUMBER|PASSPORT|PERSON|PHONE|POSTCODE|SECRET|SOCIAL_SECURITY|TICKET_NUMBER|TRACKING|USERNAME"
)
_WORDS = r"[A-Za-z'/&-]+(?:[ _][A-Za-z'/&-]+){0,5}"
_NOUN = (
    r"names?|surname|numbers?|id|e-?mail|address|phone|date|time|amount|company|organi[sz]ation|signature|link|url"
    r"|website|city|country|code|postcode|person|customer|user|username|agent|product|placeholder"
)
_SLOT = rf"(?i:(?:your|insert|enter)[ _]{_WORDS}|(?:{_WORDS}[ _])?(?:{_NOUN}))"
"""What a slot of a letter says: "your …", "insert …", or words that end in a noun for what is to be filled in."""

_SLOTS = re.compile(
    "|".join(
        (
            # Of redaction, and what a model makes of it: <person 1>, [EMAIL], PHONE_2; cut off at the end.
            PLACEHOLDER.pattern,
            rf"(?:<|\[|&lt;)\s?(?:(?i:{_ENTITY})[ _-]?\d+|{_ENTITY})\s?(?:>|\]|&gt;)",
            rf"(?<!\w)(?:{_ENTITY})_\d+(?!\w)",
            r"<[A-Z]{2,}[A-Z_]*\d*$",
            # Of templates: {{name}}, {% name %}, ${name}, %{name}, #{name}, %(name)s, {first_name}.
            r"\{\{[^{}\n]{0,80}(?:\}\}|$)",
            r"\{%[^{}\n]{1,80}%\}",
            r"[%#$]\{[^{}\n]{1,80}(?:\}|$)",
            r"%\([A-Za-z_]\w*\)[sdfr]",
            r"(?<![\w\\}{])\{[A-Za-z_]\w+\}",
            # Of mail merges and CRMs: <<Name>>, «Name», __NAME__, *|FNAME|*, [[name]], [% name %], <%= name %>,
            # ##NAME##, @@name@@, $name$, %NAME%.
            r"<<\s?[A-Za-z_][\w .-]{0,60}\s?>>|«\s?[A-Za-z_][\w .-]{0,60}\s?»|&lt;&lt;[A-Za-z_][\w .-]{0,60}&gt;&gt;",
            r"(?<!\w)__[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*__(?!\w|\.\w)|\*\|[A-Z_:0-9]+\|\*"
            r"|\[\[\s?[\w .-]{1,60}\s?\]\]",
            r"\[%[^\[\]\n]{1,80}%\]|<%[^<>\n]{1,80}%>|##[A-Z_]{2,40}##|@@[A-Za-z_]{2,40}@@"
            r"|(?<![\w$])\$[A-Za-z_]{2,40}\$(?!\w)|(?<![\w%])%[A-Z]{2,}[A-Z_]*%(?!\w)",
            # Of letters: [name], [Your Name], <order number>. Not a Markdown link, which goes on with a round bracket,
            # nor a single word that is an HTML element.
            rf"\[\s?{_SLOT}\s?\](?!\()",
            rf"<\s?(?!(?:address|time|link|code)>){_SLOT}\s?>",
        )
    )
)


def placeholders(text: str) -> list[str]:
    """The unfilled slots in a text, as they stand there, in order; empty for a text that may be sent.

    Found are placeholders of redaction (`<PERSON_1>`), also distorted or cut off at the end; template variables
    (`{{name}}`, `%{name}`, `#{name}`, `${name}`, `{first_name}`); and slots of letter templates, whose words say what
    is to be filled in (`[Your Name]`, `<order number>`). Footnotes, comparisons, links and HTML elements are none.
    """
    return [match[0] for match in _SLOTS.finditer(text)]


def unservable(text: str) -> list[str]:
    """What in a text no customer may read, as it stands there: unfilled slots and HTML tags."""
    return [*placeholders(text), *tags(text)]
