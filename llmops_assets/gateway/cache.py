"""Answers that were given before, by exactly the same question of the same conversation to the same release.

Bounded in number and age, in memory only; the least recently used answer goes first. What may be remembered at all is
decided by the steps that ask (steps/cache.py). Why it is as it is: docs/decisions/telemetry.md.
"""

import hashlib
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llmops_assets.gateway.engine import Usage
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.deciding import Decision
from llmops_assets.lib.answering.knowledge import AnswerPath, Hit
from llmops_assets.lib.answering.reading import Turn


@dataclass(frozen=True)
class Remembered:
    """An answer that passed the guards, how it came about, and what it took: the engine's `usage`, what the caller was
    told (`counted`), and `seconds`."""

    path: AnswerPath
    text: str
    turn: Turn | None
    decision: Decision | None
    shown: tuple[Hit, ...]
    usage: Usage
    counted: Usage | None
    cut: bool
    seconds: float


class AnswerCache:
    """At most `most` answers, each for `seconds`. Safe for several threads."""

    def __init__(self, most: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        if most < 1 or seconds <= 0:
            raise ValueError(f"a cache of {most} answers for {seconds} s keeps nothing: leave it out instead")
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[float, Remembered]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: bytes) -> tuple[Remembered, float] | None:
        """The answer of a key and its age in seconds; None where there is none that is young enough."""
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            made, answer = found
            age = self._clock() - made
            if age >= self._seconds:
                del self._known[key]
                return None
            self._known.move_to_end(key)
            return answer, age

    def add(self, key: bytes, answer: Remembered) -> None:
        """Remember an answer in place of the one of the same key, and forget the least recently used ones."""
        with self._lock:
            self._known[key] = self._clock(), answer
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def key_of(release: str, role: str, scopes: Iterable[str], question: str, history: Sequence[Said]) -> bytes:
    """What an answer belongs to: a release (whose id covers its policies), a role with its scopes, a conversation.

    Texts are compared in Unicode's composed form without doubled white space; everything else of them counts.
    """
    parts = [release, role, *sorted(scopes), "", question]
    for said in history:
        parts += [said.speaker, said.text]
    digest = hashlib.sha256()
    for part in parts:
        data = " ".join(unicodedata.normalize("NFC", part).split()).encode()
        # With its length before it no part can be taken for another.
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
