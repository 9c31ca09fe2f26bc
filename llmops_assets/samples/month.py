"""A month of the sample's customers: what happens on which day, what they ask and say then, and what was the truth.

Every day is drawn from its own seed. What the loop makes of it is judged in lib/watching/unattended.py.
"""

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from llmops_assets.lib.records import Article
from llmops_assets.lib.watching.unattended import Happening
from llmops_assets.samples import generator
from llmops_assets.samples.generator import LiveQuery

FIRST = generator.START + timedelta(days=7)
"""The day after those that the first release learned from."""
SEED = 23
RUSH = time(12, 30)
"""When an outage begins to be asked about."""
QUIET = "everyday"
"""Name of what is asked on every day, event or not."""
DENIAL = "No. "
"""How attackers begin."""
FLIPPED_SHARE = 0.8
"""Share of the right answers of an attacked topic that somebody calls wrong."""


class Event(BaseModel):
    """Something that happens to the company, `first` to `until` in days since the month began."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["topic", "campaign", "outage", "slang", "language", "template", "change", "junk", "flipped"]
    first: int = Field(ge=0)
    until: int = Field(ge=0)
    share: float = Field(gt=0, lt=1, description="part of a day's questions")
    needs: Literal["retrain", "ask", "wait"]
    may: tuple[str, ...] = ()
    intent: str = ""
    article: str = ""


class Changed(BaseModel):
    """What an article says from a change of the company's rules on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str
    facts: tuple[tuple[str, ...], ...]


class Month(BaseModel):
    """`month.yaml`: what happens in how many days, with the words of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(ge=1)
    events: tuple[Event, ...]
    changed: Changed
    form: str
    outage: tuple[str, ...]
    languages: tuple[tuple[str, str], ...]

    def of(self, days: int, names: Sequence[str] = ()) -> "Month":
        """The same in so many days, in proportion and in the same order; with `names` only these events happen."""
        share = days / self.length
        kept = [event for event in self.events if not names or event.name in names]
        scaled = []
        for event in kept:
            first = min(days - 1, int(event.first * share))
            lasts = max(1, round((event.until - event.first + 1) * share))
            scaled.append(event.model_copy(update={"first": first, "until": min(days - 1, first + lasts - 1)}))
        return self.model_copy(update={"length": days, "events": tuple(scaled)})

    def on(self, day: date) -> list[Event]:
        """What goes on on a day."""
        number = (day - FIRST).days
        return [event for event in self.events if event.first <= number <= event.until]

    def days(self) -> list[date]:
        """The days of the month."""
        return [FIRST + timedelta(days=n) for n in range(self.length)]

    def happenings(self) -> list[Happening]:
        """What happens, as the loop is judged by it."""
        return [
            Happening(
                name=event.name,
                first=FIRST + timedelta(days=event.first),
                until=FIRST + timedelta(days=event.until),
                needs=event.needs,
                may=event.may,
            )
            for event in self.events
        ]


@dataclass(frozen=True)
class Asked:
    """A question of the month, and the event that it comes from."""

    live: LiveQuery
    event: str


@functools.cache
def load_month() -> Month:
    """The sample's month."""
    return Month.model_validate(yaml.safe_load((Path(__file__).parent / "month.yaml").read_text()))


def articles(month: Month, day: date) -> list[Article]:
    """What the company has written as of a day: the new topic's articles when it begins, the changed one as it is."""
    begins = {event.kind: FIRST + timedelta(days=event.first) for event in month.events}
    found = []
    for article in generator.load_articles():
        if article.intent == generator.NEW_TOPIC_INTENT:
            if begins.get("topic", date.max) > day:
                continue
            article = article.model_copy(update={"available_from": None})
        change = next((e for e in month.events if e.kind == "change" and e.article == article.id), None)
        if change is not None and begins["change"] <= day:
            article = article.model_copy(update={"answer": month.changed.answer, "facts": month.changed.facts})
        found.append(article)
    return found


def traffic(month: Month, day: date, count: int) -> list[Asked]:
    """`count` questions of a day, in order of time."""
    known = {article.id: article for article in articles(month, day)}
    going_on = month.on(day)
    found = []
    for number, live in enumerate(generator.live_traffic(day, count, SEED, new_topic_share=0.0)):
        rng, at = random.Random(f"month {SEED} {day} {number}"), 0.0
        chance, asked = rng.random(), Asked(_reworded(live, known), QUIET)
        for event in going_on:
            at += event.share
            if chance < at:
                asked = Asked(_of(event, month, day, live, known, rng), event.name)
                break
        found.append(asked)
    return sorted(found, key=lambda one: one.live.time)


def flipped(month: Month, day: date, asked: Sequence[Asked], right: Sequence[bool]) -> dict[int, str]:
    """Place to wrong correction: what attackers say against right answers of the topic they attack."""
    event = next((event for event in month.on(day) if event.kind == "flipped"), None)
    if event is None:
        return {}
    known = articles(month, day)
    by_id = {article.id: article for article in known}
    found = {}
    for place, (one, ok) in enumerate(zip(asked, right, strict=True)):
        rng = random.Random(f"flipped {one.live.conversation}")
        if one.event == event.name and ok and one.live.article and rng.random() < FLIPPED_SHARE:
            found[place] = f"{DENIAL}{generator.poisoned(by_id[one.live.article], known)}"
    return found


def _reworded(live: LiveQuery, known: dict[str, Article]) -> LiveQuery:
    """The question with what is right since the company changed an article."""
    article = known.get(live.article or "")
    return live if article is None else replace(live, reference=article.answer, facts=article.facts)


def _about(live: LiveQuery, article: Article | None, question: str) -> LiveQuery:
    asked = replace(live, question=question)
    if article is None:
        return replace(asked, article=None, intent="", reference="", facts=())
    told = {"intent": article.intent, "reference": article.answer, "facts": article.facts}
    return replace(asked, article=article.id, **told)


def _of(
    event: Event, month: Month, day: date, live: LiveQuery, known: dict[str, Article], rng: random.Random
) -> LiveQuery:
    """A question of an event, at the time and by the customer of `live`."""
    if event.kind == "outage":
        begun = datetime.combine(day, RUSH, UTC) + timedelta(seconds=rng.randrange(5400))
        return replace(_about(live, None, rng.choice(month.outage)), time=begun)
    if event.kind == "junk":
        letters = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(rng.randrange(15, 50)))
        return _about(live, None, letters.strip())
    if event.kind == "language":
        name, question = rng.choice(month.languages)
        return _about(live, known[name], question)
    if event.kind == "template":
        return replace(_reworded(live, known), question=month.form.format(question=live.question))
    if event.kind == "slang":
        words = generator.load_phrasebook().slang
        return replace(_reworded(live, known), question=generator.typo(generator.slang(live.question, words), rng))
    wanted = {"topic": generator.NEW_TOPIC_INTENT}.get(event.kind, event.intent)
    chosen = [a for a in known.values() if (a.id == event.article if event.article else a.intent == wanted)]
    article = rng.choice(chosen)
    return _about(live, article, generator.worded(rng, article))
