"""Texts in the cells of a table that people open in a spreadsheet: none of them may run as a formula there.

A cell that begins with one of STARTS is a formula to Excel, LibreOffice and Google Sheets, whoever wrote it (CWE-1236,
https://owasp.org/www-community/attacks/CSV_Injection). An apostrophe before it makes it a text; `restored` takes it off
again, so that what comes back is what went out.
"""

import re

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""The last four are full-width forms, which spreadsheets of East Asia read as the others."""
_FORMULA = re.compile(rf"'*[{re.escape(STARTS)}]")


def escaped(text: str) -> str:
    """A text that no spreadsheet runs."""
    return f"'{text}" if _FORMULA.match(text) else text


def restored(text: str) -> str:
    """The text that `escaped` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
