"""Personal data out of texts: recognisers for support chats around Presidio, and keyed pseudonyms of people.

`Redactor` (redactor.py) is what others use. The recognisers are plain functions from a text to spans: identifiers.py
(numbers), addresses.py, names.py, replies.py (a turn that answers a question), memory.py (what a conversation knows);
models.py holds the language models, subjects.py the pseudonyms.
"""

from llmops_assets.lib.redaction.redactor import Redacted, Redactor, public_words
from llmops_assets.lib.redaction.spans import Span
from llmops_assets.lib.redaction.subjects import SUBJECT_KEY_VARIABLE, load_subject_key, load_subject_keys

__all__ = [
    "SUBJECT_KEY_VARIABLE",
    "Redacted",
    "Redactor",
    "Span",
    "load_subject_key",
    "load_subject_keys",
    "public_words",
]
