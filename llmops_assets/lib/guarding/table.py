"""Which guards there are: what each looks for, where, from which likelihood on. A guard is one module and one entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Place = Literal["question", "history", "article", "answer"]
"""Where something was found: in what is asked, in the turns before it, in the knowledge, in what the assistant says."""
THRESHOLDS: Mapping[str, float] = {"injection": 0.7, "passages": 0.7, "topics": 0.8, "toxicity": 0.85}
"""Likelihood from which a guard alarms, where its policy says nothing; chosen by benchmarks/guards.py."""


@dataclass(frozen=True)
class Guard:
    """What a guard looks for, and where."""

    looks_for: str
    places: tuple[Place, ...]


GUARDS: Mapping[str, Guard] = {
    "injection": Guard("instructions to the assistant", ("question", "history")),
    "passages": Guard("instructions to the assistant, planted in an article", ("article",)),
    "topics": Guard("topics that the assistant keeps out of", ("question",)),
    "toxicity": Guard("abuse in what the model wrote", ("answer",)),
    "secrets": Guard("keys and passwords: told by a customer, written by the model", ("question", "answer")),
    "prompt": Guard("the release's prompt in what the model wrote", ("answer",)),
    "grounded": Guard("what the model wrote and no article carries", ("answer",)),
    "personal_data": Guard("personal data in what the model wrote", ("answer",)),
}
"""By name, as policy, metrics, log and answers call them. The last two have their own settings
(`router.grounded_above`) or none: personal data is masked always."""


@dataclass(frozen=True)
class Finding:
    """What one guard found in one place, and what is done about it."""

    guard: str
    place: Place
    action: str

    def __str__(self) -> str:
        return f"{self.guard}:{self.place}:{self.action}"
