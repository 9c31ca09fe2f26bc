"""One request on its way through the steps: what was asked, what the steps have found out, and how far the answer is.

An exchange is made and closed by the chain (chain.py); steps (steps/) read and fill it.
"""

import asyncio
import contextlib
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from llmops_assets.gateway.callers import Caller
from llmops_assets.gateway.engine import Usage
from llmops_assets.gateway.progress import Progress
from llmops_assets.gateway.serving import Serving
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.knowledge import AnswerPath, Hit

Which = Literal["live", "canary", "shadow", "preview"]


@dataclass(frozen=True)
class Ask:
    """A request as it came in. Its texts may hold personal data: only the first steps may read them.

    `time` is when it was asked, where the caller may say so; None: now. `ignored` names what of the request changes
    nothing.
    """

    which: Which
    text: str
    user: str = ""
    conversation: str = ""
    time: datetime | None = None
    wishes: Wishes = NONE
    ignored: tuple[str, ...] = ()

    @property
    def logged(self) -> bool:
        """Whether it is a customer's: whoever names the canary or the preview is testing it."""
        return self.which == "live"


@dataclass(frozen=True)
class Question:
    """What was asked, redacted, by whom (a pseudonym), in which conversation, when."""

    text: str
    subject: str
    conversation: str
    time: datetime


@dataclass
class Exchange:
    """One request and its answer. `id` names the interaction from the beginning on.

    `question` and `serving` are set when admitted; `hits` are the nearest articles, `shown` those that the engine was
    shown; `path` says where `draft`, the answer as it shall be sent, comes from, `cut` whether a limit of tokens ended
    it, `shortened` whether its caller's limit or stop did. `usage` is what the engine read and wrote, `counted` what
    the caller is told, None where nobody could count. `held` frees what the exchange occupies; `closing` is the task
    that does so.
    """

    caller: Caller
    ask: Ask
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    question: Question | None = None
    serving: Serving | None = None
    hits: list[Hit] = field(default_factory=list)
    shown: list[Hit] = field(default_factory=list)
    path: AnswerPath | None = None
    draft: str | None = None
    cut: bool = False
    shortened: bool = False
    usage: Usage = field(default_factory=Usage)
    counted: Usage | None = None
    created: int = field(default_factory=lambda: int(time.time()))
    progress: Progress = field(default_factory=Progress)
    held: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    closing: asyncio.Task[None] | None = None
    _started: float = field(default_factory=time.monotonic)
    _made: float | None = None

    @property
    def asked(self) -> Question:
        """The question, once redacted."""
        assert self.question is not None, "the question is not redacted yet"
        return self.question

    @property
    def release(self) -> Serving:
        """The release that answers, once chosen."""
        assert self.serving is not None, "no release is chosen yet"
        return self.serving

    @property
    def release_id(self) -> str:
        """The release's name, "" as long as none is chosen."""
        return self.serving.bundle.release_id if self.serving else ""

    @property
    def article(self) -> str | None:
        """The article whose answer was given as it stands."""
        return self.hits[0].article if self.hits and self.path == "matched" else None

    @property
    def cited(self) -> list[Hit]:
        """The articles that the answer rests on."""
        return {"matched": self.hits[:1], "generated": self.shown}.get(self.path or "", [])

    @property
    def refused(self) -> bool:
        """Whether a person's answer is announced to a caller that reads JSON: it is no answer in that form."""
        return bool(self.ask.wishes.grammar) and self.path == "handover"

    @property
    def finish(self) -> Literal["stop", "length"]:
        """Why the answer ends where it does."""
        return "length" if self.cut else "stop"

    @property
    def ignored(self) -> tuple[str, ...]:
        """What of the request changed nothing; of a published article also how it should have been sampled."""
        return (*self.ask.ignored, *(() if self.path == "generated" else self.ask.wishes.sampling))

    @property
    def similarity(self) -> float | None:
        """How near the nearest article is; None without retrieval."""
        return round(self.hits[0].similarity, 4) if self.hits else None

    @property
    def seconds(self) -> float:
        """How long the answer took to make, or has taken so far."""
        return round((self._made or time.monotonic()) - self._started, 4)

    def answer(self, path: AnswerPath, text: str) -> None:
        """Take a text as the answer, in place of whatever was the answer before."""
        self.path, self.draft, self.cut, self.shortened = path, text, False, False

    def hand_over(self, reason: str = "") -> None:
        """Let a person answer: with the release's handover, after the reason where there is one."""
        self.answer("handover", f"{reason} {self.release.bundle.manifest.handover}".strip())

    def stop_clock(self) -> None:
        """The answer is made: how long its client takes to read it is no time of ours."""
        self._made = time.monotonic()
