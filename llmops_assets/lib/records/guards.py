"""The policy of the guards: what is done about what each of them finds. Part of the use case and of the release.

What the guards find, and how: lib/guarding.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from llmops_assets.lib.records.base import Growing

Action = Literal["note", "mask", "hand_over", "refuse"]
"""`note`: count and log it, change nothing. `mask`: take what was found out of the text. `hand_over`: a person answers.
`refuse`: nobody does, and the assistant says so. Of articles, hand_over holds the article back, refuse stops the build.
"""
Threshold = Annotated[float | None, Field(gt=0, le=1, description="likelihood from which it alarms; none: the guard's")]
Topic = Literal["crisis", "harm", "investment", "legal", "medical"]


class InjectionRule(Growing):
    """Instructions to the assistant in a question or in the turns before it, where the model is to answer."""

    action: Action = "hand_over"
    threshold: Threshold = None


class PassageRule(Growing):
    """Instructions to the assistant that stand in an article."""

    action: Action = "mask"
    threshold: Threshold = None


class TopicRule(Growing):
    """Questions of a topic that the assistant keeps out of. `own` holds phrases by the name of a topic of one's own."""

    action: Literal["note", "hand_over", "refuse"] = "hand_over"
    threshold: Threshold = None
    topics: tuple[Topic, ...] = ("crisis", "harm", "investment", "legal", "medical")
    own: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")], tuple[str, ...]] = Field({}, max_length=20)

    @model_validator(mode="after")
    def _phrases_say_something(self) -> "TopicRule":
        for name, phrases in self.own.items():
            if not phrases or not all(any(c.isalnum() for c in phrase) for phrase in phrases):
                raise ValueError(f"guards.topics.own.{name} needs phrases with letters or digits in them")
        return self


class ToxicityRule(Growing):
    """Abuse in what the model wrote."""

    action: Literal["note", "hand_over", "refuse"] = "hand_over"
    threshold: Threshold = None


class SecretsRule(Growing):
    """Keys and passwords in what the model wrote."""

    action: Action = "hand_over"


class PromptRule(Growing):
    """The release's prompt in what the model wrote."""

    action: Literal["note", "hand_over", "refuse"] = "hand_over"


class GuardPolicy(Growing):
    """What is done about what each guard finds; none for a guard: it does not run."""

    injection: InjectionRule | None = InjectionRule()
    passages: PassageRule | None = PassageRule()
    topics: TopicRule | None = TopicRule()
    toxicity: ToxicityRule | None = ToxicityRule()
    secrets: SecretsRule | None = SecretsRule()
    prompt: PromptRule | None = PromptRule()
