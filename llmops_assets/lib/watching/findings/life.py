"""Findings from day to day: which questions of today are whose, what begins, merges, splits, is cured, comes back.

A day is a pure function of the findings of the day before and of today's questions, so that a day that is judged again
has the same findings with the same ids.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from llmops_assets.lib.corpus.corrections import AGREEMENT
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import (
    Cure,
    DecisionPolicy,
    Finding,
    Refusal,
    TrainingCost,
)
from llmops_assets.lib.records.findings import FindingKind
from llmops_assets.lib.statistics import share_fell
from llmops_assets.lib.watching.findings.actions import Figures, answered_badly, burst, proposed
from llmops_assets.lib.watching.findings.junk import JUNK_SHARE, shared
from llmops_assets.lib.watching.findings.members import Case, Member, counted
from llmops_assets.lib.watching.findings.rushes import rush
from llmops_assets.lib.watching.findings.topics import NEAR, groups, nearest, odd

FEWEST, FEWEST_SENDERS = 4, 3
"""Questions and people without whom nothing is a finding."""
FEWEST_KNOWN = 5
"""Different badly answered questions of a known topic without which nothing is said of it."""
GROWN_QUESTIONS, GROWN_TIMES, GROWN_DEVIATIONS = 10, 2.0, 4.0
"""A known topic has grown when it is asked so often, so many times as often as expected, and so far above chance."""
FAILED_SHARE = 0.05
"""Share of a day's questions that the engine may fail at."""
KEPT = 1000
"""Questions of a finding that are kept, the newest."""
ARTICLES = 3


@dataclass(frozen=True)
class Known:
    """What is known of questions: unit vectors (n, d), the intent and the day of each; the cosine distance beyond which
    a question is far from all of them."""

    vectors: np.ndarray
    intents: Sequence[str]
    days: Sequence[date]
    threshold: float


@dataclass(frozen=True)
class Articles:
    """The served articles by the unit vectors (n, d) of their questions, with the ids of those that editors wrote."""

    ids: Sequence[str]
    vectors: np.ndarray
    written: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Learned:
    """What a release, or a candidate, was made from: findings, up to which day, and what its training took.

    `stopped` is why a candidate may not serve ("": it may), `next_step` what helps.
    """

    release: str = ""
    findings: tuple[str, ...] = ()
    until: date | None = None
    cost: TrainingCost | None = None
    stopped: str = ""
    next_step: str = ""

    def of(self, finding: Finding) -> bool:
        """Whether it was made from a finding since that began or came back."""
        return finding.id in self.findings and self.until is not None and self.until >= finding.since


@dataclass(frozen=True)
class Day:
    """A day's questions that count, and everything they are held against. `vectors` maps every text to its unit vector:
    questions and corrections of today and of the findings before."""

    day: date
    asked: Sequence[Member]
    vectors: Mapping[str, np.ndarray]
    known: Known
    articles: Articles
    policy: DecisionPolicy
    settled: float = 0.15
    serving: Learned = Learned()
    candidate: Learned = Learned()
    from_conversations: bool = False
    """Whether articles are made out of what agents answered, so that each answer of theirs is knowledge."""
    closings: Mapping[str, tuple[date, str]] = field(default_factory=dict)
    """Finding to the day on which a person closed it, and what stands for the reason."""


def carried(day: Day, before: Sequence[Case]) -> list[Case]:
    """The findings at the end of a day, out of those of the day before and of the day's questions.

    Closed ones are carried on for `horizon_days`, in which they come back by themselves.
    """
    oldest = day.day - timedelta(days=day.policy.horizon_days)
    active = [
        case
        for case in before
        if case.finding.state != "merged" and (case.finding.closed_on is None or case.finding.closed_on >= oldest)
    ]
    failed = [one for one in day.asked if one.failed]
    attacks = [one for one in day.asked if one.guard and not one.failed]
    asked = sorted((one for one in day.asked if not (one.failed or one.guard)), key=lambda one: (one.time, one.id))
    topics = [case for case in active if case.finding.kind == "new"]
    sudden = _rush(day, topics, asked)
    cases = _by_topic(day, [case for case in active if case.finding.kind == "rush"], "rush", {"": sudden})
    taken = {one.id for one in sudden}
    new, rest = _new_topics(day, topics, [one for one in asked if one.id not in taken])
    cases += new
    cases += _known_topics(day, [case for case in active if case.finding.kind == "known"], rest)
    by_guard: dict[str, list[Member]] = defaultdict(list)
    for one in attacks:
        by_guard[one.guard].append(one)
    cases += _by_topic(day, [case for case in active if case.finding.kind == "attack"], "attack", by_guard)
    enough = len(failed) > FAILED_SHARE * len(day.asked)
    errors = [case for case in active if case.finding.kind == "errors"]
    cases += _by_topic(day, errors, "errors", {"": failed} if enough else {})
    found = [case if case.finding.state == "merged" else _moved_on(day, case) for case in cases]
    return sorted(found, key=lambda case: (case.finding.first_seen, case.finding.id))


def identity(kind: FindingKind, topic: str, day: date, members: Sequence[Member]) -> str:
    """The id of a finding that begins: the same for the same questions, whatever their order."""
    seed = [kind, topic, str(day), "" if topic else sorted(one.id for one in members)]
    return f"f-{hash_json(seed)[:10]}"


# -- whose a question is ------------------------------------------------------------------------------------------


def _rush(day: Day, topics: Sequence[Case], asked: Sequence[Member]) -> list[Member]:
    """The questions of many at once who are not helped; those of a topic that was found before are that topic's."""
    owners = _belongs(day, topics, _stack([day.vectors[one.question] for one in asked], day.known))
    found = rush([one for one, owner in zip(asked, owners, strict=True) if not owner])
    return found if _enough(found) and shared([one.question for one in found]) > JUNK_SHARE else []


def _new_topics(day: Day, before: Sequence[Case], asked: Sequence[Member]) -> tuple[list[Case], list[Member]]:
    """The findings of new topics with today's questions, and the questions that are of none."""
    vectors = _stack([day.vectors[one.question] for one in asked], day.known)
    likeness, index = nearest(vectors, day.known.vectors)
    intents = [day.known.intents[n] if len(day.known.intents) else "" for n in index]
    asked = [replace(one, intent=intent) for one, intent in zip(asked, intents, strict=True)]
    may_be = odd(vectors, likeness, [one.badly for one in asked], day.known.threshold)
    nearest_case = _belongs(day, before, vectors)
    pool = [(case.finding.id, one) for case in before for one in case.members]
    pool += [("", one) for n, one in enumerate(asked) if may_be[n] or nearest_case[n]]
    owner = {one.id: nearest_case[n] for n, one in enumerate(asked) if nearest_case[n]}
    by_id = {case.finding.id: case for case in before}
    moved: dict[str, str] = {}
    merged: dict[str, str] = {}
    begun: dict[str, str] = {}
    claimed: set[str] = set()
    for group in _grouped(pool, day.vectors):
        held = Counter(finding for finding, _ in group if finding)
        fresh = [one for finding, one in group if not finding]
        votes = held + Counter(owner[one.id] for one in fresh if one.id in owner)
        if not votes:
            if _enough(fresh):
                name = identity("new", "", day.day, fresh)
                begun[name] = ""
                owner |= {one.id: name for one in fresh}
            continue
        ranked = sorted(votes, key=lambda f: (-votes[f], by_id[f].finding.first_seen, f))
        most = merged.get(ranked[0], ranked[0])
        if most in claimed and _enough(fresh):
            name = identity("new", "", day.day, fresh)
            begun[name] = most
            owner |= {one.id: name for one in fresh}
            moved |= {one.id: name for finding, one in group if finding == most}
            continue
        one_of = [
            f
            for f in ranked
            if by_id[f].finding.state == by_id[most].finding.state == "open"
            and f not in claimed
            and f not in merged
            and 2 * held[f] >= len(by_id[f].members)
        ]
        keeps = min(one_of, key=lambda f: (by_id[f].finding.first_seen, f), default=most)
        merged |= {f: keeps for f in one_of if f != keeps}
        claimed |= {keeps, most}
        owner |= {one.id: keeps for one in fresh}
    return _settled(day, before, asked, owner, moved, merged, begun)


def _settled(
    day: Day,
    before: Sequence[Case],
    asked: Sequence[Member],
    owner: Mapping[str, str],
    moved: Mapping[str, str],
    merged: Mapping[str, str],
    begun: Mapping[str, str],
) -> tuple[list[Case], list[Member]]:
    """The cases after today's questions, and old ones that moved, were given to their owners."""
    of: dict[str, list[Member]] = defaultdict(list)
    for case in before:
        for one in case.members:
            of[merged.get(moved.get(one.id, case.finding.id), moved.get(one.id, case.finding.id))].append(one)
    for one in asked:
        if name := owner.get(one.id):
            of[merged.get(name, name)].append(one)
    cases = []
    for case in before:
        finding = case.finding
        if into := merged.get(finding.id):
            cases.append(Case(finding.model_copy(update={"state": "merged", "into": into}), ()))
            continue
        taken = tuple(sorted(f for f, into in merged.items() if into == finding.id))
        split = any(parent == finding.id for parent in begun.values())
        cases.append(_with(day, finding, of[finding.id], anew=bool(taken) or split, merged=(*finding.merged, *taken)))
    cases += [_begun(day, "new", "", of[name], name, parent) for name, parent in begun.items()]
    return cases, [one for one in asked if one.id not in owner]


def _belongs(day: Day, before: Sequence[Case], vectors: np.ndarray) -> list[str]:
    """The finding whose questions are nearer to each of today's than what was known before it began; "" for none.

    What a release learned from a finding is known since, so it does not count.
    """
    best, found = np.full(len(vectors), NEAR), [""] * len(vectors)
    for case in before:
        own = _stack([day.vectors[text] for text in sorted({one.question for one in case.members})], day.known)
        earlier = np.array([known < case.finding.first_seen for known in day.known.days], bool)
        likeness = nearest(vectors, own)[0]
        nearer = likeness > np.maximum(best, nearest(vectors, day.known.vectors[earlier])[0])
        best = np.where(nearer, likeness, best)
        for n in np.flatnonzero(nearer):
            found[n] = case.finding.id
    return found


def _grouped(pool: Sequence[tuple[str, Member]], vectors: Mapping[str, np.ndarray]) -> list[list[tuple[str, Member]]]:
    """Groups of questions that are about one thing; equal texts count once where groups are made."""
    texts = sorted({one.question for _, one in pool})
    if not texts:
        return []
    place = {text: n for n, text in enumerate(texts)}
    of = {int(n): number for number, group in enumerate(groups(np.stack([vectors[t] for t in texts]))) for n in group}
    found: dict[int, list[tuple[str, Member]]] = defaultdict(list)
    alone: dict[str, list[tuple[str, Member]]] = defaultdict(list)
    for finding, one in pool:
        number = of.get(place[one.question])
        (alone[one.question] if number is None else found[number]).append((finding, one))
    # A text that many people send is near nothing else, and one thing all the same.
    return [found[number] for number in sorted(found)] + [alone[text] for text in sorted(alone)]


def _known_topics(day: Day, before: Sequence[Case], rest: Sequence[Member]) -> list[Case]:
    """Known topics that are asked far more often, or answered badly."""
    by_intent: dict[str, list[Member]] = defaultdict(list)
    for one in rest:
        by_intent[one.intent].append(one)
    usual = Counter(day.known.intents)
    telling = {}
    for intent, asked in by_intent.items():
        expected = usual[intent] * len(rest) / max(1, len(day.known.intents))
        badly = [one for one in asked if one.badly]
        poor = len({one.key for one in badly}) >= FEWEST_KNOWN and answered_badly(len(badly), len(asked), day.settled)
        far = (len(asked) - expected) / (expected + 0.5) ** 0.5 >= GROWN_DEVIATIONS
        grown = len(asked) >= max(GROWN_QUESTIONS, GROWN_TIMES * expected) and far
        open_ = next((case.finding for case in before if case.finding.topic == intent), None)
        # Once it is answered badly, how it is answered later is what shows that it is not any more.
        if poor or grown or (open_ is not None and open_.action != "volume_only"):
            telling[intent] = asked
    return _by_topic(day, before, "known", telling)


def _by_topic(day: Day, before: Sequence[Case], kind: FindingKind, asked: Mapping[str, Sequence[Member]]) -> list[Case]:
    """Findings that are known by a name: today's questions are those of the same name."""
    cases = [_with(day, case.finding, [*case.members, *asked.get(case.finding.topic, ())]) for case in before]
    known = {case.finding.topic for case in before}
    fresh = sorted(name for name, members in asked.items() if name not in known and _enough(members))
    return cases + [_begun(day, kind, name, asked[name], identity(kind, name, day.day, asked[name])) for name in fresh]


def _enough(members: Sequence[Member]) -> bool:
    return len(members) >= FEWEST and len({one.sender for one in members}) >= FEWEST_SENDERS


# -- what is known of one -----------------------------------------------------------------------------------------


def _begun(day: Day, kind: FindingKind, topic: str, members: Sequence[Member], name: str, parent: str = "") -> Case:
    first = min(one.day for one in members)
    finding = Finding(
        id=name,
        kind=kind,
        topic=topic,
        action="volume_only",
        why="",
        first_seen=first,
        since=first,
        last_seen=day.day,
        different=0,
        senders=0,
        parent=parent,
    )
    return _with(day, finding, members, anew=True)


def _with(
    day: Day, finding: Finding, members: Sequence[Member], *, anew: bool = False, merged: tuple[str, ...] | None = None
) -> Case:
    """A finding with its questions up to today; days before are counted anew only where questions changed hands."""
    ordered = sorted({one.id: one for one in members}.values(), key=lambda one: (one.time, one.id))[-KEPT:]
    today = [one for one in ordered if one.day == day.day]
    days = {one.day: one for one in finding.days if one.day < day.day}
    fresh = counted(finding.id, ordered)
    days |= {one.day: one for one in fresh if anew or one.day == day.day or one.day not in days}
    since = finding.since
    if anew:
        since = min(since, *(one.day for one in ordered)) if finding.reopened == 0 and ordered else since
    first = min([finding.first_seen, *(one.day for one in ordered)]) if anew else finding.first_seen
    figures = {
        "days": tuple(days[one] for one in sorted(days)),
        "first_seen": first,
        "since": since,
        "last_seen": day.day if today else finding.last_seen,
        "merged": finding.merged if merged is None else merged,
    }
    return Case(finding.model_copy(update=figures), tuple(ordered))


def _moved_on(day: Day, case: Case) -> Case:
    """A finding with what helps against it, and in the state that follows from what was served and said."""
    finding = _come_back(day, case.finding)
    if finding.state == "closed":
        return replace(case, finding=finding)
    counting = [one for one in case.members if one.day >= finding.since]
    newest = [one for one in case.members if one.day == finding.last_seen]
    share, rest = burst(newest, day.asked if finding.last_seen == day.day else [])
    names, similarity = _nearest_articles(day, counting)
    figures = Figures(
        questions=finding.total("questions") - finding.total("learned"),
        badly=finding.total("badly") - finding.total("learned_badly"),
        guarded=finding.total("guarded"),
        failed=finding.total("failed"),
        newest=len(newest),
        burst=share,
        rest=rest,
        agreeing=agreeing([one.correction for one in counting if one.correction and not one.held], day.vectors),
        held=agreeing([one.correction for one in counting if one.correction and one.held], day.vectors),
        answers=finding.total("corrected") if day.from_conversations else 0,
        written=finding.id in day.articles.written,
        article_similarity=similarity,
        settled=day.settled,
        shared=shared({one.question for one in counting}),
        rush=finding.kind == "rush",
    )
    # What was asked of a release that learned from it says how that one answers, not what helps.
    action, why = proposed(figures) if figures.questions else (finding.action, finding.why)
    told = {
        "action": action,
        "why": why,
        "different": len({one.key for one in counting}),
        "different_badly": len({one.key for one in counting if one.badly}),
        "senders": len({one.sender for one in counting}),
        "agreeing": figures.agreeing,
        "held": figures.held,
        "written": figures.written,
        "articles": names,
        "article_similarity": round(similarity, 4),
        "burst": round(share, 4),
    }
    return replace(case, finding=_state(day, finding.model_copy(update=told)))


def _state(day: Day, finding: Finding) -> Finding:
    # A rollback takes back what was learned, too.
    if day.serving.of(finding):
        learned = {"state": "learned", "learned_by": day.serving.release, "learned_until": day.serving.until}
        finding = finding.model_copy(update={**learned, "refused": None})
    elif finding.state == "learned":
        finding = finding.model_copy(update={"state": "open", "learned_by": "", "learned_until": None})
    if finding.state == "open" and day.candidate.stopped and day.candidate.of(finding):
        assert day.candidate.until is not None
        finding = finding.model_copy(
            update={
                "refused": Refusal(
                    candidate=day.candidate.release,
                    day=day.candidate.until,
                    reason=day.candidate.stopped,
                    next_step=day.candidate.next_step,
                )
            }
        )
    if finding.state == "learned" and (cure := cured(finding, day)) is not None:
        told = f"answered badly: {cure.before:.0%} before, {cure.after:.0%} by {cure.release}"
        return _closed(finding, day.day, f"{told} (fell by {cure.low:.2f} to {cure.high:.2f})", cure=cure)
    by_hand, said = day.closings.get(finding.id, (None, ""))
    if by_hand is not None and by_hand >= finding.since:
        return _closed(finding, by_hand, said)
    if finding.state == "open" and (day.day - finding.last_seen).days > day.policy.quiet_days:
        return _closed(finding, day.day, f"nobody asked for {day.policy.quiet_days} days")
    return finding


def _closed(finding: Finding, on: date, because: str, cure: Cure | None = None) -> Finding:
    return finding.model_copy(
        update={"state": "closed", "closed_on": on, "closed_because": because, "cure": cure or finding.cure}
    )


def _come_back(day: Day, finding: Finding) -> Finding:
    """A closed finding, open again where its questions since are answered badly."""
    if finding.closed_on is None:
        return finding
    later = [one for one in finding.days if one.day > finding.closed_on]
    badly, questions = sum(one.badly for one in later), sum(one.questions for one in later)
    if badly < FEWEST or not answered_badly(badly, questions, day.settled):
        return finding
    back = {
        "state": "open",
        "since": later[0].day,
        "closed_on": None,
        "closed_because": "",
        "refused": None,
        "learned_by": "",
        "learned_until": None,
        "reopened": finding.reopened + 1,
    }
    return finding.model_copy(update=back)


def cured(finding: Finding, day: Day) -> Cure | None:
    """How much better the finding's later questions are answered; None while no interval shows that they are."""
    after = finding.total("learned_badly"), finding.total("learned")
    before = finding.total("badly") - after[0], finding.total("questions") - after[1]
    low, high = share_fell(before, after)
    if low <= 0 or after[1] < day.policy.minimum_questions:
        return None
    cost = day.serving.cost
    return Cure(
        release=day.serving.release,
        day=day.day,
        before=before[0] / before[1],
        after=after[0] / after[1],
        low=round(low, 4),
        high=round(high, 4),
        corrections=finding.total("corrected"),
        currency=cost.currency if cost else None,
        energy_kwh=cost.energy_kwh if cost else None,
    )


def agreeing(corrections: Sequence[str], vectors: Mapping[str, np.ndarray]) -> int:
    """How many corrections say what the one says that most agree with: as many as corpus/corrections.py would count."""
    if not corrections:
        return 0
    matrix = np.stack([vectors[text] for text in corrections])
    return int((matrix @ matrix.T >= AGREEMENT).sum(axis=1).max())


def _nearest_articles(day: Day, members: Sequence[Member]) -> tuple[tuple[str, ...], float]:
    """(ids of the nearest articles, mean cosine of the questions to the nearest one)."""
    texts = sorted({one.question for one in members})
    if not texts or not len(day.articles.ids):
        return (), 0.0
    likeness = np.stack([day.vectors[text] for text in texts]) @ day.articles.vectors.T
    of: dict[str, float] = {}
    for name in dict.fromkeys(day.articles.ids):
        columns = [n for n, other in enumerate(day.articles.ids) if other == name]
        of[name] = float(likeness[:, columns].max(axis=1).mean())
    ranked = sorted(of, key=lambda name: (-of[name], name))[:ARTICLES]
    return tuple(ranked), of[ranked[0]]


def _stack(vectors: Sequence[np.ndarray], known: Known) -> np.ndarray:
    return np.stack(vectors) if vectors else np.zeros((0, known.vectors.shape[1]), np.float32)
