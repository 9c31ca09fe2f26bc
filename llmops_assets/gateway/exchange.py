"""One request on its way through the steps: what was asked, what the steps have found out, and how far the answer is.

An exchange is made and closed by the chain (chain.py); steps (steps/) read and fill it.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from llmops_assets.gateway.callers import Caller
from llmops_assets.gateway.engine import Usage
from llmops_assets.gateway.interaction_log import Beside
from llmops_assets.gateway.progress import Progress
from llmops_assets.gateway.serving import Serving
from llmops_assets.gateway.spans import NO_SPAN, ExchangeSpan
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.deciding import Decision
from llmops_assets.lib.answering.knowledge import AnswerPath, Hit
from llmops_assets.lib.answering.reading import Turn
from llmops_assets.lib.answering.wordings import Kind, wording
from llmops_assets.lib.guarding import Finding

Which = Literal["live", "canary", "shadow", "preview"]


@dataclass(frozen=True)
class Ask:
    """A request as it came in. Its texts may hold personal data: only the first steps may read them.

    `history` is what was said before the question, oldest first, as far as it is read; `turn` how many questions of the
    conversation came before this one. `time` is when it was asked, where the caller may say
    so; None: now. `ignored` names what of the request changes nothing. `subject` is the pseudonym of who asks where the
    request was redacted before: then `conversation` is one too.
    """

    which: Which
    text: str
    history: tuple[Said, ...] = ()
    turn: int = 0
    user: str = ""
    conversation: str = ""
    time: datetime | None = None
    wishes: Wishes = NONE
    ignored: tuple[str, ...] = ()
    subject: str = ""

    @property
    def logged(self) -> bool:
        """Whether it is a customer's: whoever names the canary or the preview is testing it."""
        return self.which == "live"


@dataclass(frozen=True)
class Question:
    """What was asked and said before, redacted, by whom (a pseudonym), in which conversation, when."""

    text: str
    history: tuple[Said, ...]
    subject: str
    conversation: str
    time: datetime


@dataclass
class Exchange:
    """One request and its answer. `id` names the interaction from the beginning on.

    `question` and `serving` are set when admitted; `turn` is how the question was read, `decision` how it is answered;
    `shown` are the articles that the engine was shown; `findings` is what the guards found; `notice` is what the draft
    begins with to say that a machine writes; `path` says where `draft`, the answer as it shall be sent, comes from,
    `cut` whether a limit of tokens ended it, `shortened` whether its caller's limit or stop did. `usage` is what the
    engine read and wrote, of an answer that broke off until then; `counted` what the caller is told, None where nobody
    could count; `first_token` is how many seconds the engine took to its first piece. `personal` says that something
    was taken out of the conversation or the answer; `recalled_after` is the age of an answer out of the cache, in
    seconds. `held` frees what the exchange occupies; `closing` is the task that does so; `span` is the exchange as it
    is traced. `beside` is written in one transaction with the row of the answer.
    """

    caller: Caller
    ask: Ask
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    question: Question | None = None
    serving: Serving | None = None
    turn: Turn | None = None
    decision: Decision | None = None
    shown: list[Hit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notice: str = ""
    path: AnswerPath | None = None
    draft: str | None = None
    cut: bool = False
    shortened: bool = False
    usage: Usage = field(default_factory=Usage)
    counted: Usage | None = None
    first_token: float | None = None
    personal: bool = False
    recalled_after: float | None = None
    created: int = field(default_factory=lambda: int(time.time()))
    progress: Progress = field(default_factory=Progress)
    span: ExchangeSpan = NO_SPAN
    held: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    closing: asyncio.Task[None] | None = None
    beside: Beside | None = None
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
    def hits(self) -> list[Hit]:
        """The nearest articles, the nearest first; none without retrieval."""
        return self.turn.found.hits if self.turn else []

    @property
    def read_before(self) -> tuple[Said, ...]:
        """The turns before that the model reads: none where the question stands alone, as those it was tuned on."""
        return self.asked.history if self.turn is None or self.turn.leaning else ()

    @property
    def article(self) -> str | None:
        """The one article whose answer was given as it stands."""
        return self.cited[0].article if len(self.cited) == 1 and self.path == "matched" else None

    @property
    def cited(self) -> list[Hit]:
        """The articles that the answer rests on, or that a person who takes over may want to see."""
        return list(self.decision.cited) if self.path in ("matched", "handover") and self.decision else self.shown

    @property
    def language(self) -> str:
        """Two-letter code of the language that the question is in, as far as it was read."""
        told = self.decision.language if self.decision else ""
        read = self.turn.language if self.turn else ""
        return told or read or self.release.bundle.manifest.language

    @property
    def first(self) -> bool:
        """Whether it is the first of a conversation, as far as its sender sent the turns before it along."""
        return self.question is not None and not any(said.speaker == "assistant" for said in self.question.history)

    @property
    def refused(self) -> bool:
        """Whether a caller that reads JSON is told that a person answers, or nobody: it is no answer in that form."""
        return bool(self.ask.wishes.grammar) and self.path in ("handover", "refused")

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
        self.answer("handover", f"{reason} {self.words('handover')}".strip())

    def found(self, finding: Finding) -> None:
        """Note what a guard found, once."""
        if finding not in self.findings:
            self.findings.append(finding)

    def heed(self, findings: Iterable[Finding]) -> bool:
        """Note what guards found and let nobody or a person answer where one of them says so; whether one did.

        Who refuses comes before who hands over.
        """
        actions = set()
        for finding in findings:
            self.found(finding)
            actions.add(finding.action)
        if "refuse" in actions:
            self.answer("refused", self.words("refusal"))
        elif "hand_over" in actions:
            self.hand_over()
        return bool(actions & {"refuse", "hand_over"})

    def words(self, kind: Kind) -> str:
        """What the release says where it answers nothing, in the question's language where it knows it."""
        manifest = self.release.bundle.manifest
        own = {"handover": manifest.handover, **manifest.replies.get(manifest.language, {})}
        return wording(kind, self.language, {**manifest.replies, manifest.language: own}, manifest.language)

    def stop_clock(self) -> None:
        """The answer is made: how long its client takes to read it is no time of ours."""
        self._made = time.monotonic()
