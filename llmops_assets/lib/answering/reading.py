"""A turn read in its conversation: what it does, in which language, and which articles it is nearest to.

A follow-up is looked up three times: alone, behind the question before it, and behind the answer to that. The mean of
the three finds what it is about (docs/decisions/conversation.md), so nothing has to be reworded by a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib.answering.acts import QUESTION, Told
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.answering.knowledge import Hit, KnowledgeIndex, route
from llmops_assets.lib.answering.pieces import asks, asks_again, leans, questions_in, tidied, wanted, without_courtesy
from llmops_assets.lib.answering.tongues import tongue
from llmops_assets.lib.corpus.glossaries import glossed
from llmops_assets.lib.records import RouterPolicy

ALONE, ASKED, ANSWERED = 1.0, 0.5, 0.3
"""Weights of a follow-up looked up alone, behind the question before it, and behind the answer to that."""
SAME_TOPIC = 0.05
"""What an article gains that is of the same intent as the one just given."""
GIVEN = 0.1
"""What the article just given loses: who asks on wants something else, unless it is asked for again."""
LOWER_ANSWER, LOWER_FLOOR = 0.05, 0.02
"""How much lower a follow-up's mean of three similarities lies than the one of a question that stands alone: where an
article answers it, and where none has to do with it."""
CLEAR = 0.12
"""How much lower both may lie where one article leads by the whole margin: a few words in a conversation are like no
known question, and yet nearer to one article than to every other."""
MOST_PARTS = 4
"""Questions of a message that are looked up apart; one with more is for the engine, or a person."""
BEFORE_WORDS = 40
"""Words of the question before and of its answer that a follow-up is put behind: the embedder reads the first hundred
tokens or so, and the follow-up has to be among them."""
LEAD = 1 / 3
"""Share of the margin that a follow-up's article needs: the conversation speaks for it already."""


@dataclass(frozen=True)
class Found:
    """The articles nearest to a question, and the thresholds that hold for them."""

    hits: list[Hit]
    policy: RouterPolicy

    @property
    def sure(self) -> bool:
        """Whether the nearest article answers it as it stands."""
        return route(self.hits, self.policy) == "matched"


@dataclass(frozen=True)
class Turn:
    """A redacted turn as it was read.

    `leaning`: it was looked up with what was said before it. `asks`: it has the form of a question. `parts` are the
    questions of a message that asks several; `wanted` is what is asked for beside something that shall not be done,
    None where nothing is.
    """

    language: str
    told: Told
    found: Found
    leaning: bool = False
    asks: bool = True
    parts: tuple[Found, ...] = ()
    wanted: Found | None = None


def read(
    question: str, history: Sequence[Said], index: KnowledgeIndex, embedder: Embeds, policy: RouterPolicy, own: str
) -> Turn:
    """Read a turn after `history`; `own` is the assistant's language ("": unknown, so none is another one)."""
    question = tidied(question)
    language = tongue(question, own) if own else ""
    plain = without_courtesy(question)
    if language != own:
        plain = glossed(plain, language)
    elif own == "en":
        # The list of words that are right as they are is an English one.
        plain = index.speller.corrected(plain)
    [vector] = embedder.embed([plain])
    alone = Found(index.search(plain, vector, max(2, policy.passages)), policy)
    [told] = index.acts.tell([plain], vector[None]) if index.acts is not None else [QUESTION]
    asked = next((turn.text for turn in reversed(history) if turn.speaker == "user"), "")
    if asked and (leans(plain) or not alone.sure):
        answered = history[-1].text if history[-1].speaker == "assistant" else ""
        found = follow_up(plain, asked, answered, index, embedder, policy)
    else:
        found = alone
    rest = wanted(plain)
    return Turn(
        language=language,
        told=told,
        found=found,
        leaning=found is not alone,
        asks=asks(plain),
        parts=tuple(_parts(plain, index, embedder, policy)) if language == own else (),
        wanted=_lookup(rest, index, embedder, policy) if rest else None,
    )


def follow_up(
    question: str, asked: str, answered: str, index: KnowledgeIndex, embedder: Embeds, policy: RouterPolicy
) -> Found:
    """The articles nearest to a question that goes on from another one and its answer."""
    first, then = (" ".join(text.split()[:BEFORE_WORDS]) for text in (asked, answered))
    texts = [question, f"{first} {question}", f"{then} {question}".strip(), first]
    similarities = index.similarities(texts, embedder.embed(texts))
    alone, behind, after, before = (index.by_article(row) for row in similarities)
    scores = (ALONE * alone + ASKED * behind + ANSWERED * after) / (ALONE + ASKED + ANSWERED)
    given = next(
        (n for n, name in enumerate(index.names) if index.articles[name].answer in answered), int(before.argmax())
    )
    intents = [index.articles[name].intent for name in index.names]
    scores += np.float32(SAME_TOPIC) * np.array([intent == intents[given] for intent in intents], np.float32)
    scores[given] += GIVEN if asks_again(question) else -GIVEN
    hits = index.ranked(scores, similarities[0], max(2, policy.passages))
    clear = len(hits) > 1 and hits[0].similarity - hits[1].similarity >= policy.margin
    return Found(hits, lowered(policy, CLEAR, CLEAR) if clear else looser(policy))


def looser(policy: RouterPolicy) -> RouterPolicy:
    """The thresholds for what a conversation or the rest of a message speaks for, too."""
    return lowered(policy, LOWER_ANSWER, LOWER_FLOOR)


def lowered(policy: RouterPolicy, answer: float, floor: float) -> RouterPolicy:
    """A policy with a share LEAD of the margin that answers, and hands over, at similarities that are so much lower."""
    lower = {
        "answer_above": policy.answer_above - answer,
        "hand_over_below": policy.hand_over_below - floor,
    }
    return policy.model_copy(update={**lower, "margin": policy.margin * LEAD})


def _parts(message: str, index: KnowledgeIndex, embedder: Embeds, policy: RouterPolicy) -> list[Found]:
    found: list[Found] = []
    asked = questions_in(message)
    if len(asked) > MOST_PARTS:
        return found
    vectors = embedder.embed(asked) if asked else ()
    for number, (question, vector) in enumerate(zip(asked, vectors, strict=True)):
        part = Found(index.search(question, vector, 2), looser(policy))
        if number and leans(question) and not part.sure:
            part = follow_up(question, asked[number - 1], "", index, embedder, policy)
        found.append(part)
    return found


def _lookup(text: str, index: KnowledgeIndex, embedder: Embeds, policy: RouterPolicy) -> Found:
    [vector] = embedder.embed([text])
    return Found(index.search(text, vector, max(2, policy.passages)), policy)
