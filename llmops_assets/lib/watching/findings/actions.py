"""What helps against a finding: a table of rules, the first that holds. No rule reads what a customer wrote."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmops_assets.lib.corpus.corrections import MINIMUM_AGREEING
from llmops_assets.lib.records import FindingAction
from llmops_assets.lib.statistics import wilson
from llmops_assets.lib.watching.findings.junk import JUNK_SHARE
from llmops_assets.lib.watching.findings.members import Member
from llmops_assets.lib.watching.findings.rushes import BURST, busiest

BURST_SHARE = 0.6
"""Share of a day's questions that come within two hours when something has happened."""
BURST_QUESTIONS = 10
BURST_OVER_REST = 2.5
"""How much larger that share must be than that of all questions of the day in these two hours."""
NEAR_ARTICLE = 0.75
"""Mean cosine of the questions to an article's, from which on the article should have answered them."""


@dataclass(frozen=True)
class Figures:
    """What is counted of a finding.

    `burst` and `rest` are the shares of its and of all other questions of the newest day in its busiest two hours,
    `agreeing` and `held` are corrections that say the same and may teach, or wait for a person, `answers` are those of
    agents that articles are made of, `settled` is the share answered badly up to which it is answered well, `shared`
    the part of its texts that they have in common, `rush` whether many asked at once and were not helped.
    """

    questions: int
    badly: int
    guarded: int = 0
    failed: int = 0
    newest: int = 0
    burst: float = 0.0
    rest: float = 1.0
    agreeing: int = 0
    held: int = 0
    answers: int = 0
    written: bool = False
    article_similarity: float = 0.0
    settled: float = 0.15
    shared: float = 1.0
    rush: bool = False

    @property
    def answered_badly(self) -> bool:
        """Whether it is shown that more than the settled share is answered badly."""
        return answered_badly(self.badly, self.questions, self.settled)


def answered_badly(badly: int, questions: int, settled: float) -> bool:
    """Whether the 95 % interval of the share answered badly begins above `settled`."""
    return questions > 0 and wilson(badly, questions)[0] > settled


Rule = Callable[[Figures], str]
"""Why an action helps, or "" where it does not."""


def _attack(found: Figures) -> str:
    return f"a guard stopped {found.guarded} of {found.questions}" if 2 * found.guarded > found.questions else ""


def _incident(found: Figures) -> str:
    if 2 * found.failed > found.questions:
        return f"the engine failed at {found.failed} of {found.questions}"
    if found.rush:
        return f"{found.newest} questions of two hours were answered badly, far more than in the rest of the day"
    sudden = found.burst >= BURST_SHARE and found.burst >= BURST_OVER_REST * found.rest
    if sudden and found.newest >= BURST_QUESTIONS and found.answered_badly:
        return f"{found.burst:.0%} of {found.newest} questions came within two hours, {found.rest:.0%} of all others"
    return ""


def _junk(found: Figures) -> str:
    if found.shared > JUNK_SHARE or found.answers or found.agreeing or found.written:
        return ""
    return f"its texts have {found.shared:.0%} of their sequences of letters in common: they are of no language"


def _volume_only(found: Figures) -> str:
    told = f"{found.badly} of {found.questions} were answered badly: it is not shown that more than {found.settled:.0%}"
    return "" if found.answered_badly else f"{told} are"


def _retrain(found: Figures) -> str:
    told = f"{found.badly} of {found.questions} were answered badly"
    if found.written:
        return f"{told}, and editors wrote an article"
    if found.answers >= MINIMUM_AGREEING:
        return f"{told}, and agents answered {found.answers}, of which articles are made"
    return f"{told}, and {found.agreeing} corrections agree" if found.agreeing >= MINIMUM_AGREEING else ""


def _decide_feedback(found: Figures) -> str:
    told = (
        f"{found.badly} of {found.questions} were answered badly as some say, whose {found.held} agreeing corrections"
    )
    return f"{told} are held back" if found.held >= MINIMUM_AGREEING else ""


def _fix_retrieval(found: Figures) -> str:
    told = f"{found.badly} of {found.questions} were answered badly, though an article is near"
    return f"{told} (cosine {found.article_similarity:.2f})" if found.article_similarity >= NEAR_ARTICLE else ""


def _write_article(found: Figures) -> str:
    return f"{found.badly} of {found.questions} were answered badly, and nobody has said what is right"


ACTIONS: tuple[tuple[FindingAction, Rule], ...] = (
    ("attack", _attack),
    ("junk", _junk),
    ("incident", _incident),
    ("volume_only", _volume_only),
    ("retrain", _retrain),
    ("decide_feedback", _decide_feedback),
    ("fix_retrieval", _fix_retrieval),
    ("write_article", _write_article),
)
"""By action; the first whose reason is not empty, and the last always has one."""


def proposed(found: Figures) -> tuple[FindingAction, str]:
    """The action for a finding, and why."""
    return next((action, why) for action, rule in ACTIONS if (why := rule(found)))


def burst(members: Sequence[Member], everything: Sequence[Member]) -> tuple[float, float]:
    """(share of a day's questions of a finding in its busiest two hours, share of all questions of the day in them)."""
    if not members:
        return 0.0, 1.0
    times = sorted(one.time for one in members)
    start = busiest(times)
    own = sum(start <= at <= start + BURST for at in times) / len(times)
    others = set(members)
    rest = [one.time for one in everything if one not in others]
    return own, sum(start <= at <= start + BURST for at in rest) / len(rest) if rest else 1.0
