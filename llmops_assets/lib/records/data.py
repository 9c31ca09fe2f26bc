"""Hand-overs of the group data: articles, eval items, datasets and what their rows allow."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from llmops_assets.lib.records.base import LakeRef, Record, later


class Article(Record):
    """One piece of the knowledge base: an answer with the facts it must carry.

    `facts` is a list of facts, each a list of accepted wordings; an answer is right when it holds at least one
    wording of every fact. Empty facts (a user's own data) are graded by answer group instead.
    """

    id: str
    intent: str
    title: str
    answer: str
    facts: tuple[tuple[str, ...], ...] = ()
    questions: tuple[str, ...] = Field(min_length=1, description="phrasings known to the assistant")
    held_out: tuple[str, ...] = Field((), description="paraphrases for evaluation only")
    available_from: date | None = None
    kind: Literal["answer", "look_up"] = later(
        "answer", description="look_up: answered by looking into one case, so a person must; `answer` says why"
    )


class EvalItem(Record):
    """One held-out question. `article` is None where nothing answers it: a person must take over (out of scope), or it
    is small talk; `language` is what the answer must be in, "" for the assistant's own."""

    id: str
    slice: str
    question: str
    article: str | None
    intent: str
    reference: str
    facts: tuple[tuple[str, ...], ...] = ()
    history: tuple[tuple[str, str], ...] = Field((), description="(customer, assistant) before the question")
    several: bool = Field(False, description="it asks for more than one article, `article` is the first")
    small_talk: bool = False
    language: str = ""
    source: str = Field("", description="the interaction whose customer asked it, or the id in a slice's file")
    failed: bool = Field(False, description="what that customer got was wrong")
    scorer: str = Field("", description="what grades its answers (lib/judging/scorers); none: what it expects says it")
    forbidden: tuple[str, ...] = Field((), description="wordings that no right answer holds")
    form: str = Field("", description="regular expression that all of a right answer matches; none: any form")


class Dialogue(Record):
    """A conversation whose last turn the eval suite asks (dialogues.yaml).

    `expect` is the id of the article that answers it, or of all that must, or `handover`, or `small_talk` (`sorry` for
    a complaint that asks nothing). One whose article the knowledge base lacks is left out.
    """

    slice: str
    history: tuple[tuple[str, str], ...] = ()
    question: str
    expect: str | Annotated[tuple[str, ...], Field(min_length=1)]
    language: str = ""


class DataTerms(Record):
    """What holds for rows taken together; merging is associative and commutative, so it holds for datasets of datasets.

    `purposes` None: no row was seen, everything is allowed. `retain_until` None: no row expires.
    """

    purposes: tuple[str, ...] | None = None
    licences: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    lawful_bases: tuple[str, ...] = ()
    retain_until: date | None = None
    rows: int = 0

    def merge(self, other: "DataTerms") -> "DataTerms":
        """Terms of both: purposes that both allow, licences, regions and bases of either, the earlier end."""
        ends = [end for end in (self.retain_until, other.retain_until) if end is not None]
        if self.purposes is None or other.purposes is None:
            purposes = other.purposes if self.purposes is None else self.purposes
        else:
            purposes = tuple(sorted(set(self.purposes) & set(other.purposes)))
        return DataTerms(
            purposes=purposes,
            licences=tuple(sorted({*self.licences, *other.licences})),
            regions=tuple(sorted({*self.regions, *other.regions})),
            lawful_bases=tuple(sorted({*self.lawful_bases, *other.lawful_bases})),
            retain_until=min(ends, default=None),
            rows=self.rows + other.rows,
        )


class DatasetRef(Record):
    """A published dataset at a commit and tag, with its content hash and row counts."""

    name: str
    ref: LakeRef
    tag: str = ""
    digest: str
    rows: int = Field(ge=0)
    counts: dict[str, int] = Field({})
    inputs: dict[str, LakeRef] = Field({})


class CanaryPlan(Record):
    """The canaries among training rows; which ones they are follows from seed and count (lib/judging/canaries.py)."""

    count: int = Field(ge=1)
    copies: int = Field(1, ge=1, description="rows of each")
    seed: int = 17


class TrainingSet(Record):
    """The published training dataset with its held-out rows and the reference that drift is measured against."""

    rows: DatasetRef
    held_out: DatasetRef
    reference: DatasetRef
    until: date = Field(description="last day of conversations in it")
    terms: DataTerms = Field(DataTerms(), description="what every row of it allows")
    findings: tuple[str, ...] = later((), description="ids of the findings that it was made from")
    canaries: CanaryPlan | None = later(None, description="planted among its rows; none: no canaries")


class KnowledgeBase(Record):
    """The published articles: the trusted ones and those with corrections from feedback, as served."""

    articles: DatasetRef
    trusted: DatasetRef = Field(description="without feedback: what evaluation is built from")
    corrections: int = Field(ge=0, description="articles that feedback changed or added")
    undecided: DatasetRef | None = later(None, description="answers that contradict each other, by row: taught to none")
