"""Customers for a replayed day: of the sample, or out of the user's own file. Only the demonstration needs them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Protocol

from llmops_assets.lib.judging.grading import grade
from llmops_assets.lib.records import EvalItem
from llmops_assets.samples import generator
from resources.conversations import Conversations
from resources.deployment_target import Ask, TargetReply
from resources.embedder import InstalledEmbedder
from resources.workspace import Workspace


@dataclass(frozen=True)
class Query:
    """A customer's question with what a right answer is; `article` is None where a person must answer."""

    ask: Ask
    item: EvalItem
    live: generator.LiveQuery


class Traffic(Protocol):
    """Where a day's customers come from."""

    def day(self, day: date, count: int) -> list[Query]:
        """The questions of a day, in order of time."""
        ...


class SampleTraffic:
    """Customers of the sample's company."""

    def __init__(self, seed: int = 11) -> None:
        self._seed = seed

    def day(self, day: date, count: int) -> list[Query]:
        """Drawn by the generator; the new topic comes on its day."""
        return [query_of(live) for live in generator.live_traffic(day, count, self._seed)]


class FileTraffic:
    """Customers who ask what the rows of the user's file of that day ask."""

    def __init__(self, workspace: Workspace) -> None:
        self._conversations = Conversations(workspace)

    def day(self, day: date, count: int) -> list[Query]:
        """At most `count` rows of the day, evenly spaced."""
        rows = list(self._conversations.rows(day))
        chosen = [rows[i * len(rows) // count] for i in range(count)] if len(rows) > count else rows
        queries = []
        for position, row in enumerate(chosen):
            moment = datetime.combine(day, time(6), UTC) + timedelta(seconds=position * 57_600 // max(1, len(chosen)))
            live = generator.LiveQuery(
                question=row.question,
                subject=row.subject or f"customer {position}",
                conversation=f"live-{day}-{row.id}",
                time=moment,
                article="unknown",
                intent=row.intent,
                reference=row.answer,
                facts=(),
            )
            queries.append(query_of(live))
        return queries


def query_of(live: generator.LiveQuery) -> Query:
    """A customer's question as it is sent, with what it is graded by."""
    item = EvalItem(
        id=live.conversation,
        slice="live",
        question=live.question,
        article=live.article,
        intent=live.intent,
        reference=live.reference,
        facts=live.facts,
    )
    return Query(Ask(live.question, live.subject, live.conversation, live.time), item, live)


def graded(
    queries: Sequence[Query],
    replies: Sequence[TargetReply],
    intents: Mapping[str, str] = MappingProxyType({}),
    look_ups: Collection[str] = (),
) -> list[bool]:
    """Whether each reply was right; a request that failed was not.

    `intents` are the articles' own, for a file whose rows name their intent: an article answers a row of its intent,
    however differently the agent of that row worded it. What is asked with an intent of `look_ups` is for a person.
    """

    def right(query: Query, reply: TargetReply) -> bool:
        if query.item.intent in look_ups:
            return reply.path == "handover"
        told = intents.get(reply.article or "") if reply.path == "matched" else None
        if query.item.intent and told is not None:
            return told == query.item.intent
        return grade(query.item, reply.answer, reply.path, reply.article)

    return [reply.status == 200 and right(query, reply) for query, reply in zip(queries, replies, strict=True)]


def new_topic_of(workspace: Workspace, embedder_limit: int = 30) -> str:
    """The intent of the user's file that differs most from all others, "" when there are fewer than four intents.

    Distance is between mean embeddings of at most `embedder_limit` questions of each intent; intents with fewer than
    twenty rows do not count.
    """
    import numpy as np

    groups: dict[str, list[str]] = {}
    conversations = Conversations(workspace)
    for day in conversations.days():
        for row in conversations.rows(day):
            if row.intent:
                groups.setdefault(row.intent, []).append(row.question)
    large = {intent: questions for intent, questions in groups.items() if len(questions) >= 20}
    if len(large) < 4:
        return ""
    embedder = InstalledEmbedder(workspace.embeddings)
    names = sorted(large)
    centres = np.stack([embedder.embed(large[name][:embedder_limit]).mean(axis=0) for name in names])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    likeness = centres @ centres.T - 2 * np.eye(len(names))
    return names[int(likeness.max(axis=1).argmin())]
